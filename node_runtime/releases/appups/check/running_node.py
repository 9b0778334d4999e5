"""`RunningNode`: a model of a node between two instructions of an upgrade, made from source code, not by running it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from node_runtime.protocol.messages import Direction
from node_runtime.releases.appups.code.children import ChildCode, SupervisorCode
from node_runtime.releases.appups.code.continuity import next_class
from node_runtime.releases.appups.code.effects import ChildEffect, ListenerRoutes, RouteEffect, RouteTable
from node_runtime.releases.appups.code.module_code import ModuleCode
from node_runtime.releases.appups.code.release_code import CodeReference
from node_runtime.releases.appups.code.release_facts import ReleaseFacts
from node_runtime.releases.files.appup_instructions import ApplicationChange, AppupInstruction, ModuleChange
from node_runtime.releases.files.release_model import ReleaseView
from node_runtime.releases.files.relup_instructions import Load, Remove

ModuleRelease: TypeAlias = Literal["left", "target"]


@dataclass
class ChildTableModel:
    """A supervisor class that both releases have: its children, and which of them run after the steps so far."""

    left: SupervisorCode
    target: SupervisorCode
    module: str
    """The callback module of the supervisor's process. If the class has moved, this is its module in the older release.
    """
    running: dict[str, bool] = field(default_factory=dict)
    is_updated: bool = False

    @property
    def has_template(self) -> bool:
        """Whether all children of the supervisor are instances of one specification (simple_one_for_one).

        No script starts or stops such children.
        """
        return self.left.has_template or self.target.has_template

    @property
    def name(self) -> str:
        """The supervisor's registered name or, without one, the name of its class."""
        return self.left.name

    def spec(self, child: str) -> ChildCode | None:
        """Return the specification that a child has now."""
        first, second = (self.target, self.left) if self.is_updated else (self.left, self.target)
        return first.children.get(child) or second.children.get(child)

    def update(self) -> None:
        """Give the supervisor the child specifications of the target. Its new children don't run yet."""
        self.is_updated = True
        for child in () if self.has_template else self.target.children:
            self.running.setdefault(child, False)


def _running(left: SupervisorCode, target: SupervisorCode) -> dict[str, bool]:
    return {} if left.has_template or target.has_template else dict.fromkeys(left.children, True)


class RunningNode:
    """The modules, children and routes of a node while a script goes from release `left` to release `target`."""

    def __init__(
        self,
        left: ReleaseFacts,
        target: ReleaseFacts,
        views: tuple[ReleaseView, ReleaseView],
        direction: Direction = "up",
    ) -> None:
        self.left, self.target = left, target
        self.older, self.newer = (left, target) if direction == "up" else (target, left)
        self.views = views
        self.present: dict[str, ModuleRelease] = dict.fromkeys(left.code.modules, "left")
        self.tables = dict(self._tables(direction))
        self.routes: dict[ListenerRoutes, RouteTable | None] = dict(left.routes)
        self.routes_are_known = None not in self.routes.values()
        self.children_are_known = True
        self.stopped: dict[tuple[str, str], set[str]] = {}
        """For each child that the script has stopped, as (name of the supervisor, id): the modules loaded by then."""
        self.is_set: set[ListenerRoutes] = set()
        """The listeners whose routes the script has set."""

    def _tables(self, direction: Direction) -> Iterator[tuple[str, ChildTableModel]]:
        """Yield a table, by the name of its class in `left`, for each supervisor that goes on in the target."""
        for name, old in self.older.supervisors.items():
            cls = next_class(self.older, self.newer, name)
            new = self.newer.supervisors.get(cls.name) if cls is not None else None
            if new is not None:
                left, target = (old, new) if direction == "up" else (new, old)
                yield left.cls.name, ChildTableModel(left, target, old.cls.module.name, _running(left, target))

    # ------------------------------------------------------------------ modules

    def module(self, name: str) -> ModuleCode | None:
        """Return the present version of a module; None if the node has none."""
        if (release := self.present.get(name)) is None:
            return None
        return self.facts(release).code.modules[name]

    def facts(self, release: ModuleRelease) -> ReleaseFacts:
        """Return the facts about one of the two releases."""
        return self.left if release == "left" else self.target

    def load(self, module: str) -> None:
        """Switch the model of the node to the target's version of a module."""
        if module in self.target.code.modules:
            self.present[module] = "target"

    def remove(self, module: str) -> None:
        """Remove a module from the model of the node."""
        self.present.pop(module, None)

    def change(self, instruction: AppupInstruction) -> None:
        """Carry out, in the model of the node, an instruction that loads, adds or removes modules."""
        match instruction:
            case ModuleChange(action="delete") | Remove():
                self.remove(instruction.module)
            case ModuleChange() | Load():
                self.load(instruction.module)
                if isinstance(instruction, ModuleChange) and instruction.change == "advanced":
                    for table in self.tables_in(instruction.module):
                        table.update()
            case ApplicationChange():
                self._change_application(instruction)
            case _:
                pass

    def _change_application(self, change: ApplicationChange) -> None:
        """Remove the left release's modules, children and routes of an application, and add those of the target."""
        left, target = (view.app(change.application) for view in self.views)
        removed = set(left.modules) if left is not None and change.action != "add" else set()
        for module in removed:
            self.remove(module)
        for module in target.modules if target is not None and change.action != "remove" else ():
            self.load(module)
        self.tables = {name: table for name, table in self.tables.items() if table.module not in removed}
        for of, routes in list(self.routes.items()):
            if any(handler.partition(":")[0] in removed for _, handler in routes or ()):
                self.set_routes(RouteEffect(of, self.target.routes.get(of, ())))

    def tables_in(self, module: str) -> list[ChildTableModel]:
        """Return the child tables of the supervisors that a module defines."""
        return [table for table in self.tables.values() if table.module == module]

    def references(self, module: str) -> list[CodeReference]:
        """Return the references to `module` in all modules that the node has at this step."""
        found = []
        for user, release in self.present.items():
            facts = self.facts(release)
            if facts.uses(user, module):
                found += [each for each in facts.code.references[user] if each.module == module]
        return found

    # ------------------------------------------------------------------ children and routes

    def table(self, effect: ChildEffect) -> ChildTableModel | None:
        """Return the child table of the supervisor that `effect` changes; None if the supervisor is unknown."""
        for table in self.tables.values():
            if effect.supervisor in table.left.names | table.target.names:
                return table
        for table in self.tables.values():
            if not (table.left.is_named and table.target.is_named) and table.spec(effect.child or "") is not None:
                return table
        return None

    def set_routes(self, effect: RouteEffect) -> None:
        """Apply a change of routes to the model."""
        if effect.of is None or effect.routes is None:
            self.routes_are_known = False
        if effect.of is not None:
            self.routes[effect.of] = effect.routes
            self.is_set.add(effect.of)

    def routed(self, module: str) -> list[tuple[str, str]]:
        """Return the path and the handler of each route that leads to a module."""
        return [
            route for table in self.routes.values() for route in table or () if route[1].partition(":")[0] == module
        ]

    def running_modules(self) -> set[str]:
        """Return the modules that running children run."""
        return {
            module
            for table in self.tables.values()
            for child, runs in table.running.items()
            if runs and (spec := table.spec(child)) is not None
            for module in spec.modules
        }

    def running_modules_without(self, table: ChildTableModel, child: str) -> set[str]:
        """Return the modules that the running children run, leaving out `child` of the supervisor that `table`
        describes.
        """
        runs = table.running.get(child, False)
        table.running[child] = False
        try:
            return self.running_modules()
        finally:
            table.running[child] = runs

    def live_modules(self, without: str) -> set[str]:
        """Return the modules whose code may run now: handlers, children, applications, and the modules that they call.

        The module `without` is left out, and so are modules that are called only through it. If some routes can't be
        read, all modules of the node are returned.
        """
        if not self.routes_are_known:
            return set(self.present)
        starts = {handler.partition(":")[0] for table in self.routes.values() for _, handler in table or ()}
        starts |= self.running_modules()
        starts |= {cls.module.name for cls in self.left.classes.values() if cls.kind in ("application", "supervisor")}
        found: set[str] = set()
        waiting = [start for start in starts if start in self.present and start != without]
        while waiting:
            module = waiting.pop()
            if module in found:
                continue
            found.add(module)
            references = self.facts(self.present[module]).code.references.get(module, ())
            waiting += [each.module for each in references if each.module in self.present and each.module != without]
        return found
