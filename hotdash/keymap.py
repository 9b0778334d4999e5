"""Remapped keys: `$XDG_CONFIG_HOME/hotdash/keys.toml`, one line per action, such as `upgrade = "ctrl+u"`."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from hotdash.actions import BY_ID
from node_runtime.protocol.exit_codes import ExitCode, Refused


def keymap_path() -> Path:
    """Return the path of the keymap file, which need not exist."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "hotdash" / "keys.toml"


def read_keymap(path: Path) -> dict[str, str]:
    """Return the keys by action id, or {} without a file. Raises Refused for an unknown action or an invalid key."""
    try:
        keys = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Refused(f"The keys in {path} can't be read: {error}.", ExitCode.USAGE) from None
    for name, key in keys.items():
        if name not in BY_ID:
            raise Refused(
                f"{path} names {name!r}, which is not an action; the actions are {', '.join(BY_ID)}.",
                ExitCode.USAGE,
            )
        if not isinstance(key, str) or not key:
            raise Refused(f"{path} has no key for {name!r}; write for example {name} = 'ctrl+u'.", ExitCode.USAGE)
    return keys
