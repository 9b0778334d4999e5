"""A victim of another user: it uses its own run directory, as the other user has left it."""

from __future__ import annotations

import os

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.run_directory import run_directory


def use_run_directory(path: str) -> str:
    """Use the run directory that is used where no setting names one; returns the refusal, or nothing without one."""
    for name in ("NODE_RUNTIME_RUN_DIR", "XDG_RUNTIME_DIR"):
        os.environ.pop(name, None)
    try:
        used = run_directory()
    except Refused as refused:
        return refused.sentence
    return "" if str(used) == path else f"{used} was used"
