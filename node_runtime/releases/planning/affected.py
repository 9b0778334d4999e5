"""Whom a script touches, of the processes that live now: who gets new code, is held, migrated, stopped or killed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final, Literal, assert_never

import msgspec

from node_runtime.behaviours.application_controller import applications
from node_runtime.behaviours.supervision.supervisor import SupervisorProcess
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
    RestartEmulator,
    RestartNewEmulator,
    ResumeProcesses,
    StartProcesses,
    StopProcesses,
    SuspendProcesses,
    SyncNodes,
)

from . import conditions
from .transition import Transition

SUPERVISOR: Final = "node_runtime.supervisor"
APPLICATION: Final = "node_runtime.application"
_STARTS: Final = (f"{SUPERVISOR}:restart_child", f"{SUPERVISOR}:start_child")
SLICE: Final = 500
"""How many processes are looked at in one turn of the event loop."""
_STOPS: Final = (f"{SUPERVISOR}:terminate_child",)

Action = Literal["load", "suspend", "migrate", "stop", "kill"]


def numbered(script: Sequence[RelupInstruction]) -> Iterator[tuple[int, RelupInstruction]]:
    """The instructions as a plan numbers them: from 1, without the point of no return."""
    return enumerate((step for step in script if not isinstance(step, PointOfNoReturn)), 1)


async def processes(transition: Transition) -> list[PlannedProcess]:
    """Everybody whom the script touches, each once: who is stopped or killed only as that.

    The event loop gets its turn in between.
    """
    found: dict[int, PlannedProcess] = {}
    for one in _with_new_code(transition):
        found[one.pid] = one
        if not len(found) % SLICE:
            await asyncio.sleep(0)
    brutal: set[str] = set()
    for number, step in numbered(transition.script):
        for process in stopped(step):
            found[process.pid] = _planned(process, "stop", number)
        for process in _killed(step, brutal):
            if found.get(process.pid) is None or found[process.pid].action == "load":
                found[process.pid] = _planned(process, "kill", number)
    return list(found.values())


def _with_new_code(transition: Transition) -> Iterator[PlannedProcess]:
    for module in dict.fromkeys([*transition.loaded, *transition.suspended]):
        for process in conditions.users(module):
            yield _planned(process, transition.action(module))


def _planned(process: Process, action: Action, step: int | None = None) -> PlannedProcess:
    return PlannedProcess(
        pid=int(process.pid), name=process.name, module=process.module, action=action, kind=process.kind, step=step
    )


def stopped(step: RelupInstruction) -> Iterator[Process]:
    """Yield the processes that an instruction terminates in order, with all that were started below them."""
    match step:
        case StopProcesses():
            for module in step.modules:
                for process in conditions.users(module):
                    yield from _below(process)
        case Apply():
            yield from _stopped_by_call(step)
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


def _stopped_by_call(step: Apply) -> Iterator[Process]:
    if step.function in _STOPS and len(step.args) == 2:
        supervisor, id = step.args
        asked = runtime().names.get(supervisor) if isinstance(supervisor, str) else None
        child = asked.raw_state().find(id) if isinstance(asked, SupervisorProcess) else None
        if child is not None and child.pid in runtime().processes:
            yield from _below(runtime().processes[child.pid])
    elif step.function == f"{APPLICATION}:stop" and step.args:
        known = applications().running.get(step.args[0])
        if known is not None and known.master in runtime().processes:
            yield from _below(runtime().processes[known.master])


def _below(top: Process) -> Iterator[Process]:
    """A process and whoever was started below it."""
    children: dict[int, list[Process]] = {}
    for process in runtime().processes.values():
        children.setdefault(process.parent, []).append(process)
    waiting = [top]
    while waiting:
        process = waiting.pop()
        yield process
        waiting += reversed(children.get(process.pid, []))


def _killed(step: RelupInstruction, brutal: set[str]) -> Iterator[Process]:
    """Yield the processes that run code which an instruction purges brutally.

    `brutal` collects the modules that the script has loaded or removed with a brutal purge.
    """
    match step:
        case Load() | Remove():
            if step.post_purge == "brutal_purge":
                brutal.add(step.module)
        case Purge():
            for module in step.modules:
                if module in brutal:
                    yield from conditions.coroutines(module)
        case (
            LoadObjectCode()
            | PointOfNoReturn()
            | SuspendProcesses()
            | ResumeProcesses()
            | CodeChange()
            | StopProcesses()
            | StartProcesses()
            | Apply()
            | SyncNodes()
            | RestartEmulator()
            | RestartNewEmulator()
        ):
            pass
        case _:
            assert_never(step)


# ------------------------------------------------------------------ supervisors that are read anew


def with_steps(children: tuple[PlannedChild, ...], script: Sequence[RelupInstruction]) -> tuple[PlannedChild, ...]:
    """The children with the instructions that start or stop them."""
    return tuple(msgspec.structs.replace(child, step=_step(child, script)) for child in children)


def _step(child: PlannedChild, script: Sequence[RelupInstruction]) -> int | None:
    """Return the number of the instruction that starts or stops a child; one that starts it follows the code_change."""
    wanted = {"added": _STARTS, "removed": _STOPS}.get(child.change, ())
    process = runtime().processes.get(child.supervisor)
    module = process.module if process is not None else ""
    read = child.change == "removed"
    for number, step in numbered(script):
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
                | SyncNodes()
                | RestartEmulator()
                | RestartNewEmulator()
            ):
                pass
            case _:
                assert_never(step)
    return None


def forgotten(
    children: tuple[PlannedChild, ...], script: Sequence[RelupInstruction]
) -> tuple[list[Blocker], list[str]]:
    """Children that no instruction starts or stops: as blockers, or as warnings where an `apply` may see to them."""
    functions = [step.function for step in script if isinstance(step, Apply)]
    applies = [function for function in functions if not function.startswith("node_runtime.")]
    blockers, warnings = [], []
    for child in children:
        if child.step is not None or child.change not in ("added", "removed") or _is_over(child):
            continue
        reason, remedy = _forgotten(child)
        if applies and not child.unread:
            warnings.append(f"{reason}, unless {' or '.join(dict.fromkeys(applies))} does.")
        else:
            blockers.append(Blocker(reason=reason, remedy=remedy, pid=child.supervisor))
    return blockers, warnings


def _forgotten(child: PlannedChild) -> tuple[str, str]:
    """Why a child would not come or go, and what to do about that."""
    whose = child.supervisor_name or f"<{child.supervisor}>"
    is_changed = f"{child.id} is {child.change} by the new specification of {whose}"
    if child.unread:
        process = runtime().processes.get(child.supervisor)
        module = process.module if process is not None else whose
        update = f'{{ update = "{module}", type = "supervisor" }}'
        return f"{is_changed}, which the script loads without letting it read that", f"say {update} in the appup"
    done = "starts" if child.change == "added" else "stops"
    after = " after that has been read" if child.change == "added" else ""
    reason = f"{is_changed}, and no instruction {done} it{after}"
    if child.supervisor_name is None:
        return reason, f"start the supervisor under a name, or apply a function of the release that {done} the child"
    function = (_STARTS if child.change == "added" else _STOPS)[0]
    apply = f'{{ apply = "{function}", args = ["{whose}", "{child.id}"] }}'
    return reason, f"add {apply} to the appup{', behind the update' if after else ''}"


def _is_over(child: PlannedChild) -> bool:
    """Whether a removed child does not run anyway."""
    process = runtime().processes.get(child.supervisor)
    known = process.raw_state().find(child.id) if isinstance(process, SupervisorProcess) else None
    return child.change == "removed" and (known is None or (known.pid is None and not known.restarting))
