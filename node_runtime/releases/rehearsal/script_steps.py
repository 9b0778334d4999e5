"""The steps of a rehearsal: code_changes, process by process, applied functions, and the switch to the new code."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, assert_never

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

RUNTIME_PREFIX: Final = "node_runtime."
"""The prefix of the runtime's functions: they act on processes, and a copy of the node has none."""


@dataclass(frozen=True, slots=True)
class Change:
    """One code_change instruction for one module. `loaded`: the script has loaded the module's new version before."""

    module: str
    direction: str
    extra: Any
    loaded: bool


@dataclass(frozen=True, slots=True)
class Part:
    """The code_change of one process. `back` is its module's code_change in the script back; None if it has none."""

    process: BehaviourProcess
    change: Change
    back: Change | None


@dataclass(frozen=True, slots=True)
class Switch:
    """The load or removal of `module`. At the first of these all modules of the script become current."""

    module: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function that instruction `step` applies, and the function that undoes it."""

    step: int
    function: str
    args: tuple[Any, ...]
    undo: str | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """An instruction that a copy of the node can't carry out. Later ones may depend on it."""

    step: int


@dataclass(frozen=True, slots=True)
class Unread:
    """A supervisor whose module is loaded, but whose child specifications the script does not read again."""

    process: SupervisorProcess


Act = Part | Switch | Call | Skipped | Unread


def acts(transition: Transition) -> Iterator[Act]:
    """Yield the steps for the live processes, in the script's order.

    A process that the script has stopped by then has no code_change.
    """
    back = {change.module: change for change in changes(transition.script_back or [])}
    gone: set[int] = set()
    for number, step in affected.numbered(transition.script):
        gone.update(int(process.pid) for process in affected.stopped_processes(step))
        match step:
            case Load() | Remove():
                yield Switch(step.module)
            case CodeChange():
                for change in _of_step(step, _loaded_before(transition.script, step)):
                    for process in conditions.users(change.module):
                        if process.pid not in gone:
                            yield Part(process, change, back.get(change.module))
            case Apply():
                if step.function.startswith(RUNTIME_PREFIX):
                    yield Skipped(number)
                else:
                    yield Call(number, step.function, step.args, step.undo)
            case StopProcesses() | StartProcesses():
                yield Skipped(number)
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
    yield from (Unread(process) for process in unread(transition) if process.pid not in gone)


def unread(transition: Transition) -> list[SupervisorProcess]:
    """Return the live supervisors whose modules are loaded, but whose child specifications are not read again."""
    modules = [module for module in transition.loaded if module not in transition.migrated]
    users = conditions.users(*modules) if modules else []
    return [process for process in users if isinstance(process, SupervisorProcess)]


def calls(transition: Transition) -> bool:
    """Return whether the script applies functions of the release."""
    return any(isinstance(step, Apply) and not step.function.startswith(RUNTIME_PREFIX) for step in transition.script)


def changes(script: Sequence[RelupInstruction]) -> Iterator[Change]:
    """Yield every code_change of a script."""
    for step in script:
        if isinstance(step, CodeChange):
            yield from _of_step(step, _loaded_before(script, step))


def _of_step(step: CodeChange, loaded: Collection[str]) -> Iterator[Change]:
    for changed in step.modules:
        yield Change(changed.module, step.direction, changed.extra, changed.module in loaded)


def _loaded_before(script: Sequence[RelupInstruction], step: CodeChange) -> Collection[str]:
    at = next(number for number, one in enumerate(script) if one is step)
    return {one.module for one in script[:at] if isinstance(one, Load)}
