"""Shortens long texts for display."""

from __future__ import annotations

from typing import Final

MAX_SHOWN_NAME: Final = 80
"""A message shows so many characters of a name. A user may have pasted a whole file instead of a name."""


def clip(text: str, limit: int) -> str:
    """Return the text, or its first `limit` characters and an ellipsis if it is longer."""
    return text if len(text) <= limit else f"{text[:limit]}…"
