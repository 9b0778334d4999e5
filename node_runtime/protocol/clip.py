"""Shortens long texts for display."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

MAX_SHOWN_NAME: Final = 80
"""A message shows so many characters of a name. A user may have pasted a whole file instead of a name."""


MAX_SHOWN_PATH: Final = 400
"""A message shows so many characters of the end of a path."""


def clip(text: str, limit: int) -> str:
    """Return the text, or its first `limit` characters and an ellipsis if it is longer."""
    return text if len(text) <= limit else f"{text[:limit]}…"


def clip_path(path: str | PurePath) -> str:
    """Return the path, or an ellipsis and its end if it is very long: the end has the name of the file."""
    text = str(path)
    return text if len(text) <= MAX_SHOWN_PATH else f"…{text[-MAX_SHOWN_PATH:]}"
