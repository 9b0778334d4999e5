"""Fingerprints of states: taken and compared without running any code of the state."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import pytest

from node_runtime.behaviours.show.fingerprint import fingerprint


@dataclass
class Order:
    lines: list[str] = field(default_factory=list)
    count: int = 0

    def __eq__(self, other: object) -> bool:
        raise AssertionError("it was compared by its own code")

    __hash__ = None  # type: ignore[assignment]  # nothing may ask for it either


@dataclass(slots=True)
class Slotted:
    inner: dict[str, Any]


def state() -> dict[str | int, Any]:
    ring: list[Any] = [1.5, b"x"]
    ring.append(ring)
    return {
        "order": Order(["a"]), "slotted": Slotted({"api_key": "1"}), "ring": ring, "buffer": bytearray(b"ab"),
        "queue": deque([1]), "set": {1, 2}, 3: "text" * 1000, "log": logging.getLogger("a"), "big": 2**5000,
    }  # fmt: skip


def test_an_unchanged_value_still_fits() -> None:
    value = state()
    noted = fingerprint(value, seconds=10)
    assert noted is not None
    logging.getLogger("a").info("loggers change by themselves")
    value["log"].isEnabledFor(logging.DEBUG)
    assert noted.still_fits()


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value["order"].lines.append("b"),
        lambda value: setattr(value["order"], "count", 1),
        lambda value: value["slotted"].inner.update(api_key="2"),
        lambda value: value["ring"].pop(),
        lambda value: value["buffer"].extend(b"c"),
        lambda value: value["queue"].append(2),
        lambda value: value["set"].add(3),
        lambda value: value.pop(3),
        lambda value: value.update(big=2**5000 + 1),
        lambda value: value.update(order=Order(["a"])),
        lambda value: value["order"].lines.__setitem__(0, True),
    ],
)
def test_every_change_is_detected(change: Any) -> None:
    value = state()
    noted = fingerprint(value, seconds=10)
    assert noted is not None
    change(value)
    assert not noted.still_fits()


def test_a_value_that_is_too_large_is_not_fingerprinted() -> None:
    assert fingerprint(list(range(1000)), seconds=10, max_parts=100) is None
    assert fingerprint([[1]] * 50, seconds=0.0) is None
