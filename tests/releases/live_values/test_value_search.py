"""The search through values: cycles, depth, odd values, and its limits."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import threading
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from node_runtime.protocol.messages import Rehearsal
from node_runtime.releases.live_values.replaced_code import ReplacedCode
from node_runtime.releases.live_values.value_path import path_to
from node_runtime.releases.live_values.value_search import SLICE, ValueSearch
from node_runtime.releases.rehearsal import needs_consent


class Thing:
    """A class that goes: the new version of this module has no class of this name."""


class Hostile:
    """A class whose objects run code wherever they can."""

    def refuse(self, *args: object) -> NoReturn:
        raise AssertionError("code of the value ran")

    __eq__ = __hash__ = __repr__ = __iter__ = __len__ = __bool__ = __getattr__ = refuse

    @property  # type: ignore[misc]  # read-only, on purpose
    def __class__(self) -> Any:
        return self.refuse()


CODE = ReplacedCode({__name__: {}}, {__name__: {"Hostile": Hostile}})


def paths(*roots: object) -> dict[int, list[str]]:
    """The paths to the values that go below each root."""
    search = ValueSearch(CODE, 60.0)
    search.run(roots)
    assert search.missed == set()
    return {number: [path_to(one.value, one.trail) for one in each.values()] for number, each in search.found.items()}


def nested(depth: int, value: object) -> object:
    for _ in range(depth):
        value = [value]
    return value


def test_a_cycle_and_a_depth_of_100_000_are_searched() -> None:
    ring: list[object] = []
    ring += [ring, {"ring": ring, "thing": Thing()}]
    deep = nested(100_000, Thing())
    assert paths(ring, deep) == {0: ["[1]['thing']"], 1: ["[0][0][0][0][0][0]…[0][0][0][0][0][0]"]}


def test_no_code_of_the_values_runs() -> None:
    thing = Thing()
    holder: Any = object.__new__(Hostile)
    object.__setattr__(holder, "part", thing)
    assert paths([holder], {1: holder}) == {0: ["[0].part"], 1: ["[1].part"]}


def test_the_whole_node_is_not_searched_from_a_logger_a_loop_a_thread_or_a_module() -> None:
    logger = logging.getLogger(__name__)
    logger.filters.append(Thing())  # type: ignore[arg-type]
    try:
        loop = asyncio.new_event_loop()
        state = SimpleNamespace(logger=logger, loop=loop, thread=threading.current_thread(), module=logging)
        assert paths(state) == {}
        loop.close()
    finally:
        logger.filters.clear()


def test_code_that_a_connection_and_an_exit_stack_hold_is_found() -> None:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection, contextlib.ExitStack() as stack:
        connection.row_factory = Thing  # type: ignore[assignment]  # any callable will do
        stack.callback(Thing)
        assert set(paths(connection, stack)) == {0, 1}


async def test_the_result_and_the_exception_of_an_ended_task_are_found_and_a_running_task_is_not_followed() -> None:
    async def give() -> Thing:
        return Thing()

    async def fail() -> None:
        raise ValueError(Thing())

    async def wait(thing: Thing) -> None:
        await asyncio.Event().wait()

    tasks = [asyncio.create_task(one) for one in (give(), fail(), wait(Thing()))]
    await asyncio.wait(tasks[:2])
    found = paths(*tasks)
    assert {number: len(each) for number, each in found.items()} == {0: 1, 1: 1}
    assert tasks[1].exception() is not None
    tasks[2].cancel()


def test_a_value_below_an_object_that_roots_share_is_found_for_each_of_them() -> None:
    shared = {"deep": [Thing()]}
    assert paths([shared], (1, shared), [2]) == {0: ["[0]['deep'][0]"], 1: ["[1]['deep'][0]"]}


def test_a_large_root_does_not_keep_the_others_from_their_turn() -> None:
    large = [[[number]] for number in range(SLICE)]
    assert paths(large, [Thing()], [*large[:1], Thing()]) == {1: ["[0]"], 2: ["[1]"]}


def test_roots_that_were_not_reached_in_time_are_counted_and_need_consent() -> None:
    search = ValueSearch(CODE, -1.0)
    search.run([[Thing()], [Thing()]])
    assert (search.found, search.missed) == ({}, {0, 1})
    rehearsal = Rehearsal(at=0.0, seconds=0.0, stopped=0.0, pause=0.0, processes=0, reached=0, not_searched=2)
    assert needs_consent(rehearsal) == "the values that 2 processes hold were not all searched for replaced code"


@pytest.mark.parametrize("odd", ["caf\udce9.txt", 2**200, float("nan"), b"\x00\xff", "\x1b[31m", "日本語"])
def test_odd_keys_are_shown_without_an_error(odd: object) -> None:
    (path,) = paths({odd: Thing()})[0]
    assert path.startswith("[")
    assert "\x1b" not in path
    path.encode()
