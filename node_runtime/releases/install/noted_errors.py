"""Adds notes to errors, which say in which part of a script they were raised."""

from __future__ import annotations

from node_runtime.processes.exit_reasons import DescribedError, describe_reason


def with_note(error: BaseException, note: str) -> BaseException:
    """Add a note to an error and return it; if its class can't take notes, return another error with the note."""
    try:
        BaseException.add_note(error, note)  # its class may have another `add_note`, or other `__notes__`
    except Exception:
        described = DescribedError(describe_reason(error))
        described.add_note(note)
        return described
    return error
