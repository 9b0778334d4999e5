"""Checks that a script starts new children and stops removed ones, and that no code calls a stopped child."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from node_runtime.releases.appups.code.effects import ChildEffect
from node_runtime.releases.files.appup_instructions import ModuleChange

from .mistakes import Mistake
from .running_node import ChildTableModel, RunningNode
from .script_steps import CheckedScript, CheckedStep, touched_module

SUPERVISOR = "node_runtime.supervisor"
RUNTIME_SUPERVISORS = frozenset({"web_sup"})
"""Supervisors of the runtime. The code of a release doesn't show their children."""


def child_mistakes(node: RunningNode, step: CheckedStep, effect: ChildEffect) -> Iterator[Mistake]:
    """Yield a mistake if a script can't start, stop or delete a child at this step."""
    table = node.table(effect)
    if effect.child is None or effect.supervisor is None:
        return
    sentence = None
    if table is None:
        sentence = _unknown_supervisor(node, effect.supervisor)
    elif effect.child in table.running:
        runs = table.running[effect.child]
        if effect.verb == "start" and runs:
            sentence = "it already runs; stop it first with terminate_child, or remove the instruction"
        elif effect.verb == "delete" and runs:
            sentence = "it still runs at this step; stop it first with terminate_child"
        if sentence is not None:
            sentence = f"{effect.verb} child {effect.child} of {table.name}: {sentence}"
    elif table.left.is_complete and table.target.is_complete and not table.has_template:
        sentence = _unknown_child(table, effect)
    if sentence is not None:
        yield Mistake(step.path, step.line, sentence)


def _unknown_supervisor(node: RunningNode, name: str) -> str | None:
    every = (*node.left.supervisors.values(), *node.target.supervisors.values())
    names = sorted({known for one in every for known in one.names})
    if name in names or name in RUNTIME_SUPERVISORS or not all(one.is_named for one in every):
        return None
    return f"no supervisor is registered as {name}; the releases have {', '.join(names) or 'none'}"


def _unknown_child(table: ChildTableModel, effect: ChildEffect) -> str | None:
    if effect.verb == "start" and effect.child in table.target.children:
        module = table.module
        return (
            f"start child {effect.child} of {table.name}: {table.name} gets this child only by its update; "
            f'move {{ update = "{module}", type = "supervisor" }} before this step'
        )
    known = ", ".join(table.running) or "none"
    return f"{effect.verb} child {effect.child} of {table.name}: there is no such child at this step, only {known}"


def users_of_a_stopped_child(
    node: RunningNode, step: CheckedStep, effect: ChildEffect, rest: Sequence[CheckedStep]
) -> Iterator[Mistake]:
    """Yield a mistake for each module that still calls a child which the step stops for ever."""
    table = node.table(effect)
    if table is None or effect.child not in table.running or (spec := table.spec(effect.child)) is None:
        return
    if effect.child in table.target.children and table.target.children[effect.child].start == spec.start:
        return  # it is started again
    later = {touched_module(part) for each in rest for part in each.instructions}
    elsewhere = node.running_modules_without(table, effect.child)
    for module in spec.modules:
        if module in elsewhere or module not in node.present:
            continue
        live = node.live_modules(module)
        for reference in node.references(module):
            user = reference.user
            if user in spec.modules or user not in live or user not in later or user == table.module:
                continue
            goes = user not in node.target.code.modules
            if node.present[user] == "target" or (not goes and node.target.uses(user, module)):
                continue
            if goes and node.left.reaches(module, user):
                continue
            routes = [path for path, _ in node.routed(user)]
            remedy = f"delete {user}" if goes else f"load {user}"
            how = f"requests for {', '.join(routes)} still reach {user}" if routes else f"{user} still runs"
            if routes and goes:
                remedy = "set the routes"
            yield Mistake(
                step.path,
                step.line,
                f"the child {effect.child} of {table.name} is stopped at this step, but {how}, which calls {module} "
                f"({reference.path}, line {reference.line}); {remedy} before this step",
            )


def children_at_the_end(node: RunningNode, script: CheckedScript) -> Iterator[Mistake]:
    """Yield a mistake for each new child that nothing starts, and for each removed child that nothing stops."""
    if not node.children_are_known:
        return
    for table in [table for table in node.tables.values() if not table.has_template]:
        app = next((app.name for app in script.target.view.apps if table.module in app.modules), "")
        path, line = script.head(app)
        old, new = table.left.children, table.target.children
        name = table.name
        for child, spec in new.items():
            if child not in old and table.left.is_complete and not table.running.get(child, False):
                yield Mistake(
                    path,
                    line,
                    f"{name} has the new child {child} ({spec.path}, line {spec.line}), but nothing starts it; add "
                    f'{{ apply = "{SUPERVISOR}:restart_child", args = ["{name}", "{child}"] }} after the update of '
                    f"{table.module}",
                )
        for child, spec in old.items():
            if child not in new and table.target.is_complete and table.running.get(child, False):
                yield Mistake(
                    path,
                    line,
                    f"{name} loses the child {child} ({spec.path}, line {spec.line}), but nothing stops it; add "
                    f'{{ apply = "{SUPERVISOR}:terminate_child", args = ["{name}", "{child}"] }} and '
                    f'{{ apply = "{SUPERVISOR}:delete_child", args = ["{name}", "{child}"] }}',
                )


def supervisors_that_stay_old(node: RunningNode, script: CheckedScript) -> Iterator[Mistake]:
    """Yield a mistake for each supervisor whose process keeps its old children or flags, although they change."""
    for step in script.steps:
        for change in step.instructions:
            if not isinstance(change, ModuleChange) or change.action not in ("load", "update"):
                continue
            if change.action == "update" and change.change == "advanced":
                continue
            for table in node.tables_in(change.module):
                if what := changed_in_supervisor(table):
                    yield Mistake(
                        step.path,
                        step.line,
                        f"{what} of {table.name} change, but its process keeps the old ones; use "
                        f'{{ update = "{change.module}", type = "supervisor" }}',
                    )


def changed_in_supervisor(table: ChildTableModel) -> str:
    """Return what changes in the specification of a supervisor: its children or its flags; "" if nothing changes."""
    old, new = table.left, table.target
    before, after = ([(id, child.text) for id, child in each.children.items()] for each in (old, new))
    if before != after:  # also if only the order differs: it matters for rest_for_one and for the shutdown
        return "the children"
    return "the flags" if old.flags != new.flags else ""
