"""What of a script is rehearsed: code_changes, process by process, functions, and the switch to the new code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess, SupervisorProcess
from node_runtime.releases.files.appup_instructions import Low
from node_runtime.releases.planning import affected, conditions
from node_runtime.releases.planning.transition import Transition

OWN: Final = "node_runtime."
"""Functions of the runtime begin so: they act on processes, and there are none in a copy of the node."""


@dataclass(frozen=True, slots=True)
class Change:
    """One code_change instruction for one module. `loaded`: the module's new version is current by then."""

    module: str
    direction: str
    extra: Any
    loaded: bool


@dataclass(frozen=True, slots=True)
class Part:
    """The code_change of one process. `back` is the module's one on the way down, None if it has none there."""

    process: BehaviourProcess
    change: Change
    back: Change | None


@dataclass(frozen=True, slots=True)
class Switch:
    """Here all modules of the script become current, at the first of these; this one is `module`'s."""

    module: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function that instruction `step` applies, and what undoes it."""

    step: int
    function: str
    args: list[Any]
    undo: str | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """An instruction that a copy of the node can't carry out, and that what comes later may build upon."""

    step: int


@dataclass(frozen=True, slots=True)
class Unread:
    """A supervisor whose module is loaded, and that the script does not let read its children again."""

    process: SupervisorProcess


Act = Part | Switch | Call | Skipped | Unread


def acts(transition: Transition) -> Iterator[Act]:
    """The rehearsal of a transition with the processes that live now, in the script's order.

    Whom the script has stopped by then goes through no code_change.
    """
    back = {} if transition.back is None else {change.module: change for change in changes(transition.back)}
    gone: set[int] = set()
    for number, step in affected.numbered(transition.script):
        stopped = {int(process.pid) for process in affected.stopped(step)}
        gone |= stopped
        if step[0] in ("load", "remove"):
            yield Switch(step[1])
        elif step[0] == "code_change":
            for change in _of_step(step, _loaded_before(transition.script, step)):
                for process in conditions.users(change.module):
                    if process.pid not in gone:
                        yield Part(process, change, back.get(change.module))
        elif step[0] == "apply" and not step[1].startswith(OWN):
            yield Call(number, step[1], step[2], step[3]["undo"])
        elif step[0] in ("apply", "stop", "start"):
            yield Skipped(number)
    yield from (Unread(process) for process in unread(transition) if process.pid not in gone)


def unread(transition: Transition) -> list[SupervisorProcess]:
    """The live supervisors whose modules are loaded without being read again."""
    modules = [module for module in transition.loaded if module not in transition.migrated]
    users = conditions.users(*modules) if modules else []
    return [process for process in users if isinstance(process, SupervisorProcess)]


def calls(transition: Transition) -> bool:
    """Whether the script applies functions of the release."""
    return any(step[0] == "apply" and not step[1].startswith(OWN) for step in transition.script)


def changes(script: list[Low]) -> Iterator[Change]:
    """Every code_change of a script."""
    for step in script:
        if step[0] == "code_change":
            yield from _of_step(step, _loaded_before(script, step))


def _of_step(step: Low, loaded: Mapping[str, bool]) -> Iterator[Change]:
    for module, extra in step[2]:
        yield Change(module, step[1], extra, module in loaded)


def _loaded_before(script: list[Low], step: Low) -> Mapping[str, bool]:
    at = next(number for number, one in enumerate(script) if one is step)
    return {one[1]: True for one in script[:at] if one[0] == "load"}
