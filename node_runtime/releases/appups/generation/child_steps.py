"""The instructions for children: new ones are started, removed ones are stopped, changed ones are restarted."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from node_runtime.releases.appups.check.child_rules import SUPERVISOR, changed_in_supervisor
from node_runtime.releases.appups.check.continuity_rules import lost_supervisors, why_child_restarts
from node_runtime.releases.appups.check.running_node import ChildTableModel, RunningNode
from node_runtime.releases.appups.code.children import ChildCode

from .draft import DraftStep, apply, question


class ChildStep(msgspec.Struct, frozen=True):
    """A child that a script starts, stops or restarts.

    `old` is the child's specification before, None for a new child. `new` is its specification afterwards, None for a
    removed child.
    """

    supervisor: str
    supervisor_module: str
    old: ChildCode | None
    new: ChildCode | None

    @property
    def child(self) -> str:
        """The child's id."""
        found = self.new or self.old
        assert found is not None
        return found.id

    def stop(self) -> list[DraftStep]:
        """Return the instructions that stop the child."""
        verbs = ("terminate_child",) if self.new is not None else ("terminate_child", "delete_child")
        return [apply(f"{SUPERVISOR}:{verb}", self.supervisor, self.child) for verb in verbs]

    def start(self) -> list[DraftStep]:
        """Return the instruction that starts the child."""
        return [apply(f"{SUPERVISOR}:restart_child", self.supervisor, self.child)]


def child_steps(node: RunningNode, app_modules: set[str]) -> list[ChildStep]:
    """Return the children of an application's supervisors that a script starts or stops."""
    steps = []
    for table in node.tables.values():
        if table.module not in app_modules or table.has_template or not _is_known(table):
            continue
        old, new = table.left.children, table.target.children
        for child in dict.fromkeys((*new, *old)):
            before, after = old.get(child), new.get(child)
            if before is None or after is None or before.start != after.start or why_child_restarts(node, table, child):
                steps.append(ChildStep(_name(table), table.module, before, after))
    return steps


def child_questions(node: RunningNode, app_modules: set[str]) -> Iterator[DraftStep]:
    """Yield a question for each supervisor whose change can't be read, or can't be made by an instruction.

    No instruction can make the change if the target lacks the class of an application's top supervisor.
    """
    for module, why, kept in lost_supervisors(node):
        if module in app_modules:
            yield question(
                f"{why}. Keep the {kept}, and generate again? Or replace all instructions by restart_application, "
                "which loses the states of the application?"
            )
    for table in node.tables.values():
        if table.module not in app_modules or table.has_template or _is_known(table):
            continue
        if changed_in_supervisor(table) == "the children" or table.left.source != table.target.source:
            name = table.target.cls.name
            why = (
                "its children are not literals"
                if not (table.left.is_complete and table.target.is_complete)
                else "it is not started with one literal name"
            )
            yield question(
                f"Which children does {name} get or lose? The code doesn't show this, because {why}. After the "
                f"update of {name}, start new children with restart_child, and stop removed children with "
                "terminate_child and delete_child."
            )


def _is_known(table: ChildTableModel) -> bool:
    is_named = bool(table.left.names & table.target.names) and len(table.left.names) == 1
    return table.left.is_complete and table.target.is_complete and is_named


def _name(table: ChildTableModel) -> str:
    return next(iter(table.left.names & table.target.names))
