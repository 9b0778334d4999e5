"""Shortens long texts for display."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

MAX_SHOWN_NAME: Final = 80
"""A message shows at most this many characters of a name: a user may have pasted a whole file instead of a name."""


MAX_SHOWN_PATH: Final = 400
"""A message shows at most this many characters of a path, from its end."""


def clip(text: str, limit: int) -> str:
    """Return the text, or its first `limit` characters and an ellipsis if it is longer."""
    return text if len(text) <= limit else f"{text[:limit]}…"


def clip_path(path: str | PurePath) -> str:
    """Return the path. If it is very long, return an ellipsis and the end of the path, which has the file's name."""
    text = str(path)
    return text if len(text) <= MAX_SHOWN_PATH else f"…{text[-MAX_SHOWN_PATH:]}"
