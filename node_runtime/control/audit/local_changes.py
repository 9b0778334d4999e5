"""Adds entries to the audit log for changes that the owner's commands make in a node's directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from node_runtime.protocol.exit_codes import Refused

from .audit_log import open_audit_log
from .entries import local_entry


def audited(directory: Path, method: str, subject: str, change: Callable[[], str]) -> None:
    """Write the intent of a change to the audit log, call `change()`, and write the outcome.

    `change()` returns a clause that says what it has done. If the intent can't be written, this function raises Refused
    and does not call `change`.
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
