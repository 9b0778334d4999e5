"""Finds the processes, tasks and threads that run a version.

A process, task or thread runs a version if it has a frame whose globals are the version's namespace.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import threading
from asyncio import Future, Task, TaskGroup
from dataclasses import dataclass, field
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_ITERABLE_COROUTINE
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType, GeneratorType, MethodType
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from node_runtime.code.module import Namespace

_AWAITABLE_TYPE_NAMES = "async_generator_asend", "async_generator_athrow", "anext_awaitable", "coroutine_wrapper"
"""Types of objects between a frame and the generator that it awaits. Only `gc.get_referents` shows their contents."""

_MANAGERS: Any = (contextlib._GeneratorContextManager, contextlib._AsyncGeneratorContextManager)
_ENDS_WITH_FRAME = frozenset({MethodType, GeneratorType, AsyncGeneratorType, TaskGroup, Task, *_MANAGERS})
_WAIT_FOR_CODE = asyncio.wait_for.__code__ if sys.version_info < (3, 12) else None
"""The code of `asyncio.wait_for`. Before Python 3.12, `wait_for` runs its argument in a separate task."""

MAX_SEARCHES: Final = 5
"""Outside the event loop's thread, the search for runners is repeated at most this many times."""

_COROUTINE = CO_COROUTINE | CO_ASYNC_GENERATOR | CO_ITERABLE_COROUTINE


class LoopActivity(msgspec.Struct, frozen=True):
    """The present activity of the event loop: its thread, and the pids of the processes whose code it runs.

    `task` is the pid of the process whose task runs. `callbacks` are the pids of the processes whose plain (not async)
    callbacks run, the innermost first. A callback may call another process directly; each such call is a frame of
    `call_code` in the stack.
    """

    thread: int = 0
    callbacks: tuple[int, ...] = ()
    task: int | None = None
    call_code: CodeType | None = None

    def owners(self, frame: FrameType | None) -> Iterator[tuple[FrameType, int | None]]:
        """Yield the frames of the loop's thread, innermost first, each with the pid of its process.

        The pid is None for a frame that belongs to no process.
        """
        waiting = list(self.callbacks)
        owner = waiting.pop(0) if waiting else self.task
        while frame is not None:
            # A plain callback runs no coroutine, so the frame of a coroutine belongs to the task.
            if frame.f_code.co_flags & _COROUTINE:
                owner, waiting = self.task, []
            elif frame.f_code is self.call_code and waiting:
                owner = waiting.pop(0)
            yield frame, owner
            frame = frame.f_back


class ProcessAdapter(Protocol):
    """The access to the node's processes that the code server needs."""

    def suspended_coroutines(self) -> Iterator[tuple[int, Any]]:
        """Yield the pid and the coroutine of each process that has a coroutine.

        Zombies are included: these are killed processes of which a frame still runs and keeps its version.
        """

    def tasks(self) -> Iterable[Task[Any]]:
        """Return the tasks of the event loop that belong to no process, and have not ended."""

    def starter(self, task: Task[Any]) -> int | None:
        """Return the pid of the process that has started a task; None if that process has ended or is unknown."""

    def loop_activity(self) -> LoopActivity:
        """Return the present activity of the event loop."""

    def idle_references(self, namespaces: Collection[int]) -> Iterable[object]:
        """Yield the objects to which idle processes refer only until their next callback.

        These are the class of each process, and objects of the class's version. `namespaces` has the `id` of each
        namespace that counts. An object is yielded once for each reference to it, so that the caller can count the
        references.
        """

    def idle_instances(self) -> Iterable[object]:
        """Yield the instance of each idle process.

        The class of such an instance holds no version, but other objects that the instance refers to may.
        """

    def titles(self) -> dict[int, tuple[str, int, int]]:
        """Return (title, `id` of the process object, `id` of its task) for each process and zombie, by pid."""

    def kill(self, pid: int) -> bool:
        """Kill a process; return False if it has ended already. Follows erlang:exit(Pid, kill)."""


@dataclass(slots=True)
class Runners:
    """The runners of a version: the pids of processes, the tasks, and the names of OS threads with a frame of it.

    A frame of a process counts only for the process, not for the event loop's thread or an awaited task that runs it.
    """

    pids: list[int] = field(default_factory=list)
    threads: list[str] = field(default_factory=list)
    tasks: list[Task[Any]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.pids or self.threads or self.tasks)


def find_runners(processes: ProcessAdapter, namespaces: Iterable[Namespace]) -> dict[int, Runners]:
    """Return the runners of each namespace, by the `id` of the namespace. Each runner is listed once.

    If this function runs outside the event loop's thread, a search may miss a coroutine that starts or stops meanwhile:
    a running coroutine awaits nothing, and a suspended one is not on the stack. So the search is repeated until it
    finds nothing new, at most MAX_SEARCHES times.
    """
    found = {id(namespace): Runners() for namespace in namespaces}
    if not found:
        return found
    moves = processes.loop_activity().thread not in (0, threading.get_ident())
    known = -1
    for _ in range(MAX_SEARCHES if moves else 1):
        _search(processes, found)
        number = sum(len(one.pids) + len(one.threads) + len(one.tasks) for one in found.values())
        if number == known:
            break
        known = number
    return found


def _search(processes: ProcessAdapter, found: dict[int, Runners]) -> None:
    """Add to `found` the runners that one search finds."""
    of_processes: set[int] = set()
    for pid, coroutine in processes.suspended_coroutines():
        for suspended in suspended_frames(coroutine):
            of_processes.add(id(suspended))
            _add_runner(found, suspended, pid)
    for task in processes.tasks():
        for suspended in suspended_frames(task):
            if id(suspended) in of_processes:
                break  # a process waits for the task, so the task ends with the process
            _add_runner(found, suspended, task)
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    activity, frames = _activity_and_frames(processes)
    while frames:
        # No variable may continue to refer to this function's own frame: such a reference cycle
        # would keep all its variables alive.
        thread, frame = frames.popitem()
        name = names.get(thread, str(thread))
        if thread == activity.thread:
            for inner, owner in activity.owners(frame):
                _add_runner(found, inner, name if owner is None else owner)
                del inner
            frame = None
        while frame is not None:
            _add_runner(found, frame, name)
            frame = frame.f_back


def _activity_and_frames(processes: ProcessAdapter) -> tuple[LoopActivity, dict[int, Any]]:
    """Return the activity of the event loop and the innermost frame of each thread, read at one moment if possible."""
    for _ in range(MAX_SEARCHES):
        activity, frames = processes.loop_activity(), sys._current_frames()
        if processes.loop_activity() == activity:
            break
    return activity, frames


def _add_runner(found: dict[int, Runners], frame: FrameType, owner: int | str | Task[Any]) -> None:
    entry = found.get(id(frame.f_globals))
    if entry is None:
        return
    runners: list[Any] = entry.pids
    if isinstance(owner, str):
        runners = entry.threads
    elif not isinstance(owner, int):
        runners = entry.tasks
    if owner not in runners:
        runners.append(owner)


def suspended_frames(awaiting: object) -> Iterator[FrameType]:
    """Yield the frames of a suspended coroutine and of everything that ends when the coroutine is cancelled.

    A cancellation ends the coroutines and tasks that the coroutine awaits. It also ends the generators over which the
    coroutine's frames iterate, the context managers that the frames have entered, and the tasks of their task groups.
    """
    for _, frame in _ending_together(awaiting):
        if frame is not None:
            yield frame


def tasks_ending_with(task: Task[Any]) -> Iterator[Task[Any]]:
    """Yield the other tasks that end when `task` is cancelled: awaited tasks, and tasks of its task groups."""
    for one, _ in _ending_together(task):
        if isinstance(one, Task) and one is not task:
            yield one


def _ending_together(awaiting: object) -> Iterator[tuple[object, FrameType | None]]:
    """Yield `awaiting` and everything that ends when it is cancelled, each with its frame or None."""
    waiting, seen = [awaiting], set()
    while waiting:
        awaitable = waiting.pop()
        if awaitable is None or id(awaitable) in seen:
            continue
        seen.add(id(awaitable))
        frame: FrameType | None = None
        if isinstance(awaitable, CoroutineType):
            frame, following = awaitable.cr_frame, [awaitable.cr_await]
        elif isinstance(awaitable, GeneratorType):
            frame, following = awaitable.gi_frame, [awaitable.gi_yieldfrom]
        elif isinstance(awaitable, AsyncGeneratorType):
            frame, following = awaitable.ag_frame, [awaitable.ag_await]
        elif isinstance(awaitable, Task):
            following = [awaitable.get_coro()]
        elif isinstance(awaitable, Future):
            following = list(getattr(awaitable, "_children", ()))  # the children of asyncio.gather
        else:
            following = _wrapped_awaitables(awaitable)
        yield awaitable, frame
        if frame is not None:
            following += _ending_with(awaitable)
        waiting += following


def _ending_with(suspended: object) -> Iterator[object]:
    """Yield the generators, context managers and tasks that end with a suspended frame, except those that it awaits."""
    for one in gc.get_referents(suspended):
        kind = type(one)
        if kind not in _ENDS_WITH_FRAME and not _is_task_group_of_anyio(kind):
            continue
        held: Any = one
        if kind is MethodType:  # a `with` keeps its exit method
            held = one.__self__
            kind = type(held)
        if kind is GeneratorType or kind is AsyncGeneratorType:
            yield held
        elif kind in _MANAGERS:
            yield held.gen
        elif kind is TaskGroup or _is_task_group_of_anyio(kind):
            yield from tuple(held._tasks)
        elif kind is Task and getattr(suspended, "cr_code", None) is _WAIT_FOR_CODE:
            yield held


def _is_task_group_of_anyio(kind: type) -> bool:
    return kind.__name__ == "TaskGroup" and kind.__module__ == "anyio._backends._asyncio"


def _wrapped_awaitables(awaitable: object) -> list[Any]:
    kinds = (CoroutineType, GeneratorType, AsyncGeneratorType, Future)
    return [
        held
        for held in gc.get_referents(awaitable)
        if isinstance(held, kinds) or type(held).__name__ in _AWAITABLE_TYPE_NAMES
    ]
