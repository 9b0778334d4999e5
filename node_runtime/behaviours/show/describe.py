"""Python values as data for display, read without running any code that belongs to them.

Any thread may call `describe` at any moment, and none of the values is trusted. `value_readers` reads the values, and
limits of depth, parts, size and time end the walk through them. `describe` takes no lock: a container that changes
during the walk is shown as far as it was read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from node_runtime.protocol.messages import Term

from .time_budget import TimeBudget
from .value_readers import ELLIPSIS, OPAQUE, ValueReaders, escape, label

REDACTED: Final = "‹redacted›"
CYCLE: Final = "‹cycle›"
_EMPTY: Final = {"dict": "{}", "list": "[]", "tuple": "()", "set": "set()", "frozenset": "frozenset()"}

SECRET_NAME: Final = re.compile(r"passw|secret|token|key|cookie|credential", re.IGNORECASE)


@dataclass(slots=True)
class DescribeLimits:
    """The limits of a description.

    `depth` limits the nesting, `parts` the parts of one container, `terms` and `size` (in characters) the whole
    description, `text` (in characters) one string, and `seconds` the time of the walk.
    """

    depth: int = 12
    parts: int = 200
    terms: int = 5000
    size: int = 200_000
    text: int = 1000
    seconds: float = 0.05


def describe(value: object, limits: DescribeLimits | None = None, readers: ValueReaders | None = None) -> Term:
    """Return `value` as a Term. Never raises, and never calls a function of the value's classes.

    Parts whose names suggest a secret ("password", "secret", "token", "key", "cookie", "credential") are redacted. A
    caller that describes many values of the same classes in a row passes the same `readers` for all of them.
    """
    return _Describer(limits or DescribeLimits(), readers or ValueReaders()).term(value, 0)


@dataclass(slots=True)
class _Describer:
    limits: DescribeLimits
    readers: ValueReaders
    terms: int = 0
    size: int = 0
    path: set[int] = field(default_factory=set)
    budget: TimeBudget = field(init=False)

    def __post_init__(self) -> None:
        self.budget = TimeBudget(self.limits.seconds)

    def term(self, value: object, depth: int) -> Term:
        """Return `value` and its parts as a Term."""
        reader = self.readers.of(type(value))
        self.size += len(reader.name) + 8
        if reader.write is not None:
            text = escape(reader.write(value, self.limits.text))
            self.size += len(text) + 8
            return Term(type=reader.name, text=text)
        if id(value) in self.path:
            return Term(type=reader.name, text=CYCLE)
        length, parts = reader.parts(value)
        if parts is None:
            return Term(type=reader.name, text=OPAQUE)
        if depth >= self.limits.depth:
            return Term(type=reader.name, text=ELLIPSIS, cut=length)
        self.path.add(id(value))
        items = self._items(parts, depth)
        self.path.discard(id(value))
        text = _EMPTY.get(reader.name, "") if length == 0 else ""
        return Term(type=reader.name, text=text, items=items, cut=max(0, length - len(items)))

    def _items(self, parts: Iterable[tuple[object, object]], depth: int) -> tuple[tuple[str, Term], ...]:
        items: list[tuple[str, Term]] = []
        try:
            for name, part in islice(parts, self.limits.parts):
                if self._limit_reached():
                    break
                shown, is_secret = self._label(name)
                self.size += len(shown) + 8
                if is_secret:
                    items.append((shown, Term(type=self.readers.of(type(part)).name, text=REDACTED)))
                else:
                    items.append((shown, self.term(part, depth + 1)))
        except RuntimeError:
            pass  # the container changed while another thread read it
        return tuple(items)

    def _label(self, name: object) -> tuple[str, bool]:
        if type(name) is str and (known := self.readers.labels.get(name)) is not None:
            return known
        shown = label(name, self.readers)
        labelled = shown, type(name) is not int and SECRET_NAME.search(shown) is not None
        if type(name) is str:
            self.readers.labels[name] = labelled
        return labelled

    def _limit_reached(self) -> bool:
        self.terms += 1
        limits = self.limits
        return self.terms > limits.terms or self.size > limits.size or self.budget.is_spent()
