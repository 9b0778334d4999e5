"""Huge values: whatever a state consists of, its description has a bounded size and is made without copies of it."""

from __future__ import annotations

import decimal
import pathlib
import tracemalloc
from collections import deque
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


VALUES: dict[str, Any] = {
    "a text": "x" * 20_000_000,
    "a text of control characters": "\x01" * 20_000_000,
    "a text of surrogates": "\udfff" * 20_000_000,
    "bytes": b"\xff" * 20_000_000,
    "a bytearray": bytearray(20_000_000),
    "an integer": 1 << 160_000_000,
    "a decimal": decimal.Decimal("1" * 5_000_000),
    "a path": pathlib.PurePosixPath("a/" * 2_000_000),
    "a dict": dict.fromkeys(range(300_000)),
    "a set": set(range(300_000)),
    "a deque": deque(range(300_000)),
    "an object": SimpleNamespace(**dict.fromkeys(map(str, range(300_000)))),
    "a deeply nested list": nested(300_000),
    "a long text as a key": {"k" * 20_000_000: 1},
    "an integer as a key": {1 << 160_000_000: 1},
    "a decimal as a key": {decimal.Decimal("1" * 5_000_000): 1},
    "many long texts": [["\U0010ffff" * 2000] * 200] * 200,
    "many lists of lists": [[[[0] * 200] * 200] * 200] * 200,
}


def terms_of(term: Term) -> int:
    return 1 + sum(terms_of(part) for _, part in term.items)


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_a_description_is_small_and_makes_no_copy_of_the_value(value: Any) -> None:
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
