"""Threads that call modules during loads see one version or the next, and never an error."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from node_runtime.code import OldVersionHeld
from tests.support.written_modules import imported

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

LOADS = 1000
A = """
    import b
    from b import value as imported
    N = {n}
    def value():
        return N
    def both():
        from b import value as lazily
        import late.part
        return value(), b.value(), imported(), lazily(), late.part.value()
"""
B = """
    import a
    N = {n}
    def value():
        return N
"""


def load(app: App, n: int) -> None:
    """Load the next versions; a third one must wait until no thread runs the first."""
    sources = app.write(a=A.format(n=n), b=B.format(n=n)).values()
    deadline = time.monotonic() + 60
    while True:
        try:
            batch = app.server.prepare(sources)
        except OldVersionHeld as held:
            if time.monotonic() > deadline:
                pytest.fail(f"no moment for load {n} in 60 s: {held}")
        else:
            batch.commit()
            return


@pytest.mark.slow
def test_four_threads_see_no_error_in_a_thousand_loads(app: App) -> None:
    app.boot(a=A.format(n=0), b=B.format(n=0), late__part="def value():\n    return -1\n")
    a = imported("a")
    b = imported("b")
    stop = threading.Event()
    errors: list[BaseException] = []
    seen: list[set[int]] = [set() for _ in range(4)]

    def client(number: int) -> None:
        try:
            while not stop.is_set():
                *versions, late = a.both()
                assert set(map(type, versions)) == {int}
                assert late == -1
                assert isinstance(b.value(), int)
                seen[number].update(versions)
                time.sleep(0)  # yields at once, because five threads share one interpreter
                again = imported("a")
                assert again is a
        except BaseException as error:
            errors.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)  # threads are interrupted far more often
    threads = [threading.Thread(target=client, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        for n in itertools.takewhile(lambda n: not errors and n <= LOADS, itertools.count(1)):
            load(app, n)
            assert a.both() == (n, n, n, n, -1)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(before)
    assert not errors
    assert all(len(versions) > LOADS / 10 for versions in seen), "they called all the time, and not before or after"
