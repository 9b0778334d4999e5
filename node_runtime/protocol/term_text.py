"""A described value on one line."""

from __future__ import annotations

from typing import Final

from .messages import Term

_BRACKETS: Final = {"dict": ("{", ": ", "}"), "list": ("[", "", "]"), "tuple": ("(", "", ")"), "set": ("{", "", "}")}


def short(term: Term) -> str:
    """A value on one line; a container without a short form is told by its parts."""
    if term.text or not term.items:
        return term.text or f"{term.type} with nothing in it"
    begin, between, end = _BRACKETS.get(term.type, (f"{term.type}(", "=", ")"))
    inner = ", ".join(f"{name}{between}{short(part)}" if between else short(part) for name, part in term.items)
    more = f", … {term.cut} more" if term.cut else ""
    return f"{begin}{inner}{more}{end}"
