"""Terms as text on one line."""

from __future__ import annotations

from typing import Final

from .messages import Term

_BRACKETS: Final = {"dict": ("{", ": ", "}"), "list": ("[", "", "]"), "tuple": ("(", "", ")"), "set": ("{", "", "}")}


def term_line(term: Term) -> str:
    """Return a term on one line; a container without a short form is written as the list of its parts."""
    if term.text or not term.items:
        return term.text or f"empty {term.type}"
    begin, separator, end = _BRACKETS.get(term.type, (f"{term.type}(", "=", ")"))
    inner = ", ".join(
        f"{name}{separator}{term_line(part)}" if separator else term_line(part) for name, part in term.items
    )
    more = f", … {term.cut} more" if term.cut else ""
    return f"{begin}{inner}{more}{end}"
