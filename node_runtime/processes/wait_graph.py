"""Who waits for whom: so that a circle is an error that names everybody in it, and not a timeout."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from .errors import Deadlock, Exit
from .process import DEAD, Item, Process
from .reply_future import Awaited

Task: TypeAlias = "asyncio.Task[Any] | None"


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
    if me is not None and _in_callback(me) and (way := _way(process, me)):
        raise _deadlock([me, *way[:-1]])


async def end_of(process: Process, asked: Item | None = None) -> object:
    """Wait for the end of the process, which may have been `asked` for it; returns its reason.

    If that one waits for the calling process, it is told: neither could ever go on. So is the calling process, if that
    one begins to wait for its end: then this raises Deadlock.
    """
    if process.gate is DEAD:
        return process.reason
    node = process.runtime
    asked = asked or (None, None, None, node.loop.create_future())  # nothing was asked
    future = asked[3]
    assert future is not None
    ref = node.watch(process, lambda reason: None if future.done() else future.set_result(reason))
    me = node.me()
    if me is not None:
        _break_circle(me, process)
    waiting = None if me is None else begin_waiting(me, process, asked)
    try:
        await future
    except Exit:
        if process.gate is not DEAD:
            raise
    finally:
        if me is not None:
            end_waiting(me, waiting)
        if process.watchers is not None:
            process.watchers.pop(ref, None)
    return process.reason


async def ends_of(processes: Iterable[Process]) -> None:
    """Wait for the ends of all of them, none of which can wait for the calling process meanwhile."""
    left = {process: None for process in processes if process.gate is not DEAD}
    me = next(iter(left)).runtime.me() if left else None
    if me is not None:
        me.ending = left
        for process in left:
            _break_circle(me, process)
    try:
        for process in left:
            await end_of(process)
    finally:
        if me is not None:
            me.ending = None


def _break_circle(me: Process, process: Process) -> None:
    # Who waits for an end can't be refused as who asks is: a supervisor's children have to end.
    if not process.calling or not _in_callback(me):
        return
    way = _way(process, me)
    circle = way[:-1]
    for place in range(len(circle) - 1, -1, -1):
        asker, asked = circle[place], way[place + 1]
        item = (asker.calling or {})[asker.task][1]
        if item[3] is not None and not item[3].done():
            _take_back(asked, item)
            item[3].set_exception(_deadlock([*circle[place:], me, *circle[:place]]))
            return


def _take_back(process: Process, item: Item) -> None:
    """Take a request out of a mailbox, if it is still there."""
    mail = process.mail
    if mail and any(queued is item for queued in mail):
        kept = [queued for queued in mail if queued is not item]
        mail.clear()  # the same queue, for its reader has it in hand
        mail.extend(kept)


def _in_callback(me: Process) -> bool:
    return me.task is not None and asyncio.current_task() is me.task


def _deadlock(circle: list[Process]) -> Deadlock:
    return Deadlock([(one.pid, one.title()) for one in circle])


def _way(start: Process, goal: Process) -> list[Process]:
    """Those who wait for one another from `start` to `goal`, both included; empty if `start` waits for others only."""
    if start is goal:
        return [goal]
    before: dict[Process, Process | None] = {start: None}
    ahead = [start]
    while ahead:
        one = ahead.pop()
        waits_for = one.waits_for()
        if goal in waits_for:
            way, found = [goal], before[one]
            way.append(one)
            while found is not None:
                way.append(found)
                found = before[found]
            return way[::-1]
        for other in waits_for:
            if other not in before:
                before[other] = one
                ahead.append(other)
    return []


@contextmanager
def waiting_for(process: Process, until: Awaited | None = None) -> Iterator[None]:
    """Inside, the calling process waits until `process` is between two callbacks. Raises Deadlock.

    If they come to wait for each other meanwhile, `until` fails with it.
    """
    me = process.runtime.me()
    refuse_deadlock(me, process)
    if me is None:
        yield
        return
    task = begin_waiting(me, process, (None, None, None, until))
    try:
        yield
    finally:
        end_waiting(me, task)
