"""Who runs a version: whose frames have its namespace as their globals, right now or after the next `await`."""

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
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from node_runtime.code.module import Namespace

_AWAITED = "async_generator_asend", "async_generator_athrow", "anext_awaitable", "coroutine_wrapper"
"""What stands between a frame and the generator it awaits, and shows it to the collector only."""

_MANAGERS: Any = (contextlib._GeneratorContextManager, contextlib._AsyncGeneratorContextManager)
_ENDED = frozenset({MethodType, GeneratorType, AsyncGeneratorType, TaskGroup, Task, *_MANAGERS})
_TIME_LIMIT = asyncio.wait_for.__code__ if sys.version_info < (3, 12) else None
"""It waits for a task of its own; from Python 3.12 on it awaits what it is given."""

_COROUTINE = CO_COROUTINE | CO_ASYNC_GENERATOR | CO_ITERABLE_COROUTINE


@dataclass(frozen=True, slots=True)
class Turn:
    """What the event loop does right now: its thread, whose task it runs, and whose plain callbacks.

    `plain[0]` has the innermost callback; that `plain[1]` asked it shows in the stack as a frame of `asking`.
    """

    thread: int = 0
    plain: tuple[int, ...] = ()
    task: int | None = None
    asking: CodeType | None = None

    def owners(self, frame: FrameType | None) -> Iterator[tuple[FrameType, int | None]]:
        """The frames of the loop's thread, the innermost first, each with the process that it belongs to."""
        waiting = list(self.plain)
        owner = waiting.pop(0) if waiting else self.task
        while frame is not None:
            # A plain callback has no coroutine's frame inside of it; what called it, in its own turn, is one's task.
            if frame.f_code.co_flags & _COROUTINE:
                owner, waiting = self.task, []
            elif frame.f_code is self.asking and waiting:
                owner = waiting.pop(0)
            yield frame, owner
            frame = frame.f_back


class Processes(Protocol):
    """What the code server needs of the processes of its node."""

    def suspended(self) -> Iterator[tuple[int, Any]]:
        """A pid and a coroutine for each process that has one; zombies too, for they keep the version that they run."""

    def turn(self) -> Turn:
        """What the event loop is doing."""

    def references(self, namespaces: Collection[int]) -> Iterable[object]:
        """What idle processes hold of these namespaces only until their next callback, once for each reference."""

    def titles(self) -> dict[int, tuple[str, int, int]]:
        """How each process and zombie is called, by pid, and the identities of its object and of its task."""

    def kill(self, pid: int) -> bool:
        """End a process; False if it has ended already. Follows erlang:exit(Pid, kill)."""


@dataclass(slots=True)
class Runners:
    """The processes, by pid, and the other threads, by name, that have a frame in a version."""

    pids: list[int] = field(default_factory=list)
    threads: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.pids or self.threads)


def runners(processes: Processes, namespaces: Iterable[Namespace]) -> dict[int, Runners]:
    """For each namespace, by its identity, who runs it, in order and once each."""
    found = {id(namespace): Runners() for namespace in namespaces}
    if not found:
        return found
    for pid, coroutine in processes.suspended():
        for suspended in suspended_frames(coroutine):
            _note(found, suspended, pid)
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    turn = processes.turn()
    frames: dict[int, Any] = sys._current_frames()
    while frames:
        # No name may be left to this very frame: it would be garbage that refers to itself, and to all it knows.
        thread, frame = frames.popitem()
        name = names.get(thread, str(thread))
        if thread == turn.thread:
            for inner, owner in turn.owners(frame):
                _note(found, inner, name if owner is None else owner)
                del inner
            frame = None
        while frame is not None:
            _note(found, frame, name)
            frame = frame.f_back
    return found


def _note(found: dict[int, Runners], frame: FrameType, owner: int | str) -> None:
    who = found.get(id(frame.f_globals))
    if who is None:
        return
    if isinstance(owner, str):
        if owner not in who.threads:
            who.threads.append(owner)
    elif owner not in who.pids:
        who.pids.append(owner)


def suspended_frames(awaiting: object) -> Iterator[FrameType]:
    """The frames of a suspended coroutine and of all that a cancellation reaches from it.

    It awaits other coroutines and tasks, and when its frames end, they end the generators that they go through, the
    context managers that they are in, and the tasks of a group.
    """
    waiting, seen = [awaiting], set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        frame: FrameType | None = None
        if isinstance(one, CoroutineType):
            frame, further = one.cr_frame, [one.cr_await]
        elif isinstance(one, GeneratorType):
            frame, further = one.gi_frame, [one.gi_yieldfrom]
        elif isinstance(one, AsyncGeneratorType):
            frame, further = one.ag_frame, [one.ag_await]
        elif isinstance(one, Task):
            further = [one.get_coro()]
        elif isinstance(one, Future):
            further = list(getattr(one, "_children", ()))  # those of asyncio.gather
        else:
            further = _behind(one)
        if frame is not None:
            yield frame
            further += _ended_with(one)
        waiting += further


def _ended_with(suspended: object) -> Iterator[object]:
    """What the end of a suspended frame ends, too, and isn't awaited by it."""
    for one in gc.get_referents(suspended):
        kind = type(one)
        if kind not in _ENDED:
            continue
        held: Any = one
        if kind is MethodType:  # a `with` keeps the method that leaves it
            held = one.__self__
            kind = type(held)
        if kind is GeneratorType or kind is AsyncGeneratorType:
            yield held
        elif kind in _MANAGERS:
            yield held.gen
        elif kind is TaskGroup:
            yield from tuple(held._tasks)
        elif kind is Task and getattr(suspended, "cr_code", None) is _TIME_LIMIT:
            yield held


def _behind(awaitable: object) -> list[Any]:
    kinds = (CoroutineType, GeneratorType, AsyncGeneratorType, Future)
    return [held for held in gc.get_referents(awaitable) if isinstance(held, kinds) or type(held).__name__ in _AWAITED]
