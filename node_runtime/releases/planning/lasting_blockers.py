"""The blockers of a transition that don't pass by themselves, other than those that a rehearsal finds."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from node_runtime.behaviours.upgrade.live_processes import (
    BehaviourProcess,
    CallbackVersion,
    behaviour_of,
    defined_reserved_name,
)
from node_runtime.code import Batch
from node_runtime.protocol.messages import Blocker

from . import affected, conditions
from .transition import Transition

KEEP_REMEDY = "keep the class, or stop its processes before the upgrade"


def lasting_blockers(transition: Transition, batch: Batch) -> list[Blocker]:
    """Return the blockers that don't pass by themselves."""
    return [
        *conditions.vanished_names(transition, batch),
        *conditions.left_behind(transition, batch),
        *unusable_classes(transition, batch),
        *conditions.missing_functions(transition, batch),
    ]


def unusable_classes(transition: Transition, batch: Batch) -> Iterator[Blocker]:
    """Yield a blocker for each live process that can't continue in the new version of its class.

    A process that the script stops before it gives the processes of the module their new code needs no new class.
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
        kind = "no behaviour" if behaviour is None else f"a {behaviour.__name__}"
        return f"a {process.behaviour.__name__}, which is {kind} in release {vsn}"
    if (reserved := defined_reserved_name(cls, process.state_attribute)) is not None:
        return f"of which release {vsn} has a version that can't hold a state: {reserved}"
    if inspect.isabstract(cls):
        return f"which is abstract in release {vsn}"
    return None
