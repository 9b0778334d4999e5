"""Ends everything that keeps an old version, except threads, and drops the version. Follows code:purge/1.

As in OTP, processes are killed, whether they run the old version or only refer to it. In OTP, nothing else keeps old
code. In Python, other objects do: so timers and tasks without a process are cancelled, connections are closed, and
caches are cleared.

The tasks and processes that run the version are ended first. Then come the tasks that only refer to it, and at last the
processes that only refer to it. Each of these is ended only if it still refers to the version: a server, for example,
may have referred to the version only through the task of a connection. A thread can't be ended from outside.
"""

from __future__ import annotations

import asyncio
import functools
from asyncio import Task
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Purged, TaskInfo

from .caches import cache_title, clear_caches
from .connections import close_connections
from .holder_names import is_of_node, task_name
from .running import suspended_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from node_runtime.code.module import Namespace
    from node_runtime.protocol.messages import OldCodeHolder

    from .holders import HeldFindings
    from .old_versions import OldVersions
    from .running import ProcessAdapter

POLL_SECONDS: Final = 0.01
POLLS: Final = 300
"""After this many checks, processes and tasks that have not ended yet are reported as holders."""
RUNTIME: Final = "node_runtime."
"""The prefix of the names of the runtime's own modules; their tasks are left alone."""


async def end_old_code(
    old: OldVersions, processes: ProcessAdapter, module: str, check: Callable[[], None]
) -> Purged | None:
    """Purge the old version of a module; return None if it has none.

    The version is dropped at once or, if a frame still runs it, when that frame ends. The searches and waits take
    seconds, and an install may begin meanwhile. `check` raises `Refused` while nothing may be purged. If `check` raises
    after the first search, nothing is purged. If it raises later, the purge stops there.
    """
    mark = old.mark(module)
    if mark is None:
        return None
    known = WeakSet(_endable(processes))
    findings = await asyncio.to_thread(old.find_holders, [module])
    check()
    namespace = old.namespace(module)
    if namespace is None or old.mark(module) != mark:
        raise Refused(f"An install has replaced the old version of {module} meanwhile; list the modules again.")
    holders = findings.holders.get(module, [])
    may_go_on = partial(_may_go_on, old, module, mark, check)
    killed = _kill(processes, (one for one in holders if one.does.startswith("runs ")))
    ending, cancelled = _cancel(_running(old, processes, module))
    cancelled += _cancel_timers(namespace)
    closed = close_connections(namespace)
    cleared = tuple(map(cache_title, clear_caches([*findings.caches, *_caches(holders)])))
    del namespace
    found = await _found_after(old, module, ending, killed)
    # A holder that only refers to the version may have referred to it through an ended process or task. So each such
    # holder is ended now, and only if it still refers to the version. A holder that the first search did not find is
    # left alone: if an ended process is still listed and holds the version, every process that refers to the runtime
    # seems to hold the version, too.
    # An `id` still identifies the same task only for the tasks in `known`, which existed before the first search.
    ids = found.tasks.get(module, set()) & findings.tasks.get(module, set())
    ending = [task for task in known if id(task) in ids and not task.done()]
    if ending and may_go_on():
        ending, more = _cancel(ending)
        cancelled += more
        found = await _found_after(old, module, ending, ())
    pids = {one.pid for one in holders if one.kind == "process"}
    if may_go_on() and (later := _kill(processes, (one for one in found.holders.get(module, ()) if one.pid in pids))):
        killed |= later
        found = await _found_after(old, module, [], later)
    dropped = old.drop(module) if may_go_on() else old.mark(module) != mark
    names, left = tuple(killed.values()), tuple(found.holders.get(module, ()))
    return Purged(
        module=module,
        dropped=dropped,
        killed=names,
        cancelled=tuple(cancelled),
        left=left,
        cleared=cleared,
        closed=tuple(closed),
    )


async def _found_after(old: OldVersions, module: str, ending: list[Task[Any]], killed: Collection[int]) -> HeldFindings:
    """Wait until the tasks and the processes have ended; return the holders that the version has then."""
    await _wait_for_end(old, module, ending, killed)
    ending.clear()
    return await asyncio.to_thread(old.find_holders, [module])


def _running(old: OldVersions, processes: ProcessAdapter, module: str) -> list[Task[Any]]:
    """Return the tasks that run the old version. Another task may have the same name and run the current version."""
    runners = old.running([module]).get(module)
    return [] if runners is None else [task for task in _endable(processes) if task in runners.tasks]


def _endable(processes: ProcessAdapter) -> list[Task[Any]]:
    """Return the tasks that a purge may cancel: all except its own task and the node's own tasks."""
    asking = asyncio.current_task()
    return [task for task in processes.tasks() if task is not asking and not is_of_node(task)]


def _may_go_on(old: OldVersions, module: str, mark: tuple[int, float], check: Callable[[], None]) -> bool:
    """Return whether `mark` still identifies the old version of the module, and `check` permits its purge."""
    with suppress(Refused):
        check()
        return old.mark(module) == mark
    return False


def _kill(processes: ProcessAdapter, holders: Iterable[OldCodeHolder]) -> dict[int, str]:
    """Kill those holders that are processes; return their names by pid."""
    pids = {one.pid: one.name for one in holders if one.kind == "process" and one.pid is not None}
    return {pid: name for pid, name in pids.items() if processes.kill(pid)}


def _caches(holders: Iterable[OldCodeHolder]) -> list[str]:
    return [one.cache for one in holders if one.cache is not None]


async def _wait_for_end(old: OldVersions, module: str, ending: list[Task[Any]], killed: Collection[int]) -> None:
    for _ in range(POLLS):
        ended = all(task.done() for task in ending) and old.process_pids().isdisjoint(killed)
        if ended and not old.running([module]).get(module):
            break
        await asyncio.sleep(POLL_SECONDS)
    await asyncio.sleep(0)  # closed connections drop their protocols, and ended tasks their frames, in the next turn


def stray_tasks(processes: ProcessAdapter) -> list[TaskInfo]:
    """Return the tasks that no process owns or waits for. The runtime's own tasks are left out."""
    return [
        TaskInfo(name=task.get_name(), title=task_name(task), pid=processes.starter(task))
        for task in _without_owner(processes)
    ]


def cancel_tasks(processes: ProcessAdapter, name: str) -> list[str]:
    """Cancel those tasks called `name` that no process owns or waits for; return their titles."""
    return _cancel(task for task in _without_owner(processes) if task.get_name() == name)[1]


def _without_owner(processes: ProcessAdapter) -> Iterator[Task[Any]]:
    of_processes = {id(frame) for _, one in processes.suspended_coroutines() for frame in suspended_frames(one)}
    running = asyncio.current_task()
    for task in processes.tasks():
        frames = list(suspended_frames(task))
        own = frames[0].f_globals.get("__name__", "") if frames else ""
        if task is not running and not own.startswith(RUNTIME) and not any(id(one) in of_processes for one in frames):
            yield task


def _cancel(tasks: Iterable[Task[Any]]) -> tuple[list[Task[Any]], list[str]]:
    """Cancel the tasks; return them and their titles."""
    found = list(tasks)
    titles = [task_name(task) for task in found]
    for task in found:
        task.add_done_callback(_forget_frames)
        task.cancel()
    return found, titles


def _forget_frames(task: Task[Any]) -> None:
    """Drop the exception of a cancelled task: its traceback would keep the old version."""
    if task.cancelled():
        task._make_cancelled_error()  # type: ignore[attr-defined]  # there is no public method


def _cancel_timers(namespace: Namespace) -> list[str]:
    """Cancel the timers of the running event loop that call a function of the version."""
    cancelled = []
    for timer in list(getattr(asyncio.get_running_loop(), "_scheduled", ())):
        callback = timer._callback
        if not timer.cancelled() and any(each.__globals__ is namespace for each in _functions(callback)):
            timer.cancel()
            cancelled.append(f"a timer ({callback.__qualname__})" if hasattr(callback, "__qualname__") else "a timer")
    return cancelled


def _functions(callback: Any) -> Iterator[Any]:
    """Yield the function of a callback, also from inside a `functools.partial` or a bound method."""
    while isinstance(callback, functools.partial):
        callback = callback.func
    callback = getattr(callback, "__func__", callback)
    if hasattr(callback, "__globals__"):
        yield callback
