"""Who waits for whom: so that a circle is an error that names everybody in it, and not a timeout."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

from .errors import Deadlock
from .process import Item, Process

Task: TypeAlias = "asyncio.Task[Any] | None"


THE_END: Final[Item] = (None, None, None, None)
"""In place of a request: nothing was asked, somebody waits until the process has ended."""
A_PAUSE: Final[Item] = (None, None, None, None)
"""The same until its callback has ended."""


def begin_waiting(me: Process, process: Process, item: Item) -> Task:
    """From now on the current task of `me` waits for the answer to `item`. Pass what it returns to `end_waiting`."""
    task = asyncio.current_task(me.runtime.loop)
    if me.calling is None:
        me.calling = {task: (process, item)}
    else:
        me.calling[task] = (process, item)
    return task


def end_waiting(me: Process, task: Task) -> None:
    """Undo `begin_waiting`."""
    if me.calling is not None:
        me.calling.pop(task, None)
        if not me.calling:
            me.calling = None


def refuse_deadlock(me: Process | None, process: Process) -> None:
    """Raise Deadlock if `process` can't answer before `me` has been answered.

    A task that a process has started on the side may ask it, or whoever waits for it: its callbacks don't wait.
    """
    if me is None or me.task is None or asyncio.current_task() is not me.task:
        return
    circle: list[Process] = [me]
    asked: Process | None = process
    while asked is not None and asked is not me and asked not in circle:
        circle.append(asked)
        asked = asked.waits_for()
    if asked is me:
        raise Deadlock([(one.pid, one.title()) for one in circle])


@contextmanager
def waiting_for(process: Process) -> Iterator[None]:
    """Inside, the calling process waits until `process` is between two callbacks. Raises Deadlock."""
    me = process.runtime.me()
    refuse_deadlock(me, process)
    if me is None:
        yield
        return
    task = begin_waiting(me, process, A_PAUSE)
    try:
        yield
    finally:
        end_waiting(me, task)
