"""The directories of the user's files, as the XDG base directory specification names them."""

from __future__ import annotations

import os
from pathlib import Path


def config_directory() -> Path:
    """Return the directory of the files that the user writes; it need not exist."""
    return _base("XDG_CONFIG_HOME", ".config") / "hotdash"


def state_directory() -> Path:
    """Return the directory of the files that hotdash writes; it need not exist."""
    return _base("XDG_STATE_HOME", ".local/state") / "hotdash"


def _base(variable: str, default: str) -> Path:
    """Return an XDG base directory. A relative path in the variable is ignored, as the specification demands."""
    named = os.environ.get(variable, "")
    return Path(named) if os.path.isabs(named) else Path.home() / default
