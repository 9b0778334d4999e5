"""Adds a note to an error: the part of a script in which the error was raised."""

from __future__ import annotations

from node_runtime.processes.exit_reasons import DescribedError, describe_reason


def with_note(error: BaseException, note: str) -> BaseException:
    """Add a note to an error and return it. If the error can't take notes, return another error with the note."""
    try:
        BaseException.add_note(error, note)  # the class of the error may define `add_note` or `__notes__` itself
    except Exception:
        described = DescribedError(describe_reason(error))
        described.add_note(note)
        return described
    return error
