"""What the layers above need to change the code of live processes: hold, look, give a state, let go.

Nothing here sends a message or restarts a timer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..processes.barrier import Barrier, barrier
from ..processes.coroutine import CoroutineProcess
from ..processes.inspection import awaiting
from ..processes.pid import Pid, Target
from ..processes.process import HELD, YIELDING, Process
from ..processes.runtime import runtime
from .process import BehaviourProcess
from .rereading import ReRead, take_new_class
from .supervisor import SupervisorProcess


class NotHeld(Exception):
    """The process could not be suspended; the sentence says why and names it. OTP: the `timeout` of sys:suspend/2."""

    def __init__(self, pid: Pid, sentence: str) -> None:
        super().__init__(sentence)
        self.pid = pid


async def hold(target: Target, *, owner: object, timeout: float) -> None:
    """Suspend the process between two callbacks: at once if it is idle, else when its callback ends.

    It stays suspended until every owner has released it; holding twice as the same owner counts once. While
    several are being held, a held one still answers calls of those whose callback has to end first. Raises NoProcess
    when there is no such process or it ends meanwhile, and NotHeld after `timeout` seconds.
    """
    node = runtime()
    process = node.find(target)
    if not isinstance(process, BehaviourProcess):
        if process.gate is not HELD:
            raise NotHeld(process.pid, f"{process.title()} has no callbacks between which it could be suspended")
        process.held = {*(process.held or ()), owner}
        return
    process.held = {*(process.held or ()), owner}
    if process.gate is HELD or process.gate is None:
        process.gate = HELD
        return
    held: asyncio.Future[None] = node.loop.create_future()
    process.between_callbacks(lambda: None if held.done() else held.set_result(None))
    _answer_for(process)
    try:
        async with asyncio.timeout(timeout):
            await held
    except TimeoutError:
        release(process.pid, owner=owner)
        where = ", ".join(awaiting(process)[-1:]) or process.qualname
        sentence = f"{process.title()} has not ended its callback within {timeout:g} s: {where}"
        raise NotHeld(process.pid, sentence) from None
    except asyncio.CancelledError:
        release(process.pid, owner=owner)
        raise
    node.find(process.pid)


def _answer_for(process: Process) -> None:
    # It waits for one that is held already: let that one answer, or neither ends.
    for asked, item in list((process.calling or {}).values()):
        if not isinstance(asked, BehaviourProcess) or not asked.held_with(process) or not asked.mail:
            continue
        others = deque(queued for queued in asked.mail if queued is not item)
        if len(others) < len(asked.mail):
            asked.mail = others
            asked.serve(item, YIELDING)


def release(target: Target, *, owner: object) -> None:
    """End this owner's suspend. Does nothing to a process that has ended or isn't held by it."""
    node = runtime()
    process = node.names.get(target) if isinstance(target, str) else node.processes.get(target)
    if process is None or process.held is None:
        return
    process.held.discard(owner)
    if process.held:
        return
    process.held = None
    if process.gate is HELD:
        process.resumed()


def raw_state(target: Target) -> Any:
    """The very state object: a server's state, a state machine's `(state_name, data)`; None without callbacks."""
    process = runtime().find(target)
    return process.raw_state() if isinstance(process, BehaviourProcess) else None


def adopt(target: Target, state: Any) -> None:
    """Give a held process `state` and a fresh instance of the current class. Raises NotHeld, LookupError."""
    process = runtime().find(target)
    if not isinstance(process, BehaviourProcess) or process.gate is not HELD:
        raise NotHeld(process.pid, f"{process.title()} is not suspended; hold it before it is given a state")
    process.refresh()
    process.take_state(state)


def callback(target: Target) -> tuple[str, str, dict[str, Any]]:
    """`(module, qualname, namespace)` of the callback class that the process has its instance from."""
    process = runtime().find(target)
    if isinstance(process, BehaviourProcess):
        return process.module, process.qualname, process.namespace
    assert isinstance(process, CoroutineProcess)
    return process.module, process.qualname, getattr(process.function, "__globals__", {})


def using(module: str) -> list[Pid]:
    """The live processes whose callback module, or whose coroutine's module, is `module`."""
    return [process.pid for process in runtime().processes.values() if process.module == module]


def re_read(target: Target) -> ReRead:
    """Give a held supervisor the flags and child specifications of its current class. Running children go on.

    Children that the class no longer names are `kept`, at the end of the order. An instance of a simple_one_for_one
    supervisor keeps its arguments for its restarts. If `children()` raises Ignore nothing changes. The table that the
    supervisor had is left as it was, so `adopt(target, table)` takes this back. Raises NotHeld, LookupError, ValueError
    for what makes no sense or would go to or from simple_one_for_one, or what `children()` raises; then nothing has
    changed. Follows supervisor:code_change/3.
    """
    process = runtime().find(target)
    if not isinstance(process, SupervisorProcess) or process.gate is not HELD:
        raise NotHeld(process.pid, f"{process.title()} is not a suspended supervisor")
    return take_new_class(process)


@contextmanager
def spawn_barrier(*, owner: object) -> Iterator[list[Pid]]:
    """Processes with callbacks that are born inside run their `init` and are held by `owner`; yields their pids.

    A coroutine that is spawned inside begins when it is released. Children begun in `init` are born inside too.
    Supervisor functions called inside act at once on a held supervisor.
    """
    inside = Barrier(owner)
    token = barrier.set(inside)
    try:
        yield inside.born
    finally:
        barrier.reset(token)
