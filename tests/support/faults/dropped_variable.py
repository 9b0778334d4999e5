"""A thread that drops the object in its variable right after a fork; the forked copy waits for the object's end."""

from __future__ import annotations

import os
import select
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager


class _Thing:
    """An object to which weak references can be made."""


@contextmanager
def dropped_after_the_next_fork() -> Iterator[None]:
    """In the block, a thread drops its object after the first fork, and copies start only when it is finalized."""
    reader, writer = os.pipe()
    has_it, may_drop, dropped = threading.Event(), threading.Event(), threading.Event()
    is_next, is_over = True, False

    def keep() -> None:
        thing = _Thing()
        weakref.finalize(thing, os.write, writer, b".")
        has_it.set()
        may_drop.wait()
        del thing
        dropped.set()

    def in_child() -> None:
        if not is_over:
            select.select([reader], [], [])

    def in_parent() -> None:
        nonlocal is_next
        if is_next:
            is_next = False
            may_drop.set()
            dropped.wait()

    thread = threading.Thread(target=keep, name="keeper")
    thread.start()
    has_it.wait()
    os.register_at_fork(after_in_child=in_child, after_in_parent=in_parent)
    try:
        yield
    finally:
        is_next, is_over = False, True
        may_drop.set()
        thread.join()
        os.close(reader)
        os.close(writer)
