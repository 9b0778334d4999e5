"""Subclasses that a test makes from computed attributes, which a class statement cannot express."""

from __future__ import annotations

from typing import Any, TypeVar

C = TypeVar("C")


def subclass(name: str, base: type[C], /, **attributes: object) -> type[C]:
    """Returns the class that `class name(base)` with these attributes would define."""
    metaclass: Any = type(base)
    made: type[C] = metaclass(name, (base,), attributes)
    return made
