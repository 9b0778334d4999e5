"""Chooses the kind of instruction that each module of a script needs."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from node_runtime.releases.appups.check.child_rules import changed_in_supervisor
from node_runtime.releases.appups.check.module_rules import differing_modules
from node_runtime.releases.appups.check.running_node import ChildTableModel
from node_runtime.releases.appups.code.module_code import top_level
from node_runtime.releases.appups.code.release_code import Definition
from node_runtime.releases.appups.code.release_facts import ReleaseFacts
from node_runtime.releases.appups.code.state_change import StateChange
from node_runtime.releases.appups.code.state_classes import class_text
from node_runtime.releases.appups.sources.release_source import ReleaseSource

ModuleStepKind: TypeAlias = Literal["add", "load", "migrate", "supervisor", "delete"]


class ModuleStep(msgspec.Struct, frozen=True):
    """What a script does with a module.

    `state` is the change of a server class that makes a migration of the states necessary; None if there is none.
    """

    module: str
    kind: ModuleStepKind
    state: StateChange | None = None

    def table(self) -> dict[str, Any]:
        """Return the instruction as a TOML table."""
        match self.kind:
            case "add" | "load" | "delete":
                return {f"{self.kind}_module": self.module}
            case "migrate":
                return {"update": self.module, "change": "advanced"}
            case "supervisor":
                return {"update": self.module, "type": "supervisor"}

    @property
    def loads(self) -> bool:
        """Whether the target release has the module."""
        return self.kind != "delete"


def module_steps(
    left: ReleaseSource,
    target: ReleaseSource,
    app: str,
    changes: Mapping[str, StateChange],
    tables: list[ChildTableModel],
) -> dict[str, ModuleStep]:
    """Return, by module, what a script has to do with those modules of `app` that need an instruction.

    `changes` are the state changes by server class.
    """
    states = {change.module: change for change in changes.values()}
    supervisors = {table.module for table in tables if changed_in_supervisor(table)}
    steps: dict[str, ModuleStep] = {}
    for module, word, _ in differing_modules(left, target, app):
        if module not in left.modules:
            steps[module] = ModuleStep(module, "add")
        elif module not in target.modules:
            steps[module] = ModuleStep(module, "delete")
        elif word == "was removed":
            continue  # another application has it now, and loads it
        elif module in supervisors:
            steps[module] = ModuleStep(module, "supervisor")
        elif module in states:
            steps[module] = ModuleStep(module, "migrate", states[module])
        else:
            steps[module] = ModuleStep(module, "load")
    view = target.view.app(app)
    for module in view.modules if view is not None else ():
        if module in states and module not in steps:
            steps[module] = ModuleStep(module, "migrate", states[module])
    return steps


def modules_of_subclasses(left: ReleaseFacts, target: ReleaseFacts, loaded: set[str], modules: set[str]) -> list[str]:
    """Return those of `modules` that did not change themselves, but have a class that inherits from a changed class.

    The changed class is in one of the `loaded` modules.
    """
    found = []
    for name in sorted(modules - loaded):
        code, old = target.code.modules.get(name), left.code.modules.get(name)
        if code is None or old is None:
            continue
        bases = [base for node in top_level(code.tree.body) if isinstance(node, ast.ClassDef) for base in node.bases]
        for base in bases:
            new = target.code.definition(target.code.resolve_node(code, base))
            if new is not None and new.module.name in loaded and _differs(left, target, new):
                found.append(name)
                break
    return found


def _differs(left: ReleaseFacts, target: ReleaseFacts, new: Definition) -> bool:
    old = left.code.definition(f"{new.module.name}.{new.rest}")
    return old is None or class_text(left.code, old) != class_text(target.code, new)
