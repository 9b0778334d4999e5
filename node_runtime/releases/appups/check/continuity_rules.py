"""Checks that a script stops each process that can't go on, because its class, behaviour or name changes."""

from __future__ import annotations

from collections.abc import Iterator

from node_runtime.releases.appups.code.continuity import why_restarted
from node_runtime.releases.files.appup_instructions import ApplicationChange
from node_runtime.releases.files.relup_instructions import StopProcesses

from .child_rules import SUPERVISOR
from .mistakes import Mistake
from .running_node import ChildTableModel, RunningNode
from .script_steps import CheckedScript, touched_module


def why_child_restarts(node: RunningNode, table: ChildTableModel, child: str) -> str | None:
    """Return a clause that says why a child's process can't go on; None if it can, or if a release lacks the child.

    The result is also None if the start function changes: then the script replaces the process in any case.
    """
    left, target = table.left.children.get(child), table.target.children.get(child)
    if left is None or target is None or left.start != target.start:
        return None
    old, new = (left, target) if node.older is node.left else (target, left)
    return why_restarted(node.older, node.newer, old, new)


def lost_supervisors(node: RunningNode) -> Iterator[tuple[str, str, str]]:
    """Yield (module, sentence, what to keep) for the top supervisor of each application, if this supervisor can't go
    on.

    If some children can't be read, yield nothing, because a supervisor may be one of these children.
    """
    every = [*node.left.supervisors.values(), *node.target.supervisors.values()]
    if not all(one.is_complete for one in every):
        return
    below = {child.cls for one in every for child in one.children.values()}
    for name, one in node.left.supervisors.items():
        table = node.tables.get(name)
        if name in below or not one.is_named:
            continue
        module, registered = one.cls.module.name, " or ".join(sorted(one.names))
        if table is None:
            yield (
                module,
                f"The supervisor {registered} runs {name}, which {node.target.code.vsn} lacks",
                f"class {name}",
            )
        elif table.target.is_named and one.names.isdisjoint(table.target.names):
            other = " or ".join(sorted(table.target.names))
            why = f"is named {other} in {node.target.code.vsn}, but its process keeps its name"
            yield module, f"The supervisor {registered} {why}", f"name {registered}"


def processes_that_can_not_go_on(node: RunningNode, script: CheckedScript) -> Iterator[Mistake]:
    """Yield a mistake for each process that can't go on in the target, although the script does not stop it."""
    steps = {
        module: (step.path, step.line)
        for step in script.steps
        for part in step.instructions
        if (module := touched_module(part)) is not None
    }
    parts = [part for step in script.steps for part in step.instructions]
    if any(isinstance(part, ApplicationChange) and part.action == "restart" for part in parts):
        return
    for table in node.tables.values() if node.children_are_known else ():
        for child, spec in table.left.children.items():
            why = why_child_restarts(node, table, child)
            if why is None or table.has_template:
                continue
            loaded = node.stopped.get((table.name, child))
            is_other_class = spec.cls != table.target.children[child].cls
            if loaded is not None and not (is_other_class and loaded & {*spec.modules}):
                continue  # stopped in time: if the class changes, before its code is loaded; else at any time
            path, line = next((steps[one] for one in spec.modules if one in steps), None) or _head(script, table.module)
            yield Mistake(
                path,
                line,
                f"the process of the child {child} of {table.name} ({spec.path}, line {spec.line}) can't go on: {why}; "
                f'add {{ apply = "{SUPERVISOR}:terminate_child", args = ["{table.name}", "{child}"] }} before its code '
                f'is loaded, and {{ apply = "{SUPERVISOR}:restart_child", args = ["{table.name}", "{child}"] }} after',
            )
    stopped = {module for part in parts if isinstance(part, StopProcesses) for module in part.modules}
    for module, why, kept in lost_supervisors(node):
        if module not in stopped:
            path, line = steps.get(module) or _head(script, module)
            sentence = f"{why[0].lower()}{why[1:]}; keep the {kept}, or restart the application with the only "
            yield Mistake(path, line, f"{sentence}instruction restart_application, which loses its states")


def _head(script: CheckedScript, module: str) -> tuple[str, int]:
    views = (*script.left.view.apps, *script.target.view.apps)
    return script.head(next((app.name for app in views if module in app.modules), ""))
