"""The interface of the behaviours to the layers above them: inspects, holds, migrates and resumes live processes.

The code server, the release handler and the control plane may import live processes and their tables only from here;
the import contracts enforce this. Nothing here sends a message or restarts a timer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from node_runtime.behaviours.behaviour import Behaviour, behaviour_of, defined_reserved_name
from node_runtime.behaviours.behaviour_process import BehaviourProcess
from node_runtime.behaviours.callback_class import CallbackVersion
from node_runtime.behaviours.gen_statem import StatemProcess
from node_runtime.behaviours.supervision.child_table import Child, ChildSpecChangeCounter, ChildTable
from node_runtime.behaviours.supervision.supervisor import SupervisorProcess
from node_runtime.processes.coroutine_process import CoroutineProcess
from node_runtime.processes.pid import Pid, Target
from node_runtime.processes.process import HELD
from node_runtime.processes.runtime import runtime
from node_runtime.processes.transaction import Transaction, current_transaction, inside_transaction

from .deferred_exits import (
    end_at_once,
    end_started_processes,
    put_back_processes,
    record_supervisor_state,
    run_deferred_exits,
)
from .holding import Hold, NewInstances, NotHeld, hold, raw_states, release
from .pending_values import PENDING_KINDS, PendingValues, pending_values
from .restart_arguments import RestartArguments
from .supervisor_code_change import ChildSpecChanges, adopt_current_class

__all__ = [
    "PENDING_KINDS",
    "Behaviour",
    "BehaviourProcess",
    "CallbackVersion",
    "Child",
    "ChildSpecChangeCounter",
    "ChildSpecChanges",
    "ChildTable",
    "Hold",
    "NewInstances",
    "NotHeld",
    "PendingValues",
    "RestartArguments",
    "StatemProcess",
    "SupervisorProcess",
    "adopt_current_class",
    "adopt_state",
    "behaviour_of",
    "defined_reserved_name",
    "end_at_once",
    "end_started_processes",
    "hold",
    "holding_started_processes",
    "pending_values",
    "pids_using",
    "put_back_processes",
    "raw_state",
    "raw_states",
    "release",
    "reload_child_specs",
    "run_deferred_exits",
    "running_code",
]


def raw_state(target: Target) -> Any:
    """Return the state object itself: the state of a server, or the `(state_name, data)` of a state machine.

    The result is None for a process without callbacks.
    """
    process = runtime().find(target)
    return process.raw_state() if isinstance(process, BehaviourProcess) else None


def adopt_state(target: Target, state: Any) -> None:
    """Give a held process `state` and a fresh instance of the current class. Raises NotHeld, LookupError."""
    process = runtime().find(target)
    if not isinstance(process, BehaviourProcess) or process.run_state is not HELD:
        raise NotHeld(process.pid, f"{process.title()} is not suspended; hold it before you give it a state")
    process.refresh()
    process.take_state(state)


def running_code(target: Target) -> tuple[str, str, dict[str, Any]]:
    """Return `(module, qualname, namespace)` of the code that the process runs: a callback class or a coroutine."""
    process = runtime().find(target)
    if isinstance(process, BehaviourProcess):
        return process.module, process.qualname, process.namespace
    assert isinstance(process, CoroutineProcess)
    return process.module, process.qualname, getattr(process.function, "__globals__", {})


def pids_using(module: str) -> list[Pid]:
    """Return the pids of the live processes whose callback module, or whose coroutine's module, is `module`."""
    return [process.pid for process in runtime().processes.values() if process.module == module]


def reload_child_specs(target: Target) -> ChildSpecChanges:
    """Give a held supervisor the flags and child specifications of its current class. Running children continue.

    Children that the class no longer names are `kept`, at the end of the start order. Instances of a simple_one_for_one
    supervisor keep their arguments and are restarted with them. If `children()` raises Ignore, nothing changes. The
    supervisor's previous table is not modified, so `adopt_state(target, table)` undoes the change. Raises NotHeld,
    LookupError, and the errors of `children()`. Raises ValueError for invalid specifications, and for a change to or
    from simple_one_for_one. After an error, nothing has changed. Follows supervisor:code_change/3.
    """
    process = runtime().find(target)
    if not isinstance(process, SupervisorProcess) or process.run_state is not HELD:
        raise NotHeld(process.pid, f"{process.title()} is not a suspended supervisor")
    transaction = current_transaction()
    if transaction is not None:
        record_supervisor_state(transaction, process)
    return adopt_current_class(process)


@contextmanager
def holding_started_processes(*, owner: object) -> Iterator[list[Pid]]:
    """Hold, for `owner`, the processes that the `with` body starts, as soon as their `init` has returned.

    Yields the list of their pids. A coroutine that the body spawns begins when its process is released. Children that
    an `init` starts are held, too. A held supervisor answers the supervisor functions that the body calls.
    """
    transaction = Transaction(owner)
    try:
        with inside_transaction(transaction):
            yield transaction.started
    finally:
        transaction.ended = True
