"""Changes of a node's directory by a command of its owner, with their lines in the audit log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from node_runtime.protocol.exit_codes import Refused

from .audit_log import open_audit_log
from .entries import local_entry


def audited(directory: Path, method: str, subject: str, change: Callable[[], str]) -> None:
    """Make a change that returns a clause about what was done; write its intent before, and its outcome afterwards.

    Raises Refused, also if the intent can't be written; then nothing was done.
    """
    log = open_audit_log(directory)
    log.write(local_entry(method, subject, "intent"))
    try:
        done = change()
    except Refused as refused:
        log.write(local_entry(method, subject, "outcome", f"refused: {refused.sentence}"))
        raise
    except OSError as error:
        log.write(local_entry(method, subject, "outcome", f"failed: {error}"))
        raise
    log.write(local_entry(method, subject, "outcome", done))
