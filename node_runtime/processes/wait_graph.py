"""The wait-for graph of the processes.

A wait that would close a cycle raises Deadlock at once. So the caller needs no timeout, and learns which processes
wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from .errors import Deadlock, Exit
from .process import DEAD, MailItem, Process
from .reply_future import AnyReplyFuture

WaitingTask: TypeAlias = "asyncio.Task[Any] | None"


def begin_waiting(caller: Process, process: Process, item: MailItem) -> WaitingTask:
    """Record that the current task of `caller` waits for the reply to `item`; returns the task, for `end_waiting`."""
    task = asyncio.current_task(caller.runtime.loop)
    if caller.awaited_calls is None:
        caller.awaited_calls = {task: (process, item)}
    else:
        caller.awaited_calls[task] = (process, item)
    return task


def end_waiting(caller: Process, task: WaitingTask) -> None:
    """Undo `begin_waiting`."""
    if caller.awaited_calls is not None:
        caller.awaited_calls.pop(task, None)
        if not caller.awaited_calls:
            caller.awaited_calls = None


def refuse_deadlock(caller: Process | None, process: Process) -> None:
    """Raise Deadlock if `process` is `caller`, or waits for `caller` directly or through other processes.

    Only waits in callbacks count. Another task of `caller` may call `caller`, or a process that waits for `caller`.
    """
    if caller is not None and _in_callback(caller) and (path := _wait_path(process, caller)):
        raise _deadlock([caller, *path[:-1]])


async def wait_for_end(process: Process, stop_request: MailItem | None = None) -> object:
    """Wait for the end of the process and return its reason.

    `stop_request` is the request to end that the process has got, if any. If the process waits in a call for the
    calling process, this call fails with Deadlock. If the process later begins to wait for the end of the calling
    process, `wait_for_end` raises Deadlock.
    """
    if process.run_state is DEAD:
        return process.reason
    node = process.runtime
    stop_request = stop_request or (None, None, None, node.loop.create_future())  # no request was sent
    future = stop_request[3]
    assert future is not None
    ref = node.watch(process, lambda reason: None if future.done() else future.set_result(reason))
    caller = node.calling_process()
    if caller is not None:
        _break_cycle(caller, process)
    waiting = None if caller is None else begin_waiting(caller, process, stop_request)
    try:
        await future
    except Exit:
        if process.run_state is not DEAD:
            raise
    finally:
        if caller is not None:
            end_waiting(caller, waiting)
        if process.watchers is not None:
            process.watchers.pop(ref, None)
    return process.reason


async def wait_for_ends(processes: Iterable[Process]) -> None:
    """Wait until all the processes have ended.

    If one of the processes is in a call that waits for the calling process, that call fails with Deadlock.
    """
    left = {process: None for process in processes if process.run_state is not DEAD}
    caller = next(iter(left)).runtime.calling_process() if left else None
    if caller is not None:
        caller.awaited_exits = left
        for process in left:
            _break_cycle(caller, process)
    try:
        for process in left:
            await wait_for_end(process)
    finally:
        if caller is not None:
            caller.awaited_exits = None


def _break_cycle(caller: Process, process: Process) -> None:
    # A wait for an end can't be refused, unlike a call, because a supervisor has to end its children. So the wait
    # begins, and one of the calls in the cycle fails.
    if not process.awaited_calls or not _in_callback(caller):
        return
    path = _wait_path(process, caller)
    cycle = path[:-1]
    for index in range(len(cycle) - 1, -1, -1):
        waiting, called = cycle[index], path[index + 1]
        item = (waiting.awaited_calls or {})[waiting.task][1]
        if item[3] is not None and not item[3].done():
            _withdraw(called, item)
            item[3].set_exception(_deadlock([*cycle[index:], caller, *cycle[:index]]))
            return


def _withdraw(process: Process, item: MailItem) -> None:
    """Remove a request from a mailbox, if it is still there."""
    mail = process.mail
    # A request is recognised by its future, because an upgrade may have replaced the entry.
    if mail and any(queued[3] is item[3] for queued in mail):
        kept = [queued for queued in mail if queued[3] is not item[3]]
        mail.clear()  # the same queue object: its reader holds a reference to it
        mail.extend(kept)


def _in_callback(caller: Process) -> bool:
    return caller.task is not None and asyncio.current_task() is caller.task


def _deadlock(cycle: list[Process]) -> Deadlock:
    return Deadlock([(process.pid, process.title()) for process in cycle])


def _wait_path(start: Process, goal: Process) -> list[Process]:
    """Return the path in the graph from `start` to `goal`, both included; empty if `start` doesn't wait for `goal`."""
    if start is goal:
        return [goal]
    before: dict[Process, Process | None] = {start: None}
    ahead = [start]
    while ahead:
        process = ahead.pop()
        waits_for = process.waits_for()
        if goal in waits_for:
            path, found = [goal], before[process]
            path.append(process)
            while found is not None:
                path.append(found)
                found = before[found]
            return path[::-1]
        for other in waits_for:
            if other not in before:
                before[other] = process
                ahead.append(other)
    return []


@contextmanager
def waiting_for(process: Process, until: AnyReplyFuture | None = None) -> Iterator[None]:
    """Record, inside the block, that the calling process waits for the end of a callback of `process`. Raises Deadlock.

    If the two processes begin to wait for each other inside the block, the future `until` fails with Deadlock.
    """
    caller = process.runtime.calling_process()
    refuse_deadlock(caller, process)
    if caller is None:
        yield
        return
    task = begin_waiting(caller, process, (None, None, None, until))
    try:
        yield
    finally:
        end_waiting(caller, task)
