"""The processes of this node, as the code server sees them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess
from node_runtime.gen_server import call_now
from node_runtime.processes import exit
from node_runtime.processes import runtime as running_runtime

from .running import Turn

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from node_runtime.processes import Runtime
    from node_runtime.processes.process import Process


class LiveProcesses:
    """Follows `running.Processes`. Code can be loaded before the runtime has started: then there are none."""

    def suspended(self) -> Iterator[tuple[int, Any]]:
        for process in _all():
            if process.task is not None and not process.task.done():
                yield process.pid, process.task.get_coro()

    def turn(self) -> Turn:
        node = _runtime()
        if node is None:
            return Turn()
        plain = [process.pid for process in (node.current, *reversed(node.nested)) if process is not None]
        task = asyncio.current_task(node.loop)
        owner = None if task is None else next((process.pid for process in _all() if process.task is task), None)
        return Turn(node.thread, tuple(plain), owner, call_now.__code__)

    def references(self, namespaces: Collection[int]) -> Iterator[object]:
        for process in _all():
            if not isinstance(process, BehaviourProcess) or id(process.namespace) not in namespaces:
                continue
            if process.in_callback():
                continue
            cls, code = type(process.instance), process.code
            yield from (cls, code)
            if vars(cls).get("_shared_version") is not code:  # its own, and not the one that the class has for all
                yield from (code.namespace, code.methods)

    def titles(self) -> dict[int, tuple[str, int, int]]:
        return {process.pid: (process.title(), id(process), id(process.task)) for process in _all()}

    def kill(self, pid: int) -> bool:
        node = _runtime()
        alive = node is not None and pid in node.processes
        if alive:
            exit(running_runtime().processes[pid].pid, "kill")
        return alive


def _runtime() -> Runtime | None:
    try:
        return running_runtime()
    except RuntimeError:
        return None


def _all() -> tuple[Process, ...]:
    node = _runtime()
    return () if node is None else (*node.processes.values(), *node.zombies.values())
