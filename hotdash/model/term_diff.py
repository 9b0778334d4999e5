"""The differences between two states of a process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from node_runtime.protocol.messages import Term


@dataclass(frozen=True, slots=True)
class Change:
    """One difference, at a path of labels. `before` is None for an added part; `after` is None for a removed part."""

    kind: Literal["added", "removed", "changed"]
    path: tuple[str, ...]
    before: Term | None
    after: Term | None


def diff(before: Term, after: Term) -> tuple[Change, ...]:
    """Return the differences, each at the deepest path possible, in the order of the newer state.

    The removed parts of a container come after its other parts.
    """
    return tuple(_changes((), before, after))


def _changes(path: tuple[str, ...], before: Term, after: Term) -> Iterator[Change]:
    if before == after:
        return
    if before.type != after.type or not (_open(before) and _open(after)) or not (before.items or after.items):
        yield Change("changed", path, before, after)
        return
    was, now = _parts(before), _parts(after)
    for label, term in now.items():
        if label in was:
            yield from _changes((*path, label), was[label], term)
        else:
            yield Change("added", (*path, label), None, term)
    for label, term in was.items():
        if label not in now:
            yield Change("removed", (*path, label), term, None)
    if before.cut != after.cut:
        yield Change("changed", (*path, "left out"), _count(before.cut), _count(after.cut))


def _open(term: Term) -> bool:
    """Return whether a value is a container whose parts are known, or an empty container."""
    return bool(term.items) or (not term.cut and term.text in ("", "{}", "[]", "()", "set()"))


def _parts(term: Term) -> dict[str, Term]:
    """Return the parts by label. If several keys have the same short form, their labels are numbered."""
    parts: dict[str, Term] = {}
    for label, part in term.items:
        unique, number = label, 2
        while unique in parts:
            unique, number = f"{label} ({number})", number + 1
        parts[unique] = part
    return parts


def _count(number: int) -> Term:
    return Term(type="int", text=str(number))
