"""The conditions that the live node must meet before code is switched. Checking them sends no message.

Each unmet condition is a blocker. A lasting blocker can only be removed by a change of the release. A `transient`
blocker may pass by itself. It is checked again in the turn of the event loop that switches the code.
"""

from __future__ import annotations

import inspect
from collections.abc import Container, Iterator, Sequence
from typing import Any, assert_never

from node_runtime.behaviours.code_references import resolve_in_versions
from node_runtime.behaviours.upgrade import live_processes
from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess
from node_runtime.code import Batch
from node_runtime.gen_statem import has_state, states_of
from node_runtime.processes.process import Process
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.messages import Blocker
from node_runtime.releases.files.relup_instructions import (
    Apply,
    CodeChange,
    Load,
    LoadObjectCode,
    PointOfNoReturn,
    Purge,
    Remove,
    RestartChild,
    RestartEmulator,
    RestartNewEmulator,
    ResumeProcesses,
    StartProcesses,
    StopProcesses,
    SuspendProcesses,
    SyncNodes,
)

from .transition import Transition

WAIT_REMEDY = 'wait for a safe moment (--wait SECONDS, or "Wait up to" in the dashboard)'


def callback_processes(*modules: str) -> list[BehaviourProcess]:
    """Return the live processes whose callback class is in one of the modules, in the order of the modules."""
    found: dict[str, list[BehaviourProcess]] = {module: [] for module in modules}
    for process in runtime().processes.values():
        if isinstance(process, BehaviourProcess) and process.code.module in found:
            found[process.code.module].append(process)
    return [process for module in modules for process in found[module]]


def coroutine_processes(module: str) -> list[Process]:
    """Return the live processes that run a coroutine of `module` and have no callbacks.

    An upgrade does not change the code of such a process: it runs the old version until it ends.
    """
    return [process for process in _processes_running(module) if not isinstance(process, BehaviourProcess)]


def _processes_running(module: str) -> list[Process]:
    return [runtime().processes[pid] for pid in live_processes.pids_using(module)]


def class_in(namespace: dict[str, Any], qualname: str) -> type[Any] | None:
    """Return the class with this qualified name in a namespace; None if there is none."""
    names = qualname.split(".")
    found = namespace.get(names[0])
    for name in names[1:]:
        found = getattr(found, name, None)
    return found if isinstance(found, type) else None


def process_label(process: Process) -> str:
    """Return the name of a process for messages: its registered name or, without one, its pid."""
    return process.name or str(process.pid)


def runs_old_coroutine(process: Process, modules: Container[str]) -> bool:
    """Return whether the process has no callbacks and stays in old code when `modules` are replaced or removed."""
    return process.kind == "task" or (process.kind == "process" and process.module in modules)


def vanished_names(transition: Transition, batch: Batch) -> Iterator[Blocker]:
    """Yield a blocker for each name that a new version lacks, but that a module outside the script imports."""
    for lost in batch.vanished():
        yield Blocker(
            reason=f"release {transition.target.vsn} no longer has {lost}",
            remedy="keep the name in the new version, or let the appup also load the module that imports it",
        )


def left_behind(transition: Transition, batch: Batch) -> Iterator[Blocker]:
    """Yield a blocker for each class that depends on a replaced class, but that the script leaves in old code.

    For example, a class depends on its base class.
    """
    for dependent in batch.dependents():
        yield Blocker(
            reason=f"{dependent}, which release {transition.target.vsn} replaces without loading {dependent.module}",
            remedy=f"let the appup load {dependent.module} too",
        )


def missing_functions(transition: Transition, batch: Batch) -> Iterator[Blocker]:
    """Yield a blocker for each applied function that does not exist, or does not accept its arguments.

    A function is looked up in the version that its module has when the script applies the function.
    """
    reached: set[str] = set()
    for step in transition.script:
        match step:
            case Load() | Remove():
                reached.add(step.module)
            case Apply():
                yield from _uncallable(step, batch, reached)
            case (
                LoadObjectCode()
                | PointOfNoReturn()
                | Purge()
                | SuspendProcesses()
                | ResumeProcesses()
                | CodeChange()
                | StopProcesses()
                | StartProcesses()
                | RestartChild()
                | SyncNodes()
                | RestartEmulator()
                | RestartNewEmulator()
            ):
                pass
            case _:
                assert_never(step)


def _uncallable(step: Apply, batch: Batch, reached: set[str]) -> Iterator[Blocker]:
    for reference in dict.fromkeys(filter(None, (step.function, step.undo))):
        if (found := _found(reference, batch, reached)) is None:
            yield Blocker(
                reason=f"{reference} does not exist, but the script applies it",
                remedy="correct the name in the appup, or let the appup load the module before the apply",
            )
        elif not accepts_arguments(found, step.args):
            yield Blocker(
                reason=f"{reference} can't be called with the args in the appup",
                remedy="correct the args, or the function's parameters",
            )


def _found(reference: str, batch: Batch, reached: set[str]) -> Any:
    """Return the function `reference` that a script applies; None if it does not exist.

    `reached` are the modules that earlier instructions load or remove. A function of these modules is looked up in the
    new version, any other function in the running version.
    """
    module = reference.partition(":")[0]
    if module in reached and module not in batch.modules:
        return None
    try:
        return resolve_in_versions(reference, {module: batch.namespace(module)} if module in reached else {})
    except (LookupError, ImportError):
        return None


def accepts_arguments(function: Any, args: Sequence[Any]) -> bool:
    """Return whether a function can be called with these arguments, as far as its signature is known."""
    if not callable(function):
        return False
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return True  # a builtin, for example, may have no signature
    try:
        signature.bind(*args)
    except TypeError:
        return False
    return True


def unready_state_machines(transition: Transition, batch: Batch, stopped: Container[int]) -> Iterator[Blocker]:
    """Yield a blocker for each state machine whose state the new code does not define.

    The next event would crash such a state machine. If a state machine is in a callback, all states of its running
    version are checked, because the callback could end in any of them. State machines whose pids are in `stopped` are
    left out, because the script stops them.
    """
    modules = [module for module in transition.loaded if module not in transition.migrated]
    for process in callback_processes(*modules) if modules else ():
        if process.kind != "gen_statem" or process.pid in stopped:
            continue
        cls = class_in(batch.namespace(process.module), process.qualname)
        if cls is None:
            continue
        state = process.raw_state()[0]
        if state and not has_state(cls, state):
            yield _state_blocker(
                process,
                f"{process_label(process)} is in state {state}, which release {transition.target.vsn} does not define",
            )
        elif process.status == "running" and (lost := _lost_state(process, cls)):
            yield _state_blocker(
                process,
                f"{process_label(process)} is in a callback that may end in state {lost}, "
                f"which release {transition.target.vsn} does not define",
            )


def _lost_state(process: Process, cls: type[Any]) -> str | None:
    """Return a state name that the running class defines and the new class `cls` lacks; None if there is none."""
    running = class_in(live_processes.running_code(process.pid)[2], process.qualname)
    states = states_of(running) if running is not None else frozenset()
    return min((state for state in states if not has_state(cls, state)), default=None)


def _state_blocker(process: Process, reason: str) -> Blocker:
    return Blocker(
        reason=reason,
        remedy=f"{WAIT_REMEDY}, or give the release an `update` with a code_change that maps the state",
        pid=int(process.pid),
        transient=True,
    )
