"""A Python value on the wire: what a node shows of a state."""

from __future__ import annotations

from .struct import Struct


class Term(Struct, frozen=True):
    """A Python value as the node describes it: data to be shown, never code to be run.

    `text` is the short form; `items` are the labelled parts of a container or an object; `cut` counts parts
    that were left out because the value was too large.
    """

    type: str
    text: str = ""
    items: tuple[tuple[str, Term], ...] = ()
    cut: int = 0
