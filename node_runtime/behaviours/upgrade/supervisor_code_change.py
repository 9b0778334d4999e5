"""A running supervisor is given the flags and child specifications of a new version of its class."""

from __future__ import annotations

from dataclasses import dataclass, replace

from node_runtime.behaviours.behaviour import current_class
from node_runtime.behaviours.supervision.child_table import Table, forget_arguments
from node_runtime.behaviours.supervision.supervisor import Supervisor, SupervisorProcess
from node_runtime.processes.errors import Ignore


@dataclass(frozen=True, slots=True)
class ReRead:
    """What `children()` of the current version has changed, by child id.

    `added` are not started. `replaced` have another specification from their next start on. `kept` are those that
    `children()` doesn't name any more: they go on until somebody terminates and deletes them. `left_out` are temporary
    children that have ended: that `children()` still names them doesn't bring them back.
    """

    added: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def take_new_class(process: SupervisorProcess) -> ReRead:
    """See hot.re_read."""
    before: Table = process.raw_state()
    cls = current_class(process.module, process.qualname)
    if not isinstance(cls, type):
        raise LookupError(f"the current version of {process.module} has no class {process.qualname}")
    instance: Supervisor = object.__new__(cls)
    try:
        after = Table.of(instance, before.args, before.kwargs)
    except Ignore:
        process.refresh()
        return ReRead()
    if (before.template is None) is not (after.template is None):
        raise ValueError(
            f"{process.title()} is {before.flags.strategy} and can't become {after.flags.strategy} while it runs; "
            "stop it and start it anew, or give the new one another name"
        )
    after.restarts, after.gone = list(before.restarts), before.gone
    changes = _take_instances(before, after) if after.template is not None else _take_children(before, after)
    process.refresh()
    process.take_state(after)
    return changes


def _take_children(before: Table, after: Table) -> ReRead:
    """Let `after` go on with the children of `before`."""
    named = tuple(after.children)
    had = frozenset(before.named)
    ended = (id for id in named if id in had and id not in before.children)
    left_out = tuple(id for id in ended if after.children[id].spec.restart == "temporary")
    for id in left_out:
        del after.children[id]
    for id, child in before.children.items():
        spec = after.children[id].spec if id in after.children else child.spec
        after.children[id] = taken = replace(child, spec=spec)
        if taken.pid is not None:
            after.by_pid[taken.pid] = taken
            if spec.restart == "temporary":
                forget_arguments(taken)
    return ReRead(
        added=tuple(id for id in named if id not in before.children and id not in left_out),
        replaced=tuple(i for i in named if i in before.children and before.children[i].spec != after.children[i].spec),
        kept=tuple(id for id in before.children if id not in named),
        left_out=left_out,
    )


def _take_instances(before: Table, after: Table) -> ReRead:
    """Let `after` go on with the instances of `before`."""
    assert before.template is not None
    assert after.template is not None
    was, spec = before.template, after.template
    if was.restart == "temporary":
        # The arguments of those that run are forgotten, so that they can't be restarted by any specification.
        spec = replace(spec, restart="temporary")
    for key, child in before.by_pid.items():
        after.by_pid[key] = taken = replace(child, spec=spec)
        if spec.restart == "temporary":
            forget_arguments(taken)
    return ReRead(replaced=(spec.id,) if was != after.template else ())
