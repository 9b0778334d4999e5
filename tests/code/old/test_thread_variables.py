"""Reading the variables of other threads changes nothing in these threads."""

from __future__ import annotations

import sys
import threading
import weakref
from typing import TYPE_CHECKING

import pytest

from node_runtime.code import thread_variables

if TYPE_CHECKING:
    from collections.abc import Callable

    Wait = Callable[[], None]


class Thing:
    """An object to which weak references can be made."""


def keeps_its_locals(wait: Wait) -> object:
    value = "kept"
    mine = locals()
    wait()
    return mine["value"]


def evaluates_with_its_locals(wait: Wait) -> object:
    value = "kept"
    return eval("wait() or value", {}, locals())


def makes_a_variable_by_exec(wait: Wait) -> object:
    exec("made = 'kept'")
    wait()
    return eval("made")


def returned_while_read(work: Callable[[Wait], object]) -> object:
    """Return what `work(wait)` returns in a thread whose variables are read while it waits."""
    reached, opened, returned = threading.Event(), threading.Event(), list[object]()

    def wait() -> None:
        reached.set()
        assert opened.wait(60)

    thread = threading.Thread(target=lambda: returned.append(work(wait)), name="worker")
    thread.start()
    try:
        assert reached.wait(60)
        assert any(one.thread == "worker" for one in thread_variables())
    finally:
        opened.set()
        thread.join()
    return returned[0] if returned else None


@pytest.mark.parametrize(
    "work",
    [
        keeps_its_locals,
        evaluates_with_its_locals,
        pytest.param(
            makes_a_variable_by_exec,
            marks=pytest.mark.skipif(sys.version_info >= (3, 13), reason="exec makes no variables of a function"),
        ),
    ],
)
def test_a_thread_still_has_what_it_keeps_in_its_locals(work: Callable[[Wait], object]) -> None:
    assert returned_while_read(work) == "kept"


def test_a_variable_that_was_read_does_not_keep_its_value() -> None:
    values: list[weakref.ref[Thing]] = []

    def replaces_its_value(wait: Wait) -> object:
        thing = Thing()
        values.append(weakref.ref(thing))
        wait()
        del thing
        return values[0]() is None

    assert returned_while_read(replaces_its_value) is True
