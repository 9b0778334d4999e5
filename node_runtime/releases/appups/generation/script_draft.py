"""Drafts the script of one application in one direction: all instructions, in an order that is safe at each step.

A module is loaded before the modules that need it. A child is started after its supervisor's update. Routes are set
after their handlers are loaded. Removals have the reverse order: first the routes, then the code that calls a child,
then the child, then its module.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from node_runtime.protocol.messages import Direction
from node_runtime.releases.appups.check.running_node import RunningNode
from node_runtime.releases.appups.code.children import ChildCode
from node_runtime.releases.appups.code.release_facts import ReleaseFacts
from node_runtime.releases.appups.code.state_change import StateChange
from node_runtime.releases.appups.sources.release_source import ReleaseSource

from .assembling_modules import modules_that_assemble
from .child_steps import ChildStep, child_questions, child_steps
from .draft import DraftStep, question
from .keeping_modules import modules_that_keep
from .module_steps import ModuleStep, module_steps, modules_of_subclasses
from .route_steps import RouteStep, route_questions, route_steps
from .step_graph import StepGraph

StepName: TypeAlias = tuple[str, str]
"""A node of the graph: ("module", name), ("start", child), ("stop", child) or ("routes", listener)."""

_WRITE_ONE: Final = "Write a class method `code_change(cls, old_vsn, state, extra)` that returns the new state"
_RANKS: Final[Mapping[Direction, Mapping[str, int]]] = {
    "up": {"start": 0, "supervisor": 1, "load": 2, "migrate": 2, "add": 3, "routes": 4, "stop": 5, "delete": 6},
    "down": {"delete": 0, "add": 1, "load": 1, "migrate": 1, "stop": 2, "supervisor": 3, "start": 4, "routes": 5},
}
"""Of the steps that may come next, the one with the lowest rank is chosen."""


@dataclass(frozen=True)
class ReleasePair:
    """The two releases of a script, `left` and `target`, and the state changes between them."""

    direction: Direction
    sources: tuple[ReleaseSource, ReleaseSource]
    left: ReleaseFacts
    target: ReleaseFacts
    changes: Mapping[str, StateChange]


def draft_script(pair: ReleasePair, app: str) -> list[DraftStep]:
    """Return the instructions of an application for the direction of `pair`."""
    return _Draft(pair, app).steps()


class _Draft:
    def __init__(self, pair: ReleasePair, app: str) -> None:
        self.pair, self.left, self.target = pair, pair.left, pair.target
        views = tuple(source.view.app(app) for source in pair.sources)
        self.own = {module for view in views if view is not None for module in view.modules}
        self.node = node = RunningNode(
            self.left, self.target, (pair.sources[0].view, pair.sources[1].view), pair.direction
        )
        self.tables = node.tables
        self.modules = module_steps(*pair.sources, app, pair.changes, list(self.tables.values()))
        loaded = {name for name, step in self.modules.items() if step.loads}
        for name in modules_of_subclasses(self.left, self.target, loaded, self.own):
            self.modules[name] = ModuleStep(name, "load")
        loaded |= self.modules.keys()
        for name in modules_that_assemble(self.left, self.target, loaded, self.own):
            self.modules[name] = ModuleStep(name, "load")
        loaded |= self.modules.keys()
        for keeper in modules_that_keep(self.left, self.target, loaded, self.own):
            if not keeper.data:
                self.modules[keeper.module] = ModuleStep(keeper.module, "load")
        self.children = child_steps(node, self.own)
        self.routes = route_steps(self.left, self.target, self.own)

    def steps(self) -> list[DraftStep]:
        early = [step for step in self.routes if step.is_early and not step.added]
        late = [step for step in self.routes if step not in early]
        drafts: list[DraftStep] = []
        for step in early:
            drafts += [step.draft(), *step.settled()]
        if early:
            drafts.append(DraftStep({"point_of_no_return": True}))
        drafts += child_questions(self.node, self.own)
        for name in self._graph(late).sorted():
            drafts += self._drafts(name, late)
        drafts += route_questions(self.left, self.target, self.own)
        return drafts

    # ------------------------------------------------------------------ the order

    def _graph(self, routes: list[RouteStep]) -> StepGraph[StepName]:
        graph: StepGraph[StepName] = StepGraph()
        ranks = _RANKS[self.pair.direction]
        for step in self.modules.values():
            graph.add(("module", step.module), ranks[step.kind], step.module)
        for child in self.children:
            if child.old is not None:
                graph.add(("stop", child.child), ranks["stop"], child.child)
            if child.new is not None:
                graph.add(("start", child.child), ranks["start"], child.child)
        for route in routes:
            graph.add(("routes", route.name), ranks["routes"], route.name)
        for step in self.modules.values():
            self._order_module(graph, step)
        for child in self.children:
            self._order_child(graph, child)
        for route in routes:
            self._order_routes(graph, route)
        return graph

    def _order_module(self, graph: StepGraph[StepName], step: ModuleStep) -> None:
        """Add the order of `step` to `graph`.

        A module is loaded after the modules that it needs, and deleted after the modules that need it.
        """
        node = ("module", step.module)
        if step.loads:
            for needed in self._needs(step.module):
                other = self.modules.get(needed)
                if other is not None and other.loads:
                    graph.order(("module", needed), node, must=False)
            return
        for user in self.left.users.get(step.module, ()):
            other = self.modules.get(user)
            if other is None or (other.kind == "delete" and self.left.reaches(step.module, user)):
                continue
            graph.order(("module", user), node)

    def _needs(self, module: str) -> Iterator[str]:
        """Yield the modules that the target's version of `module` imports, routes requests to, or has as children."""
        for reference in self.target.code.references.get(module, ()):
            yield reference.module
        code = self.target.code.modules[module]
        for part in ast.walk(code.tree):
            if isinstance(part, ast.Constant) and isinstance(part.value, str) and ":" in part.value:
                name = part.value.partition(":")[0]
                if name in self.target.code.modules and name != module:
                    yield name
        for supervisor in self.target.supervisors.values():
            if supervisor.cls.module.name == module:
                yield from (child.module for child in supervisor.children.values())

    def _order_child(self, graph: StepGraph[StepName], child: ChildStep) -> None:
        update = ("module", child.supervisor_module)
        stop, start = ("stop", child.child), ("start", child.child)
        graph.order(stop, update)
        graph.order(stop, start)
        graph.order(update, start)
        for module in child.new.modules if child.new is not None else ():
            graph.order(("module", module), start)
            for needed in self.target.reachable(frozenset((module,)), frozenset()):
                if (step := self.modules.get(needed)) is not None and step.loads:
                    graph.order(("module", needed), start, must=False)
        if child.old is not None:
            self._order_stop(graph, child, child.old)
        if child.old is not None and child.new is not None and child.old.start == child.new.start:
            for module in child.old.modules:  # the new code has no class with which this process could go on
                graph.order(stop, ("module", module))

    def _order_stop(self, graph: StepGraph[StepName], child: ChildStep, old: ChildCode) -> None:
        """Add to `graph` when a child is stopped: after the code that calls it has changed, before its module is
        deleted.
        """
        stop = ("stop", child.child)
        for module in old.modules:
            step = self.modules.get(module)
            if step is not None and step.kind == "delete":
                graph.order(stop, ("module", module))
                graph.order(("module", child.supervisor_module), ("module", module))
            for user in self.left.users.get(module, ()):
                other = self.modules.get(user)
                if other is None or user in old.modules or user == child.supervisor_module:
                    continue
                if other.loads and not self.target.uses(user, module):
                    graph.order(("module", user), stop, must=False)
                elif not other.loads and not self.left.reaches(module, user):
                    stopped = [each for each in self.children if each.old is not None and user in each.old.modules]
                    for each in stopped:
                        graph.order(("stop", each.child), stop)
                    if not stopped:
                        graph.order(("module", user), stop)

    def _order_routes(self, graph: StepGraph[StepName], route: RouteStep) -> None:
        """Add to `graph` when the routes are set: after their handlers and servers start, before others are removed."""
        node = ("routes", route.name)
        setter = route.setter.partition(":")[0]
        for module in self.modules:
            is_deleted = self.modules[module].kind == "delete"
            if is_deleted or (module == setter and not route.in_target):
                graph.order(node, ("module", module))
            elif module == setter or module not in self.left.reachable(frozenset((setter,)), frozenset()):
                graph.order(("module", module), node, must=module == setter or module in route.added)
        for child in self.children:
            if child.old is not None:
                graph.order(node, ("stop", child.child), must=False)
            else:
                graph.order(("start", child.child), node, must=False)

    # ------------------------------------------------------------------ the instructions

    def _drafts(self, name: StepName, routes: list[RouteStep]) -> Iterator[DraftStep]:
        kind, what = name
        match kind:
            case "module":
                yield from _module_drafts(self.modules[what], self.pair.direction)
            case "routes":
                yield next(step for step in routes if step.name == what).draft()
            case _:
                child = next(each for each in self.children if each.child == what)
                yield from child.start() if kind == "start" else child.stop()


def _module_drafts(step: ModuleStep, direction: Direction) -> Iterator[DraftStep]:
    """Yield the instruction for a module, preceded by a question if the author has to decide something."""
    change = step.state
    if change is not None:
        if reads_extra(change):
            yield question(
                f"What does code_change of {change.newer.name} get as `extra` in the {direction}grade? Write it as "
                "`extra` into the next line.",
                about=("module", step.module),
            )
        elif change.declared is not None and not change.code_change and not _same_class(change):
            yield question(
                f"The state of {change.newer.name} was {_shown_type(change.declared[0])} and becomes "
                f"{_shown_type(change.declared[1])}: which code_change converts it? Fields are only migrated between "
                f"classes of the same name. {_WRITE_ONE}."
            )
        elif change.gone[direction] and not change.has_code_change:
            yield question(
                f"The states of {change.newer.name} may hold {', '.join(change.gone[direction])}, which the target "
                f"of the {direction}grade lacks: which code_change drops or converts it? {_WRITE_ONE}."
            )
        elif direction == "up" and change.lost and not change.has_code_change:
            yield question(
                f"The states of {change.newer.name} lose {', '.join(change.lost)}: which code_change keeps the data? "
                f"{_WRITE_ONE}, or remove this line if the data may be lost."
            )
    yield DraftStep(step.table())


def reads_extra(change: StateChange) -> bool:
    """Return whether the newer code_change reads its argument `extra`."""
    found = change.newer.method("code_change") if change.code_change else None
    if found is None:
        return False
    function = found[2]
    names = [arg.arg for arg in function.args.args]
    read = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    return len(names) > 3 and names[3] in read


def _same_class(change: StateChange) -> bool:
    assert change.declared is not None
    first, second = (_shown_type(text).rpartition(".")[2] for text in change.declared)
    return first == second


def _shown_type(declared: str) -> str:
    """Return a declared type as its author has written it, without the absolute names that follow."""
    return declared.rpartition(" [")[0] or declared
