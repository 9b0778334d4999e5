"""The answer to a key that does nothing where it is pressed."""

from __future__ import annotations

from hotdash.actions import key_name, key_of
from hotdash.moves import MOVES


def unused_key_words(key: str, keymap: dict[str, str]) -> str:
    """Return a sentence that says that a key does nothing here, and what it does elsewhere."""
    help_key = key_of("help", keymap)
    for move in MOVES:
        if key in keymap.get(move.id, move.keys).split(","):
            return f"{key_name(key)} does nothing here. Elsewhere: {move.help} {help_key} lists all keys."
    return f"{key_name(key)} does nothing here; {help_key} lists all keys."
