"""Shortens long texts for display."""

from __future__ import annotations


def clip(text: str, limit: int) -> str:
    """Return the text, or its first `limit` characters and an ellipsis if it is longer."""
    return text if len(text) <= limit else f"{text[:limit]}…"
