"""Gives a running supervisor the flags and child specifications of a new version of its class."""

from __future__ import annotations

from dataclasses import dataclass, replace

from node_runtime.behaviours.behaviour import current_class
from node_runtime.behaviours.supervision.child_table import ChildTable, forget_arguments
from node_runtime.behaviours.supervision.supervisor import Supervisor, SupervisorProcess
from node_runtime.processes.errors import Ignore


@dataclass(frozen=True, slots=True)
class ChildSpecChanges:
    """The changes that `children()` of the current version makes, by child id.

    `added` children are not started. `replaced` children get their new specification at their next start. `kept`
    children are not in `children()` any more; they continue until an operator or a script terminates and deletes them.
    `left_out` children are temporary and have ended; although `children()` names them, they are not added again.
    """

    added: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def adopt_current_class(process: SupervisorProcess) -> ChildSpecChanges:
    """Replace the supervisor's table by the table of its current class: see `live_processes.reload_child_specs`."""
    before: ChildTable = process.raw_state()
    cls = current_class(process.module, process.qualname)
    if not isinstance(cls, type):
        raise LookupError(f"the current version of {process.module} has no class {process.qualname}")
    instance: Supervisor = object.__new__(cls)
    try:
        after = ChildTable.of(instance, before.args, before.kwargs)
    except Ignore:
        process.refresh()
        return ChildSpecChanges()
    if (before.template is None) is not (after.template is None):
        raise ValueError(
            f"{process.title()} is {before.flags.strategy} and can't become {after.flags.strategy} while it runs; "
            "stop it and start it again, or give the new supervisor another name"
        )
    after.restarts, after.unhandled_exits = list(before.restarts), before.unhandled_exits
    changes = _move_instances(before, after) if after.template is not None else _move_children(before, after)
    process.refresh()
    process.take_state(after)
    return changes


def _move_children(before: ChildTable, after: ChildTable) -> ChildSpecChanges:
    """Move the running children of `before` to `after`."""
    named = tuple(after.children)
    had = frozenset(before.class_child_ids)
    ended = (id for id in named if id in had and id not in before.children)
    left_out = tuple(id for id in ended if after.children[id].spec.is_forgotten)
    for id in left_out:
        del after.children[id]
    for id, child in before.children.items():
        spec = after.children[id].spec if id in after.children else child.spec
        after.children[id] = taken = replace(child, spec=spec)
        if taken.pid is not None:
            after.by_pid[taken.pid] = taken
            if spec.is_forgotten:
                forget_arguments(taken)
    return ChildSpecChanges(
        added=tuple(id for id in named if id not in before.children and id not in left_out),
        replaced=tuple(i for i in named if i in before.children and before.children[i].spec != after.children[i].spec),
        kept=tuple(id for id in before.children if id not in named),
        left_out=left_out,
    )


def _move_instances(before: ChildTable, after: ChildTable) -> ChildSpecChanges:
    """Move the running instances of `before` to `after`."""
    assert before.template is not None
    assert after.template is not None
    old_spec, spec = before.template, after.template
    if old_spec.is_forgotten:
        # The arguments of the running instances were not kept, so no specification can restart them.
        spec = replace(spec, restart="temporary")
    after.has_objects = before.has_objects
    for key, child in before.by_pid.items():
        after.by_pid[key] = taken = replace(child, spec=spec)
        if spec.is_forgotten:
            forget_arguments(taken)
    return ChildSpecChanges(replaced=(spec.id,) if old_spec != after.template else ())
