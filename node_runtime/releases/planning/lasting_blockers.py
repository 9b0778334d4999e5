"""The blockers of a transition that don't pass by themselves, except those that a rehearsal finds."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from node_runtime.behaviours.upgrade.live_processes import (
    BehaviourProcess,
    CallbackVersion,
    SupervisorProcess,
    behaviour_of,
    defined_reserved_name,
)
from node_runtime.code import Batch
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.messages import Blocker
from node_runtime.releases.files.relup_instructions import RestartChild

from . import affected, conditions
from .participants import participants
from .transition import Transition

CARRY_REMEDY = (
    "keep the layout of the class and the types of its fields, and give new fields defaults; or let a `__carry__` "
    "function of the module return new instances"
)
KEEP_REMEDY = "keep the class, or stop its processes before the upgrade"


def lasting_blockers(transition: Transition, batch: Batch) -> list[Blocker]:
    """Return the blockers that don't pass by themselves, except those that a rehearsal finds."""
    return [
        *conditions.vanished_names(transition, batch),
        *conditions.left_behind(transition, batch),
        *unusable_classes(transition, batch),
        *conditions.missing_functions(transition, batch),
        *missing_children(transition),
        *(Blocker(reason=reason, remedy=CARRY_REMEDY) for reason in batch.carried_obstacles()),
        *participants().blockers(transition, batch),
    ]


def unusable_classes(transition: Transition, batch: Batch) -> Iterator[Blocker]:
    """Yield a blocker for each live process that can't continue in the new version of its class.

    A process needs no new class if the script stops it before the processes of its module get new code.
    """
    known: dict[CallbackVersion, str | None] = {}
    stopped = affected.stopped_before_their_change(transition.script)
    for process in conditions.callback_processes(*transition.loaded):
        code = process.code
        if code not in known:
            known[code] = _obstacle(transition, batch, process)
        reason = known[code]
        if reason is not None and process.pid not in stopped:
            label = conditions.process_label(process)
            yield Blocker(
                reason=f"{label} runs {code.module}:{code.qualname}, {reason}",
                remedy=KEEP_REMEDY,
                pid=int(process.pid),
            )


def _obstacle(transition: Transition, batch: Batch, process: BehaviourProcess) -> str | None:
    """Return a relative clause that says why the new version of a process's class is unusable; None if it is usable."""
    vsn = transition.target.vsn
    cls = conditions.class_in(batch.namespace(process.module), process.qualname)
    if cls is None:
        return f"which release {vsn} does not define"
    behaviour = behaviour_of(cls)
    if behaviour is not process.behaviour:
        kind = "not a behaviour" if behaviour is None else f"a {behaviour.__name__}"
        return f"which is a {process.behaviour.__name__} now, but {kind} in release {vsn}"
    if (reserved := defined_reserved_name(cls, process.state_attribute)) is not None:
        return f"whose version in release {vsn} can't hold a state: {reserved}"
    if inspect.isabstract(cls):
        return f"which is abstract in release {vsn}"
    return None


def missing_children(transition: Transition) -> Iterator[Blocker]:
    """Yield a blocker for each child that the script restarts, if the supervisor can't start this child again."""
    for step in transition.script:
        if not isinstance(step, RestartChild):
            continue
        process = runtime().names.get(step.supervisor)
        table = process.raw_state() if isinstance(process, SupervisorProcess) else None
        child = None if table is None else table.find(step.child)
        if process is not None and process.module in transition.migrated and child is None:
            continue  # its new specification may have the child
        if table is None or child is None:
            what = (
                f"{step.supervisor} has no child {step.child}" if table else f"no supervisor is named {step.supervisor}"
            )
        elif child.spec.is_forgotten or child.args is not None:
            what = f"{step.supervisor} can't start its child {step.child} again, since it is temporary"
        else:
            continue
        yield Blocker(
            reason=f"{what}, but the script restarts that child", remedy="correct the restart_child in the appup"
        )
