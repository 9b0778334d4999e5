"""Gives the code server access to the processes of this node."""

from __future__ import annotations

import asyncio
import gc
from contextvars import Context
from typing import TYPE_CHECKING, Any

from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess
from node_runtime.gen_server import call_now
from node_runtime.processes import exit
from node_runtime.processes import runtime as installed_runtime
from node_runtime.processes.process import task_process

from .running import LoopActivity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from node_runtime.processes import Runtime
    from node_runtime.processes.process import Process


class RuntimeProcessAdapter:
    """The implementation of `running.ProcessAdapter`. Before the runtime has started there are no processes."""

    def suspended_coroutines(self) -> Iterator[tuple[int, Any]]:
        for process in _all_processes():
            if process.task is not None and not process.task.done():
                yield process.pid, process.task.get_coro()

    def tasks(self) -> Iterator[asyncio.Task[Any]]:
        runtime = _runtime_or_none()
        if runtime is None:
            return
        of_processes = {id(process.task) for process in _all_processes()}
        for task in asyncio.all_tasks(runtime.loop):
            if id(task) not in of_processes and not task.done():
                yield task

    def starter(self, task: asyncio.Task[Any]) -> int | None:
        # Before Python 3.12 a task does not show its context.
        context = next((one for one in gc.get_referents(task) if isinstance(one, Context)), None)
        process = None if context is None else context.get(task_process)
        alive = process is not None and process.runtime.processes.get(process.pid) is process
        return int(process.pid) if process is not None and alive else None

    def loop_activity(self) -> LoopActivity:
        runtime = _runtime_or_none()
        if runtime is None:
            return LoopActivity()
        callbacks = [
            process.pid for process in (runtime.current, *reversed(runtime.nested_callers)) if process is not None
        ]
        task = asyncio.current_task(runtime.loop)
        owner = (
            None if task is None else next((process.pid for process in _all_processes() if process.task is task), None)
        )
        return LoopActivity(runtime.thread, tuple(callbacks), owner, call_now.__code__)

    def idle_references(self, namespaces: Collection[int]) -> Iterator[object]:
        for process in _all_processes():
            if not isinstance(process, BehaviourProcess) or id(process.namespace) not in namespaces:
                continue
            if process.in_callback():
                continue
            cls, code = type(process.instance), process.code
            yield from (cls, code)
            # If the class doesn't refer to `code`, only the process does: then the references of `code` count, too.
            if vars(cls).get("__callback_version__") is not code:
                yield from (code.namespace, code.methods)

    def idle_instances(self) -> Iterator[object]:
        for process in _all_processes():
            if isinstance(process, BehaviourProcess) and not process.in_callback():
                yield process.instance

    def titles(self) -> dict[int, tuple[str, int, int]]:
        return {process.pid: (process.title(), id(process), id(process.task)) for process in _all_processes()}

    def kill(self, pid: int) -> bool:
        runtime = _runtime_or_none()
        alive = runtime is not None and pid in runtime.processes
        if alive:
            exit(installed_runtime().processes[pid].pid, "kill")
        return alive


def _runtime_or_none() -> Runtime | None:
    try:
        return installed_runtime()
    except RuntimeError:
        return None


def _all_processes() -> tuple[Process, ...]:
    runtime = _runtime_or_none()
    return () if runtime is None else (*runtime.processes.values(), *runtime.zombies.values())
