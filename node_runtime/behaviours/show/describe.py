"""A Python value as data to be shown, without running any code that belongs to it.

`describe` may be called by any thread at any moment, so it trusts nothing: `kinds` says how a value is read, and the
walk ends at limits of depth, parts, bytes and time. It takes no lock. What changes while it is read is shown as far as
it was read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from node_runtime.protocol.messages import Term

from .time_budget import Budget
from .value_readers import CUT, OPAQUE, Kinds, escape, label

REDACTED: Final = "‹redacted›"
CYCLE: Final = "‹cycle›"
_EMPTY: Final = {"dict": "{}", "list": "[]", "tuple": "()", "set": "set()", "frozenset": "frozenset()"}

SECRET: Final = re.compile(r"passw|secret|token|key|cookie|credential", re.IGNORECASE)


@dataclass(slots=True)
class Limits:
    """How much of a value is shown: `depth` of nesting, `parts` of one container, `terms` and `size` (in characters)
    of everything together, `text` of one string, and `seconds` for the walk."""

    depth: int = 12
    parts: int = 200
    terms: int = 5000
    size: int = 200_000
    text: int = 1000
    seconds: float = 0.05


def describe(value: object, limits: Limits | None = None, kinds: Kinds | None = None) -> Term:
    """`value` as a Term. Never raises, never calls into the value's classes.

    Parts whose name sounds like a secret's ("password", "secret", "token", "key", "cookie", "credential") are replaced.
    Who describes many values of the same classes in a row gives the same `kinds` for all of them.
    """
    return _Walk(limits or Limits(), kinds or Kinds()).term(value, 0)


@dataclass(slots=True)
class _Walk:
    limits: Limits
    kinds: Kinds
    terms: int = 0
    size: int = 0
    path: set[int] = field(default_factory=set)
    budget: Budget = field(init=False)

    def __post_init__(self) -> None:
        self.budget = Budget(self.limits.seconds)

    def term(self, value: object, depth: int) -> Term:
        """`value` and its parts."""
        kind = self.kinds.of(type(value))
        self.size += len(kind.name) + 8
        if kind.write is not None:
            text = escape(kind.write(value, self.limits.text))
            self.size += len(text) + 8
            return Term(type=kind.name, text=text)
        if id(value) in self.path:
            return Term(type=kind.name, text=CYCLE)
        length, parts = kind.parts(value)
        if parts is None:
            return Term(type=kind.name, text=OPAQUE)
        if depth >= self.limits.depth:
            return Term(type=kind.name, text=CUT, cut=length)
        self.path.add(id(value))
        items = self._items(parts, depth)
        self.path.discard(id(value))
        text = _EMPTY.get(kind.name, "") if length == 0 else ""
        return Term(type=kind.name, text=text, items=items, cut=max(0, length - len(items)))

    def _items(self, parts: Iterable[tuple[object, object]], depth: int) -> tuple[tuple[str, Term], ...]:
        items: list[tuple[str, Term]] = []
        try:
            for name, part in islice(parts, self.limits.parts):
                if self._spent():
                    break
                shown, secret = self._label(name)
                self.size += len(shown) + 8
                if secret:
                    items.append((shown, Term(type=self.kinds.of(type(part)).name, text=REDACTED)))
                else:
                    items.append((shown, self.term(part, depth + 1)))
        except RuntimeError:
            pass  # the container changed while another thread read it
        return tuple(items)

    def _label(self, name: object) -> tuple[str, bool]:
        if type(name) is str and (known := self.kinds.labels.get(name)) is not None:
            return known
        shown = label(name, self.kinds)
        found = shown, type(name) is not int and SECRET.search(shown) is not None
        if type(name) is str:
            self.kinds.labels[name] = found
        return found

    def _spent(self) -> bool:
        self.terms += 1
        limits = self.limits
        return self.terms > limits.terms or self.size > limits.size or self.budget.is_over()
