"""The tasks, threads, timers and modules that may hold an object that a process's state holds as well."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from inspect import CO_OPTIMIZED
from types import FrameType
from typing import Any

import msgspec

from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess
from node_runtime.code.old.holder_names import task_name
from node_runtime.processes.runtime import Runtime
from node_runtime.releases.planning.staying import END_THREAD, ending


class OtherHolder(msgspec.Struct, frozen=True):
    """A holder of an object that a state holds as well: its name in a plan, and how to end it ("" if impossible)."""

    title: str
    ending: str


ThreadValues = Sequence[tuple[str, Sequence[Any]]]
"""The name of each other thread, and the objects to which its frames refer."""


def thread_values() -> ThreadValues:
    """Return the objects to which the frames of each other thread refer, by the name of the thread.

    Called in the node, because the copy of the node has no other threads.
    """
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    frames: dict[int, Any] = sys._current_frames()
    frames.pop(threading.get_ident(), None)
    found = []
    while frames:  # no variable may refer to a frame for longer than this takes
        ident, frame = frames.popitem()
        values: list[Any] = []
        while frame is not None:
            values += _variables(frame)
            frame = frame.f_back
        found.append((names.get(ident, str(ident)), values))
    return found


def _variables(frame: FrameType) -> list[Any]:
    """Return the values of a running function's variables, and leave no references to them in the frame."""
    if not frame.f_code.co_flags & CO_OPTIMIZED:
        return []  # the body of a module or a class
    variables = frame.f_locals
    values = list(variables.values())
    if type(variables) is dict:  # before Python 3.13, the frame keeps this dict until it ends
        variables.clear()
    return values


def other_holders(
    runtime: Runtime, threads: ThreadValues, modules: Iterable[str]
) -> Iterator[tuple[OtherHolder, Sequence[Any]]]:
    """Yield the tasks, timers, threads and modules, each with the objects to which it refers directly.

    `threads` is what `thread_values` has returned in the node, and `modules` are those that the release keeps.
    """
    yield from _running(runtime)
    yield from _threads(threads)
    yield from _modules(modules)


def _running(runtime: Runtime) -> Iterator[tuple[OtherHolder, Sequence[Any]]]:
    """Yield the tasks and timers, each with the objects to which it refers directly."""
    owners = {id(process.task): process for process in runtime.processes.values() if process.task is not None}
    for task in asyncio.all_tasks(runtime.loop):
        process = owners.get(id(task))
        if process is None:
            name = f"`hotdash kill NODE {task.get_name()}` cancels it"
            yield OtherHolder(f"the {task_name(task)}", name), [task.get_coro()]
        elif not isinstance(process, BehaviourProcess):
            yield OtherHolder(process.title(), ending(int(process.pid))), [task.get_coro()]
    for handle in getattr(runtime.loop, "_scheduled", ()):
        if not handle.cancelled():
            yield OtherHolder("a timer of the event loop", ""), [handle._callback, handle._args]


def _threads(threads: ThreadValues) -> Iterator[tuple[OtherHolder, Sequence[Any]]]:
    for name, values in threads:
        yield OtherHolder(f"the thread {name}", END_THREAD), values


def _modules(names: Iterable[str]) -> Iterator[tuple[OtherHolder, Sequence[Any]]]:
    for name in names:
        module = sys.modules.get(name)
        if module is not None:
            values = [value for key, value in vars(module).items() if not key.startswith("__")]
            yield OtherHolder(f"the module {name}", ""), values
