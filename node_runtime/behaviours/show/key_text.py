"""The text of a key in the path to a value, made without running code of the key's class."""

from __future__ import annotations

from typing import Final

from node_runtime.processes.redaction.text_redaction import redact_beginning

from .leaf_texts import int_text

MAX_KEY_LENGTH: Final = 50
"""The number of characters of a key that are shown."""
_OF_CONSTANTS: Final = (bool, float, type(None))


def key_text(key: object) -> str | None:
    """Return the text of a key, redacted; None for a key whose class is not one of Python's simple types."""
    if type(key) is str:
        return repr(redact_beginning(key, MAX_KEY_LENGTH))
    if type(key) is int:
        return int_text(key, MAX_KEY_LENGTH)[:MAX_KEY_LENGTH]
    return repr(key) if type(key) in _OF_CONSTANTS else None
