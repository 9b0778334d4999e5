"""The instructions for listeners whose routes change, and the questions for routes that can't be read."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from node_runtime.releases.appups.code.constants import ConstantScope
from node_runtime.releases.appups.code.effects import (
    LISTENER_STARTS,
    ListenerRoutes,
    RouteEffect,
    RouteTable,
    call_argument,
    call_effects,
)
from node_runtime.releases.appups.code.module_code import ModuleCode
from node_runtime.releases.appups.code.release_facts import ReleaseFacts

from .draft import DraftStep, apply, question

WEB = "node_runtime.web"
SETTLED = f"{WEB}:settled"


class RouteStep(msgspec.Struct, frozen=True):
    """The change of one listener's routes from `before` to `after`.

    `setter` is the name of a function that sets the routes to `after`; "" if neither release has one. `in_left` and
    `in_target` are whether the old and the new release have this function.
    """

    of: ListenerRoutes
    before: RouteTable
    after: RouteTable
    setter: str
    undo: str | None
    in_left: bool
    in_target: bool

    @property
    def name(self) -> str:
        """The name of this step in the graph of steps: the listener, and the function that sets its routes."""
        return f"{self.of.listener} {self.of.setter}"

    @property
    def is_early(self) -> bool:
        """Whether the routes can be set before any code is loaded: no route is new, and the setter isn't new either."""
        return set(self.after) <= set(self.before) and (self.in_left or not self.setter)

    @property
    def added(self) -> set[str]:
        """The modules of the handlers to which new routes lead."""
        return {handler.partition(":")[0] for _, handler in set(self.after) - set(self.before)}

    @property
    def removed(self) -> set[str]:
        """The modules of the handlers to which removed routes lead."""
        return {handler.partition(":")[0] for _, handler in set(self.before) - set(self.after)}

    def draft(self) -> DraftStep:
        """Return the instruction that sets the routes."""
        if self.setter:
            return apply(self.setter, undo=self.undo)
        return apply(f"{WEB}:{self.of.setter}", self.of.listener, [list(route) for route in self.after])

    def settled(self) -> list[DraftStep]:
        """Return the instruction that waits for the requests that arrived before the change. Websockets stay open."""
        return [apply(SETTLED, self.of.listener)] if self.of.setter == "set_routes" else []


def route_steps(left: ReleaseFacts, target: ReleaseFacts, app_modules: set[str]) -> list[RouteStep]:
    """Return a step for each of an application's listeners whose routes differ and can be read in both releases."""
    steps = []
    for of, after in target.routes.items():
        before = left.routes.get(of)
        if before is None or after is None or before == after or not _starting_modules(target, of) & app_modules:
            continue
        setters = {side: _setters(facts, of) for side, facts in (("left", left), ("target", target))}
        name = next((each for side in setters for each, routes in setters[side].items() if routes == after), "")
        in_left, in_target = (setters[side].get(name) == after for side in ("left", "target"))
        beside = setters["left" if in_left else "target"]
        undo = next((each for each, routes in beside.items() if routes == before), None) if name else None
        steps.append(RouteStep(of, before, after, name, undo, in_left, in_target))
    return steps


def sets_read_routes(table: Mapping[str, Any], left: ReleaseFacts, target: ReleaseFacts) -> bool:
    """Return whether an instruction sets the routes of a listener, or waits for its requests, although the routes in
    both releases can be read: then `route_steps` has the instructions that are needed.
    """
    listener = str(next(iter(table.get("args", ())), ""))
    of = {
        SETTLED: ListenerRoutes("set_routes", listener),
        f"{WEB}:set_routes": ListenerRoutes("set_routes", listener),
        f"{WEB}:set_websockets": ListenerRoutes("set_websockets", listener),
    }.get(str(table.get("apply")))
    return of is not None and all(facts.routes.get(of) is not None for facts in (left, target))


def route_questions(left: ReleaseFacts, target: ReleaseFacts, app_modules: set[str]) -> Iterator[DraftStep]:
    """Yield a question for each listener whose routes can't be read, if the source code of the routes differs."""
    for of, after in target.routes.items():
        before = left.routes.get(of, ())
        if (before is not None and after is not None) or not _starting_modules(target, of) & app_modules:
            continue
        if _route_source(left, of) != _route_source(target, of):
            yield question(
                f'Do the routes of the listener "{of.listener}" differ in {target.code.vsn}? The routes are not '
                "literals, and the code that makes them differs. If the routes differ, add an `apply` of a function "
                f"that calls web.{of.setter}."
            )


def _start_calls(facts: ReleaseFacts, of: ListenerRoutes) -> Iterator[tuple[ModuleCode, ast.Call]]:
    """Yield the calls that start a listener."""
    for module in facts.code.modules.values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and facts.code.is_runtime(
                facts.code.resolve_node(module, node.func), *LISTENER_STARTS
            ):
                name = ConstantScope(facts.code, module).value(call_argument(node, 0, "name"))
                if name == of.listener:
                    yield module, node


def _starting_modules(facts: ReleaseFacts, of: ListenerRoutes) -> set[str]:
    return {module.name for module, _ in _start_calls(facts, of)}


def _route_source(facts: ReleaseFacts, of: ListenerRoutes) -> list[str]:
    """Return the source of the routes with which a listener is started, and the source of the definitions they name."""
    keyword = "routes" if of.setter == "set_routes" else "websockets"
    texts = []
    for module, call in _start_calls(facts, of):
        given = call_argument(call, None, keyword)
        if given is not None:
            names = [node.id for node in ast.walk(given) if isinstance(node, ast.Name)]
            texts.append(ast.dump(given))
            texts += [ast.dump(module.definitions[name]) for name in names if name in module.definitions]
    return texts


def _setters(facts: ReleaseFacts, of: ListenerRoutes) -> dict[str, RouteTable | None]:
    """Return the functions without parameters whose only effect is to set a listener's routes."""
    found: dict[str, RouteTable | None] = {}
    for module in facts.code.modules.values():
        for name, statement in module.definitions.items():
            if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) or _parameters(statement):
                continue
            effects = call_effects(facts.code, f"{module.name}:{name}", [])
            if len(effects) == 1 and isinstance(effects[0], RouteEffect) and effects[0].of == of:
                found[f"{module.name}:{name}"] = effects[0].routes
    return found


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = function.args
    return bool(arguments.args or arguments.posonlyargs or arguments.kwonlyargs or arguments.vararg)
