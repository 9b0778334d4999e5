"""The steps of a rehearsal: the code_change of each process, applied functions, and the switch to the new code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, assert_never

import msgspec

from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess, SupervisorProcess
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
from node_runtime.releases.planning import affected, conditions
from node_runtime.releases.planning.transition import Transition
from node_runtime.releases.relup.script_modules import script_modules

RUNTIME_PREFIX: Final = "node_runtime."
"""The prefix of the runtime's functions. A rehearsal skips them: no process runs in the copy."""


class ModuleCodeChange(msgspec.Struct, frozen=True):
    """One code_change instruction for one module. `loaded` is whether an earlier instruction has loaded the module."""

    module: str
    direction: str
    extra: Any
    loaded: bool


class ProcessCodeChange(msgspec.Struct, frozen=True):
    """The code_change of one process. `back` has the module's instructions in the downgrade script, in their order.

    `is_last` is whether the script has no further code_change for the module.
    """

    process: BehaviourProcess
    change: ModuleCodeChange
    back: tuple[ModuleCodeChange, ...]
    is_last: bool


class SwitchStep(msgspec.Struct, frozen=True):
    """The instruction that loads or removes `module`. The first such step of a script switches all modules."""

    module: str


class ApplyCall(msgspec.Struct, frozen=True):
    """The function that instruction `step` applies and, if there is one, the function that undoes the effect."""

    step: int
    function: str
    args: tuple[Any, ...]
    undo: str | None


class SkippedStep(msgspec.Struct, frozen=True):
    """An instruction that a copy of the node can't carry out. Later instructions may depend on its effect."""

    step: int


class StaleSupervisor(msgspec.Struct, frozen=True):
    """A supervisor whose module is loaded without a code_change, so it keeps its old children()."""

    process: SupervisorProcess


RehearsalStep = ProcessCodeChange | SwitchStep | ApplyCall | SkippedStep | StaleSupervisor


def rehearsal_steps(transition: Transition) -> Iterator[RehearsalStep]:
    """Yield the steps of the rehearsal for the live processes, in the script's order.

    If an earlier instruction stops a process, the code_change of that process is left out.
    """
    back = _changes_by_module(transition.script_back or [])
    left = Counter(change.module for change in code_changes(transition.script))
    gone: set[int] = set()
    for number, step in affected.numbered_instructions(transition.script):
        gone.update(int(process.pid) for process in affected.stopped_processes(step))
        match step:
            case Load() | Remove():
                yield SwitchStep(step.module)
            case CodeChange():
                for change in _of_step(step, _loaded_before(transition.script, step)):
                    left[change.module] -= 1
                    changes_back, is_last = back.get(change.module, ()), not left[change.module]
                    for process in conditions.callback_processes(change.module):
                        if process.pid not in gone:
                            yield ProcessCodeChange(process, change, changes_back, is_last)
            case Apply():
                if step.function.startswith(RUNTIME_PREFIX):
                    yield SkippedStep(number)
                else:
                    yield ApplyCall(number, step.function, step.args, step.undo)
            case StopProcesses() | StartProcesses() | RestartChild():
                yield SkippedStep(number)
            case (
                LoadObjectCode()
                | PointOfNoReturn()
                | Purge()
                | SuspendProcesses()
                | ResumeProcesses()
                | SyncNodes()
                | RestartEmulator()
                | RestartNewEmulator()
            ):
                pass
            case _:
                assert_never(step)
    yield from (StaleSupervisor(process) for process in stale_supervisors(transition) if process.pid not in gone)


def stale_supervisors(transition: Transition) -> list[SupervisorProcess]:
    """Return the live supervisors whose modules the script loads without a code_change."""
    modules = [module for module in transition.loaded if module not in transition.migrated]
    users = conditions.callback_processes(*modules) if modules else []
    return [process for process in users if isinstance(process, SupervisorProcess)]


def applies_functions(transition: Transition) -> bool:
    """Return whether the script applies functions of the release."""
    return any(not function.startswith(RUNTIME_PREFIX) for function in transition.modules.applied)


def code_changes(script: Sequence[RelupInstruction]) -> Iterator[ModuleCodeChange]:
    """Yield every code_change of a script."""
    for step in script:
        if isinstance(step, CodeChange):
            yield from _of_step(step, _loaded_before(script, step))


def _changes_by_module(script: Sequence[RelupInstruction]) -> dict[str, tuple[ModuleCodeChange, ...]]:
    found: dict[str, tuple[ModuleCodeChange, ...]] = {}
    for change in code_changes(script):
        found[change.module] = (*found.get(change.module, ()), change)
    return found


def _of_step(step: CodeChange, loaded: Collection[str]) -> Iterator[ModuleCodeChange]:
    for changed in step.modules:
        yield ModuleCodeChange(changed.module, step.direction, changed.extra, changed.module in loaded)


def _loaded_before(script: Sequence[RelupInstruction], step: CodeChange) -> Collection[str]:
    at = next(number for number, one in enumerate(script) if one is step)
    return set(script_modules(script[:at]).loaded)
