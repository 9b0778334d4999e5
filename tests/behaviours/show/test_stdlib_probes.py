"""Fingerprints of standard library objects: changes are seen when nothing else runs."""

from __future__ import annotations

import argparse
import array
import asyncio
import configparser
import functools
import io
import itertools
import queue
import random
import threading
import types
import weakref
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from node_runtime.behaviours.show.fingerprint import Fingerprint, fingerprint
from tests.support.waiting import begun


class Labelled(dict[str, int]):
    label = ""


class Other(Labelled):
    pass


class Holder:
    def __init__(self) -> None:
        self.count = 0

    def method(self) -> None: ...


def closure() -> Callable[[], Any]:
    seen = [1]
    return lambda: seen


def numbers() -> Iterator[int]:
    yield from range(3)


KEPT = Holder()


def kept_weakly() -> weakref.WeakSet[Holder]:
    return weakref.WeakSet()


CHANGES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "a namespace": (types.SimpleNamespace, lambda it: setattr(it, "count", 1)),
    "arguments": (argparse.Namespace, lambda it: setattr(it, "count", 1)),
    "an attribute of a dict": (Labelled, lambda it: setattr(it, "label", "new")),
    "a class": (Labelled, lambda it: setattr(it, "__class__", Other)),
    "an order": (lambda: OrderedDict(a=1, b=2), lambda it: it.move_to_end("a")),
    "a default": (lambda: defaultdict(list), lambda it: setattr(it, "default_factory", None)),
    "a closure": (closure, lambda it: it().append(2)),
    "a partial": (lambda: functools.partial(print, end=""), lambda it: it.keywords.update(sep="")),
    "a method's object": (lambda: Holder().method, lambda it: setattr(it.__self__, "count", 1)),
    "an iterator": (lambda: iter([1, 2]), next),
    "a generator": (numbers, next),
    "a count": (itertools.count, next),
    "a chain": (lambda: itertools.chain([[1], 2]), next),
    "a random generator": (lambda: random.Random(1), lambda it: it.random()),
    "an array": (lambda: array.array("i", [1]), lambda it: it.append(2)),
    "a view": (lambda: memoryview(bytearray(b"ab")), lambda it: it.__setitem__(0, 9)),
    "a text file": (io.StringIO, lambda it: it.write("a")),
    "a bytes file": (io.BytesIO, lambda it: it.write(b"a")),
    "a lock": (threading.Lock, lambda it: it.acquire()),
    "a lock of one thread": (threading.RLock, lambda it: it.acquire()),
    "an event": (threading.Event, lambda it: it.set()),
    "a queue": (queue.Queue, lambda it: it.put(1)),
    "a simple queue": (queue.SimpleQueue, lambda it: it.put(1)),
    "an event of the loop": (asyncio.Event, lambda it: it.set()),
    "a weak set": (kept_weakly, lambda it: it.add(KEPT)),
    "a configuration": (configparser.ConfigParser, lambda it: it.set("DEFAULT", "a", "b")),
    "an element": (lambda: ElementTree.Element("a"), lambda it: it.set("b", "c")),
    "a mapping": (lambda: types.MappingProxyType({"a": [1]}), lambda it: it["a"].append(2)),
}  # fmt: skip


def noted(value: object) -> Fingerprint:
    found = fingerprint({"here": value}, seconds=10, alone=True)
    assert found is not None
    return found


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_object_is_detected_and_an_unchanged_one_fits(what: str) -> None:
    make, change = CHANGES[what]
    value = make()
    before = noted(value)
    assert before.still_fits()
    assert before.still_fits()
    change(value)
    assert not before.still_fits()


async def test_changes_of_the_event_loops_schedule_are_detected() -> None:
    loop = asyncio.get_running_loop()
    timer, future = loop.call_later(1000, print), loop.create_future()
    task = loop.create_task(asyncio.Event().wait())
    await begun(task)
    for value in (timer, future, task):
        if type(value).__module__ == "uvloop.loop":
            continue  # its timers are all in C, where they cannot be read
        before = noted(value)
        assert before.still_fits()
        value.cancel()
        assert not before.still_fits()


def test_a_held_lock_is_detected() -> None:
    lock, event = threading.RLock(), threading.Event()
    assert not noted([lock, event]).held
    with lock:
        assert noted([event, lock]).held


def test_changes_by_other_running_code_are_not_detected() -> None:
    events = (threading.Event(), asyncio.Event())
    before = fingerprint([threading.Lock(), *events], seconds=10)
    assert before is not None
    for one in events:
        one.set()
    assert before.still_fits()
