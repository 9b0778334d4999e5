"""Functions of an old version that only C code refers to: the search for holders names them."""

from __future__ import annotations

import atexit
import ctypes
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from node_runtime.code import OldVersionHeld
from tests.support.written_modules import imported

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

TEXT = """
    N = {n}
    def lower(*given):
        return N
    class Sum:
        def step(self, value): ...
        def finalize(self):
            return N
    class Box:
        def lower(self, *given):
            return N
        def __call__(self, *given):
            return N
    BOX = Box()
"""


def holders(app: App, module: str = "a") -> list[str]:
    return [f"{one.name} {one.does}" for one in app.server.holders(module)]


@contextmanager
def registered_at_exit(a: Any) -> Iterator[None]:
    lower = a.lower
    atexit.register(lower)
    yield
    atexit.unregister(lower)


@contextmanager
def profiling(a: Any) -> Iterator[None]:
    before = sys.getprofile()
    sys.setprofile(a.lower)
    yield
    sys.setprofile(before)


def in_sqlite(register: Callable[[sqlite3.Connection, Any], object]) -> Callable[[Any], Any]:
    @contextmanager
    def registered(a: Any) -> Iterator[None]:
        connection = sqlite3.connect(":memory:")
        register(connection, a)
        yield
        connection.close()

    return registered


REGISTRATIONS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "create_function": ("a.lower", in_sqlite(lambda db, a: db.create_function("f", 1, a.lower))),
    "a bound method": (
        "the bound method a.Box.lower",
        in_sqlite(lambda db, a: db.create_function("f", 1, a.BOX.lower)),
    ),
    "a partial": ("a.lower", in_sqlite(lambda db, a: db.create_function("f", 1, partial(a.lower, 1)))),
    "an instance": ("an instance of a.Box", in_sqlite(lambda db, a: db.create_function("f", 1, a.Box()))),
    "create_aggregate": ("class a.Sum", in_sqlite(lambda db, a: db.create_aggregate("f", 1, a.Sum))),
    "create_collation": ("a.lower", in_sqlite(lambda db, a: db.create_collation("f", a.lower))),
    "set_authorizer": ("a.lower", in_sqlite(lambda db, a: db.set_authorizer(a.lower))),
    "set_progress_handler": ("a.lower", in_sqlite(lambda db, a: db.set_progress_handler(a.lower, 1000))),
    "set_trace_callback": ("a.lower", in_sqlite(lambda db, a: db.set_trace_callback(a.lower))),
    "atexit.register": ("a.lower", registered_at_exit),
    "sys.setprofile": ("a.lower", profiling),
}


@pytest.mark.parametrize("way", REGISTRATIONS)
def test_what_c_code_keeps_of_an_old_version_is_named(app: App, way: str) -> None:
    kept, registered = REGISTRATIONS[way]
    app.boot(a=TEXT.format(n=1))
    with registered(imported("a")):
        app.load(a=TEXT.format(n=2))
        assert holders(app) == [f"C code, such as sqlite3 or atexit, holds {kept}"]
        with pytest.raises(OldVersionHeld) as refused:
            app.prepare(a=TEXT.format(n=3))
        assert [one.name for one in refused.value.holders] == ["C code, such as sqlite3 or atexit,"]
    assert app.server.soft_purge("a")


def test_what_c_code_keeps_is_named_beside_other_holders(app: App) -> None:
    app.boot(a=TEXT.format(n=1), b="KEPT = []")
    imported("b").KEPT.append(imported("a").lower)
    with in_sqlite(lambda db, a: db.create_function("f", 1, a.BOX.lower))(imported("a")):
        app.load(a=TEXT.format(n=2))
        assert holders(app) == [
            "b.KEPT holds a.lower", "C code, such as sqlite3 or atexit, holds the bound method a.Box.lower"
        ]  # fmt: skip


def test_a_callback_of_ctypes_is_named_after_the_variable_that_has_it(app: App) -> None:
    app.boot(a=TEXT.format(n=1), b="CALLBACK = None")
    imported("b").CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int)(imported("a").lower)
    app.load(a=TEXT.format(n=2))
    assert holders(app) == ["b.CALLBACK holds a.lower"]


def test_a_function_that_a_thread_runs_is_not_one_that_c_code_keeps(app: App) -> None:
    app.boot(a="def wait(begun, gate):\n    begun.set()\n    gate.wait()\n")
    begun, gate = threading.Event(), threading.Event()
    thread = threading.Thread(target=imported("a").wait, args=(begun, gate), name="waiting")
    thread.start()
    try:
        assert begun.wait(20)
        app.load(a="def wait(): ...")
        assert holders(app) == ["thread waiting runs a"]
    finally:
        gate.set()
        thread.join()
