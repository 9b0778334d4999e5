"""The live processes that a script affects: they get new code, or are suspended, migrated, stopped or killed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, assert_never

import msgspec

from node_runtime.behaviours.application_controller import applications
from node_runtime.behaviours.upgrade.live_processes import SupervisorProcess
from node_runtime.processes.process import Process
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.messages import Blocker, PlannedChild, PlannedProcess
from node_runtime.releases.files.relup_instructions import (
    Apply,
    CodeChange,
    Load,
    LoadObjectCode,
    PointOfNoReturn,
    Purge,
    RelupInstruction,
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
from node_runtime.releases.relup.script_modules import script_modules

from . import conditions
from .transition import Transition

SUPERVISOR: Final = "node_runtime.supervisor"
APPLICATION: Final = "node_runtime.application"
_START_FUNCTIONS: Final = (f"{SUPERVISOR}:restart_child", f"{SUPERVISOR}:start_child")
_STOP_FUNCTIONS: Final = (f"{SUPERVISOR}:terminate_child",)
PROCESSES_PER_TURN: Final = 500
"""Number of processes that are listed in one turn of the event loop."""

Action = Literal["load", "suspend", "migrate", "stop", "kill"]


def numbered_instructions(script: Sequence[RelupInstruction]) -> Iterator[tuple[int, RelupInstruction]]:
    """Yield each instruction with its number in a plan. The numbers begin at 1; the point of no return has none."""
    return enumerate((step for step in script if not isinstance(step, PointOfNoReturn)), 1)


async def affected_processes(transition: Transition) -> list[PlannedProcess]:
    """Return the processes that the script affects, each with one action.

    If several actions affect a process, "stop" replaces any other action, and "kill" replaces
    "load". The event loop runs other callbacks while the list is made.
    """
    found: dict[int, PlannedProcess] = {}
    for planned in _with_new_code(transition):
        found[planned.pid] = planned
        if not len(found) % PROCESSES_PER_TURN:
            await asyncio.sleep(0)
    brutal: set[str] = set()
    for number, step in numbered_instructions(transition.script):
        for process in stopped_processes(step):
            found[process.pid] = _planned(process, "stop", number)
        for process in _killed(step, brutal):
            if found.get(process.pid) is None or found[process.pid].action == "load":
                found[process.pid] = _planned(process, "kill", number)
    return list(found.values())


def _with_new_code(transition: Transition) -> Iterator[PlannedProcess]:
    for module in dict.fromkeys([*transition.loaded, *transition.suspended]):
        for process in conditions.callback_processes(module):
            yield _planned(process, transition.action(module))


def _planned(process: Process, action: Action, step: int | None = None) -> PlannedProcess:
    return PlannedProcess(
        pid=int(process.pid), name=process.name, module=process.module, action=action, kind=process.kind, step=step
    )


def stopped_processes(step: RelupInstruction) -> Iterator[Process]:
    """Yield each process that an instruction stops, followed by all its descendants."""
    match step:
        case StopProcesses():
            for module in step.modules:
                for process in conditions.callback_processes(module):
                    yield from _below(process)
        case Apply():
            yield from _stopped_by_call(step)
        case RestartChild():
            yield from _child(step.supervisor, step.child)
        case (
            LoadObjectCode()
            | PointOfNoReturn()
            | Load()
            | Remove()
            | Purge()
            | SuspendProcesses()
            | ResumeProcesses()
            | CodeChange()
            | StartProcesses()
            | SyncNodes()
            | RestartEmulator()
            | RestartNewEmulator()
        ):
            pass
        case _:
            assert_never(step)


def stopped_before_their_change(script: Sequence[RelupInstruction]) -> set[int]:
    """Return the pids of the processes that the script stops before it changes the code that they run.

    Until the script has ended, these processes are suspended and keep their code; then they exit.
    """
    changed: set[str] = set()
    stopped: set[int] = set()
    for step in script:
        stopped.update(int(process.pid) for process in stopped_processes(step) if process.module not in changed)
        match step:
            case CodeChange():
                changed.update(one.module for one in step.modules)
            case Load() | Remove():
                changed.add(step.module)
            case (
                LoadObjectCode()
                | PointOfNoReturn()
                | Purge()
                | SuspendProcesses()
                | ResumeProcesses()
                | StopProcesses()
                | StartProcesses()
                | RestartChild()
                | Apply()
                | SyncNodes()
                | RestartEmulator()
                | RestartNewEmulator()
            ):
                pass
            case _:
                assert_never(step)
    return stopped


def pids_of_stopped(script: Sequence[RelupInstruction]) -> frozenset[int]:
    """Return the pids of all processes that the script stops. These processes are suspended until they exit."""
    return frozenset(int(process.pid) for step in script for process in stopped_processes(step))


def _stopped_by_call(step: Apply) -> Iterator[Process]:
    if step.function in _STOP_FUNCTIONS and len(step.args) == 2:
        yield from _child(*step.args)
    elif step.function == f"{APPLICATION}:stop" and step.args:
        application = applications().running.get(step.args[0])
        if application is not None and application.master in runtime().processes:
            yield from _below(runtime().processes[application.master])


def _child(supervisor: Any, id: Any) -> Iterator[Process]:
    """Yield a running child of a registered supervisor, and all its descendants."""
    process = runtime().names.get(supervisor) if isinstance(supervisor, str) else None
    child = process.raw_state().find(id) if isinstance(process, SupervisorProcess) else None
    if child is not None and child.pid in runtime().processes:
        yield from _below(runtime().processes[child.pid])


def _below(top: Process) -> Iterator[Process]:
    """Yield a process and all its descendants."""
    children: dict[int, list[Process]] = {}
    for process in runtime().processes.values():
        children.setdefault(process.parent, []).append(process)
    waiting = [top]
    while waiting:
        process = waiting.pop()
        yield process
        waiting += reversed(children.get(process.pid, []))


def _killed(step: RelupInstruction, brutal: set[str]) -> Iterator[Process]:
    """Yield the processes that a brutal purge kills, because they run the purged code.

    `brutal` collects the modules that instructions load or remove with "brutal_purge".
    """
    match step:
        case Load() | Remove():
            if step.post_purge == "brutal_purge":
                brutal.add(step.module)
        case Purge():
            for module in step.modules:
                if module in brutal:
                    yield from conditions.coroutine_processes(module)
        case (
            LoadObjectCode()
            | PointOfNoReturn()
            | SuspendProcesses()
            | ResumeProcesses()
            | CodeChange()
            | StopProcesses()
            | StartProcesses()
            | RestartChild()
            | Apply()
            | SyncNodes()
            | RestartEmulator()
            | RestartNewEmulator()
        ):
            pass
        case _:
            assert_never(step)


# ------------------------------------------------------------------ children whose specification changes


def with_steps(children: tuple[PlannedChild, ...], script: Sequence[RelupInstruction]) -> tuple[PlannedChild, ...]:
    """Return the children, each with the number of the instruction that starts or stops it."""
    return tuple(msgspec.structs.replace(child, step=_step(child, script)) for child in children)


def _step(child: PlannedChild, script: Sequence[RelupInstruction]) -> int | None:
    """Return the number of the instruction that starts an added child or stops a removed one; else None.

    A start counts only after the supervisor's code_change, which makes the new specification known.
    """
    wanted = {"added": _START_FUNCTIONS, "removed": _STOP_FUNCTIONS}.get(child.change, ())
    process = runtime().processes.get(child.supervisor)
    module = process.module if process is not None else ""
    read = child.change == "removed"
    for number, step in numbered_instructions(script):
        match step:
            case CodeChange():
                read = read or any(module == changed.module for changed in step.modules)
            case Apply():
                if read and step.function in wanted and step.args[:2] == (child.supervisor_name, child.id):
                    return number
            case (
                LoadObjectCode()
                | PointOfNoReturn()
                | Load()
                | Remove()
                | Purge()
                | SuspendProcesses()
                | ResumeProcesses()
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
    return None


def children_without_step(
    children: tuple[PlannedChild, ...], script: Sequence[RelupInstruction]
) -> tuple[list[Blocker], list[str]]:
    """Return blockers for children that the script should start or stop but does not, and warnings.

    If the script applies a function of the release, this function may start or stop the child. Then the child gets a
    warning instead of a blocker. A child gets a warning, too, if its specification changes and the script does not
    restart it.
    """
    applies = [function for function in script_modules(script).applied if not function.startswith("node_runtime.")]
    blockers = []
    warnings = [_goes_on(child) for child in children if child.change == "replaced" and not _restarts(script, child)]
    for child in children:
        if child.step is not None or child.change not in ("added", "removed") or _has_ended(child):
            continue
        reason, remedy = _reason_and_remedy(child)
        if applies and not child.unread:
            warnings.append(f"{reason[0].upper()}{reason[1:]}, unless {' or '.join(dict.fromkeys(applies))} does that.")
        else:
            blockers.append(Blocker(reason=reason, remedy=remedy, pid=child.supervisor))
    return blockers, warnings


def _restarts(script: Sequence[RelupInstruction], child: PlannedChild) -> bool:
    """Return whether the script stops or restarts a child, or stops its supervisor."""
    stopped = {int(process.pid) for step in script for process in stopped_processes(step)}
    supervisor = runtime().processes.get(child.supervisor)
    table = supervisor.raw_state() if isinstance(supervisor, SupervisorProcess) else None
    running = None if table is None else table.find(child.id)
    return running is None or running.pid is None or bool(stopped & {int(running.pid), child.supervisor})


def _goes_on(child: PlannedChild) -> str:
    """Return the sentence about a child that keeps running with the arguments of its former specification."""
    supervisor = child.supervisor_name or f"<{child.supervisor}>"
    starts = f"{supervisor} starts" if child.unread else f"{child.id} starts"
    restart = f"hotdash restart NODE {child.id}"
    if child.supervisor_name is not None and not child.unread:
        restart = f'{{ restart_child = "{child.id}", supervisor = "{supervisor}" }} in the appup'
    return (
        f"The specification of the child {child.id} of {supervisor} changes. The running child keeps its old arguments "
        f"until {starts} the next time; to restart it, use {restart}."
    )


def _reason_and_remedy(child: PlannedChild) -> tuple[str, str]:
    """Return why a child would not be started or stopped, and how to correct the appup."""
    supervisor = child.supervisor_name or f"<{child.supervisor}>"
    is_changed = (
        f"the new specification of {supervisor} {'adds' if child.change == 'added' else 'removes'} the child {child.id}"
    )
    if child.unread:
        process = runtime().processes.get(child.supervisor)
        module = process.module if process is not None else supervisor
        update = f'{{ update = "{module}", type = "supervisor" }}'
        cause = f"the script loads {module} without a code_change, so {supervisor} would not read its new specification"
        reason = f"{is_changed}, but {cause}"
        return reason, f"add {update} to the appup"
    done = "starts" if child.change == "added" else "stops"
    after = f" after the code_change of {supervisor}" if child.change == "added" else ""
    reason = f"{is_changed}, but no instruction {done} it{after}"
    function = (_START_FUNCTIONS if child.change == "added" else _STOP_FUNCTIONS)[0]
    if child.supervisor_name is None:
        own = f"in the appup, apply a function of the release that {done} the child"
        return reason, f"{own}; or register a name for the supervisor, so that the appup can apply {function} to it"
    apply = f'{{ apply = "{function}", args = ["{supervisor}", "{child.id}"] }}'
    return reason, f"add {apply} to the appup{', after the update' if after else ''}"


def _has_ended(child: PlannedChild) -> bool:
    """Return whether a removed child has already ended."""
    process = runtime().processes.get(child.supervisor)
    known = process.raw_state().find(child.id) if isinstance(process, SupervisorProcess) else None
    return child.change == "removed" and (known is None or (known.pid is None and not known.restarting))
