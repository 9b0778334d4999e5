"""Huge values: whatever a state consists of, its description has a bounded size and is made without copies of it."""

from __future__ import annotations

import decimal
import pathlib
import tracemalloc
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from node_runtime.behaviours.show.describe import DescribeLimits, describe
from node_runtime.protocol.messages import Term
from node_runtime.protocol.wire import pack

MAX_BYTES = 1 << 20
"""Bytes of a packed description, and of the memory that it takes to make one; each value here has more than that."""
WITHOUT_TIME_LIMIT = DescribeLimits(seconds=60.0)


def nested(depth: int) -> list[Any]:
    outermost: list[Any] = []
    inner = outermost
    for _ in range(depth):
        inner.append([])
        inner = inner[0]
    return outermost


VALUES: dict[str, Callable[[], Any]] = {
    "a text": lambda: "x" * 20_000_000,
    "a text of control characters": lambda: "\x01" * 20_000_000,
    "a text of surrogates": lambda: "\udfff" * 20_000_000,
    "bytes": lambda: b"\xff" * 20_000_000,
    "a bytearray": lambda: bytearray(20_000_000),
    "an integer": lambda: 1 << 160_000_000,
    "a decimal": lambda: decimal.Decimal("1" * 5_000_000),
    "a path": lambda: pathlib.PurePosixPath("a/" * 2_000_000),
    "a dict": lambda: dict.fromkeys(range(300_000)),
    "a set": lambda: set(range(300_000)),
    "a deque": lambda: deque(range(300_000)),
    "an object": lambda: SimpleNamespace(**dict.fromkeys(map(str, range(300_000)))),
    "a deeply nested list": lambda: nested(300_000),
    "a long text as a key": lambda: {"k" * 20_000_000: 1},
    "an integer as a key": lambda: {1 << 160_000_000: 1},
    "a decimal as a key": lambda: {decimal.Decimal("1" * 5_000_000): 1},
    "many long texts": lambda: [["\U0010ffff" * 2000] * 200] * 200,
    "many lists of lists": lambda: [[[[0] * 200] * 200] * 200] * 200,
}
"""The values are made by the tests, so that the process of the tests does not keep half a gigabyte for all others."""


def terms_of(term: Term) -> int:
    return 1 + sum(terms_of(part) for _, part in term.items)


@pytest.mark.parametrize("kind", VALUES)
def test_a_description_is_small_and_makes_no_copy_of_the_value(kind: str) -> None:
    value = VALUES[kind]()
    tracemalloc.start()
    try:
        term = describe(value, WITHOUT_TIME_LIMIT)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    limits = DescribeLimits()
    assert len(pack(term)) < MAX_BYTES
    assert terms_of(term) <= limits.terms + limits.depth
    if not isinstance(value, pathlib.PurePath):  # a path makes its text by itself, once
        assert peak < 4 * MAX_BYTES


def test_all_attributes_of_a_large_object_are_counted() -> None:
    term = describe(SimpleNamespace(**{f"a{number}": number for number in range(5000)}))
    assert len(term.items) + term.cut == 5000
    assert term.items[0] == ("a0", Term(type="int", text="0"))
