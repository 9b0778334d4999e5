"""Imports of modules that a test writes to disk itself, which no type checker can find."""

from __future__ import annotations

from typing import Any


def imported(name: str) -> Any:
    """Returns what the statement `import name` binds: the module, or the top package of a dotted name."""
    return __import__(name)
