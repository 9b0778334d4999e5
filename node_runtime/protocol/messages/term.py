"""Terms: descriptions of Python values, such as states, on the wire."""

from __future__ import annotations

from .struct import WireStruct


class Term(WireStruct, frozen=True):
    """A description of a Python value: data to be shown, never code to be run.

    `text` is the short form. `items` are the labelled parts of a container or an object. `cut` is the number of parts
    that are left out because the value is too large.
    """

    type: str
    text: str = ""
    items: tuple[tuple[str, Term], ...] = ()
    cut: int = 0
