"""State classes with nested values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Item:
    """A part of a state."""

    price: float
    count: int = 1


@dataclass(frozen=True)
class Basket:
    """A state with items in a list, and one that may be missing."""

    items: list[Item]
    names: dict[str, tuple[int, bool]]
    first: Item | None = None
