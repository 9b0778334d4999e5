"""The remedies for values that an upgrade would leave in old code."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, Final, assert_never

from node_runtime.behaviours.show.raw_reads import module_of
from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess, SupervisorProcess
from node_runtime.processes.process import Process
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.messages import ValuePlace
from node_runtime.releases.migration import Obstacle
from node_runtime.releases.migration.named_objects import NamedObject
from node_runtime.releases.planning.conditions import WAIT_REMEDY
from node_runtime.releases.planning.transition import Transition

from .findings import Finding
from .value_search import SUSPENDED_SORTS, FoundValue

SUPERVISOR: Final = "node_runtime.supervisor"
FindObstacle = Callable[[Finding], Obstacle | None]
"""Returns why the default migration of a process's state would fail; None if no obstacle is known."""
RESUME: Final = "resume the process, so that it handles the message in the old code"


def remedy_for(finding: Finding, transition: Transition, find_obstacle: FindObstacle) -> str:
    """Return the remedy for a finding, such as "write a code_change of Room that converts this value"."""
    process, place, detail = finding.at.process, finding.at.place, finding.at.detail
    if finding.left_by is not None and finding.found.sort not in SUSPENDED_SORTS:
        written = f"let the code_change of {process.module} convert this value, too"
        is_default = finding.left_by == "default migration"
        return f"write a code_change of {process.qualname} that converts this value" if is_default else written
    match place:
        case "state" | "state name" if finding.found.sort in SUSPENDED_SORTS:
            return _replace_suspended(finding, transition)
        case "state" | "state name":
            return _update(finding, transition, find_obstacle)
        case "child arguments" | "start arguments":
            return _either(finding.obstacle, _child(process, place, detail, transition))
        case "message" | "timer" | "timeout" | "postponed event":
            return _pending(finding, transition)
        case "call":
            return f"{WAIT_REMEDY}; `hotdash {_end_verb(process)}` ends a call that does not end by itself"
        case _ as unknown:
            assert_never(unknown)


def pending_remedy(process: Process, obstacle: Obstacle | None) -> str:
    """Return the remedy for a message in the mailbox of `process` that can't be converted."""
    return _either(obstacle, RESUME if process.suspend_owners else WAIT_REMEDY)


def _pending(finding: Finding, transition: Transition) -> str:
    process, place = finding.at.process, finding.at.place
    if place == "message":
        return pending_remedy(process, finding.obstacle)
    if place == "timer" and finding.at.detail:
        return _either(finding.obstacle, "wait until the timer fires")
    return _either(finding.obstacle, _restart(process, transition))


def _either(obstacle: Obstacle | None, otherwise: str) -> str:
    return f"{obstacle.remedy}, or {otherwise}" if obstacle is not None and obstacle.remedy else otherwise


def _end_verb(process: Process) -> str:
    is_child = isinstance(runtime().processes.get(process.parent), SupervisorProcess)
    return "restart" if is_child else "kill"


def _appup(transition: Transition) -> str:
    """Return a phrase that names the appup with the script's instructions: the appup of the newer release."""
    newer = transition.target if transition.direction == "up" else transition.left
    return f"the appup of release {newer.vsn}"


def _update(finding: Finding, transition: Transition, find_obstacle: FindObstacle) -> str:
    process, found = finding.at.process, finding.found
    module = process.module
    if not isinstance(process, BehaviourProcess) or module not in transition.target.sources:
        return _restart(process, transition)
    home = _home(found)
    deps = f', deps = ["{home}"]' if home and home != module else ""
    instruction = f'{{ update = "{module}", change = "advanced"{deps} }}'
    old = "update" if module in transition.suspended else "load_module" if module in transition.loaded else None
    change = f"replace the {old} of {module} in {_appup(transition)} by" if old else f"add to {_appup(transition)}"
    remedy = f"{change} {instruction}: then code_change converts the value"
    obstacle = find_obstacle(finding)
    if obstacle is None:
        return remedy
    return f"{remedy}. For this, also {_either(obstacle, 'write a code_change')}, because {obstacle}"


def _replace_suspended(finding: Finding, transition: Transition) -> str:
    """Return how to replace a generator or a coroutine, which would continue in the old version."""
    process = finding.at.process
    restart = _restart(process, transition)
    if not isinstance(process, BehaviourProcess) or process.module not in transition.target.sources:
        return restart
    update = f'{{ update = "{process.module}", change = "advanced" }}'
    has = "" if process.module in transition.migrated else f", and add to {_appup(transition)} {update}"
    return f"write a code_change of {process.qualname} that makes it anew{has}; or {restart}"


def _home(found: FoundValue) -> str | None:
    thing: Any = found.thing
    if isinstance(thing, type):
        return module_of(thing)
    if isinstance(thing, NamedObject):
        return thing.module
    if type(thing) is FunctionType:
        return str(thing.__globals__.get("__name__", ""))
    return None


def _child(process: Process, place: ValuePlace, id: str, transition: Transition) -> str:
    table = process.raw_state() if isinstance(process, SupervisorProcess) else None
    update = f'{{ update = "{process.module}", type = "supervisor" }}'
    own = table is not None and (id in table.class_child_ids or (table.template is not None and not table.by_pid))
    if place == "child arguments" and own and process.module in transition.target.sources:
        return f"add to {_appup(transition)} {update}: then the supervisor reads the arguments from its children()"
    return (
        "start the child with plain values, such as numbers and text, instead of objects of the release's own classes"
    )


def _restart(process: Process, transition: Transition) -> str:
    """Return, as text, the instructions that stop a process before the switch and start it anew after the switch."""
    parent = runtime().processes.get(process.parent)
    child = parent.raw_state().by_pid.get(process.pid) if isinstance(parent, SupervisorProcess) else None
    if parent is None or parent.name is None or child is None or child.args is not None:
        return "stop the process before the upgrade, or keep the class or function unchanged"
    args = f'args = ["{parent.name}", "{child.spec.id}"]'
    stop, start = (f'{{ apply = "{SUPERVISOR}:{verb}_child", {args} }}' for verb in ("terminate", "restart"))
    return f"begin {_appup(transition)} with {stop}, and end it with {start}: the process then starts anew"
