"""What of a script is rehearsed: its code_changes, process by process, and the switch to the new code among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from node_runtime.behaviours.process import BehaviourProcess

from .. import conditions
from ..instructions import Low
from ..transition import Transition


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
    """Here all modules of the script become current."""


def acts(transition: Transition) -> Iterator[Part | Switch]:
    """The rehearsal of a transition with the processes that live now, in the script's order."""
    back = {} if transition.back is None else {change.module: change for change in changes(transition.back)}
    switched = False
    for step in transition.script:
        if step[0] in ("load", "remove") and not switched:
            switched = True
            yield Switch()
        elif step[0] == "code_change":
            for change in _of_step(step, _loaded_before(transition.script, step)):
                for process in conditions.users(change.module):
                    yield Part(process, change, back.get(change.module))


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
