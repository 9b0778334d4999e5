"""The tasks, threads, timers and modules that may hold an object that a process's state holds as well."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess
from node_runtime.code.old.holder_names import task_name
from node_runtime.code.old.thread_variables import ThreadVariables
from node_runtime.processes.runtime import Runtime
from node_runtime.releases.planning.staying import END_THREAD, ending


class OtherHolder(msgspec.Struct, frozen=True):
    """A holder of an object that a state holds as well.

    `title` is its name in a plan. `ending` says how to end this holder; "" if that is impossible.
    """

    title: str
    ending: str


def other_holders(
    runtime: Runtime, threads: Sequence[ThreadVariables], modules: Iterable[str]
) -> Iterator[tuple[OtherHolder, Sequence[Any]]]:
    """Yield the tasks, timers, threads and modules, each with the objects to which it refers directly.

    `threads` is what `thread_variables` has returned in the node, and `modules` are those that the release keeps.
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


def _threads(threads: Sequence[ThreadVariables]) -> Iterator[tuple[OtherHolder, Sequence[Any]]]:
    for one in threads:
        yield OtherHolder(f"the thread {one.thread}", END_THREAD), one.values


def _modules(names: Iterable[str]) -> Iterator[tuple[OtherHolder, Sequence[Any]]]:
    for name in names:
        module = sys.modules.get(name)
        if module is not None:
            values = [value for key, value in vars(module).items() if not key.startswith("__")]
            yield OtherHolder(f"the module {name}", ""), values
