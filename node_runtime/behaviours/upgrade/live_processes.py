"""What the layers above need to change the code of live processes: hold, look, give a state, let go.

Nothing here sends a message or restarts a timer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from node_runtime.behaviours.behaviour_process import BehaviourProcess
from node_runtime.behaviours.supervision.supervisor import SupervisorProcess
from node_runtime.processes.coroutine_process import CoroutineProcess
from node_runtime.processes.pid import Pid, Target
from node_runtime.processes.process import HELD
from node_runtime.processes.runtime import runtime
from node_runtime.processes.transaction import Barrier, current_barrier, entered

from .deferred_exits import keep
from .holding import Hold, NotHeld, hold, release
from .supervisor_code_change import ReRead, take_new_class

__all__ = [
    "Hold",
    "NotHeld",
    "ReRead",
    "adopt",
    "callback",
    "hold",
    "raw_state",
    "re_read",
    "release",
    "spawn_barrier",
    "using",
]


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
    inside = current_barrier()
    if inside is not None:
        keep(inside, process)
    return take_new_class(process)


@contextmanager
def spawn_barrier(*, owner: object) -> Iterator[list[Pid]]:
    """Processes with callbacks that are born inside run their `init` and are held by `owner`; yields their pids.

    A coroutine that is spawned inside begins when it is released. Children begun in `init` are born inside too.
    Supervisor functions called inside act at once on a held supervisor.
    """
    inside = Barrier(owner)
    try:
        with entered(inside):
            yield inside.born
    finally:
        inside.over = True
