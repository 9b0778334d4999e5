"""The effects of applied functions on children and routes, as far as they can be read from the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, TypeAlias

import msgspec

from .constants import UNKNOWN, ConstantScope, RecordCall
from .module_code import ModuleCode
from .release_code import RUNTIME, ReleaseCode

RouteTable: TypeAlias = tuple[tuple[str, str], ...]
"""The path and the handler of each route."""

_MAX_CALLS: Final = 5
"""Calls from function to function are followed to this depth."""
_CHILD_VERBS: Final[dict[str, Literal["start", "stop", "delete"]]] = {
    "restart_child": "start",
    "terminate_child": "stop",
    "delete_child": "delete",
}

LISTENER_STARTS: Final = frozenset({"start_http", "start_asgi", "asgi_child"})
"""The functions of `web` that start a listener, or return its child specification."""
_ROUTE_KEYWORDS: Final[dict[str, Literal["set_routes", "set_websockets"]]] = {
    "routes": "set_routes",
    "websockets": "set_websockets",
}


class ChildEffect(msgspec.Struct, frozen=True):
    """The start, stop or deletion of a child. `supervisor` and `child` are None if the source doesn't show them."""

    verb: Literal["start", "stop", "delete"]
    supervisor: str | None
    child: str | None


class ListenerRoutes(msgspec.Struct, frozen=True):
    """The routes of a listener of one kind: for requests (web.set_routes) or for websockets (web.set_websockets)."""

    setter: Literal["set_routes", "set_websockets"]
    listener: str


class RouteEffect(msgspec.Struct, frozen=True):
    """A call that sets the routes of a listener.

    `of` is the listener, and `routes` are its new routes. A field is None if the source doesn't show it.
    """

    of: ListenerRoutes | None
    routes: RouteTable | None


CallEffect: TypeAlias = ChildEffect | RouteEffect


def listener_routes(release: ReleaseCode) -> dict[ListenerRoutes, RouteTable | None]:
    """Return the routes with which each listener is started; None for routes that can't be read."""
    found: dict[ListenerRoutes, RouteTable | None] = {}
    for module in release.modules.values():
        for node in ast.walk(module.tree):
            verb = _runtime_verb(release, module, node) if isinstance(node, ast.Call) else None
            if not isinstance(node, ast.Call) or verb not in LISTENER_STARTS:
                continue
            scope = ConstantScope(release, module)
            name = scope.value(call_argument(node, 0, "name"))
            for keyword, setter in _ROUTE_KEYWORDS.items():
                given = call_argument(node, None, keyword)
                if isinstance(name, str) and (setter == "set_websockets" or verb == "start_http"):
                    of = ListenerRoutes(setter, name)
                    routes = () if given is None else route_table(scope.value(given))
                    found[of] = routes if of not in found or found[of] == routes else None
    return found


def route_table(value: Any) -> RouteTable | None:
    """Return the routes in `value`, an evaluated expression, as (path, handler); None if they can't be read."""
    if not isinstance(value, tuple | list):
        return None
    table = []
    for route in value:
        if isinstance(route, RecordCall) and route.kind in ("Route", "WebSocketRoute"):
            path, handler = route.argument(0, "path"), route.argument(1, "handler")
        elif isinstance(route, tuple | list) and len(route) == 2:
            path, handler = route
        else:
            return None
        if not (isinstance(path, str) and isinstance(handler, str)):
            return None
        table.append((path, handler))
    return tuple(table)


def call_effects(release: ReleaseCode, function: str, args: Sequence[Any]) -> list[CallEffect]:
    """Return the effects of calling "module:function" with `args`, in their order."""
    module, _, name = function.partition(":")
    if module.partition(".")[0] == RUNTIME:
        return list(_runtime_effects(name, list(args)))
    code = release.modules.get(module)
    return list(_effects(release, code, name, list(args), 0)) if code is not None else []


def _effects(
    release: ReleaseCode, module: ModuleCode, name: str, args: Sequence[Any], depth: int
) -> Iterator[CallEffect]:
    function = module.definitions.get(name)
    if depth > _MAX_CALLS or not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        return
    names = [arg.arg for arg in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    scope = ConstantScope(release, module, dict.fromkeys(names, UNKNOWN) | dict(zip(names, args, strict=False)))
    for node in _calls(function):
        if (verb := _runtime_verb(release, module, node)) is not None:
            yield from _runtime_effects(verb, _values(scope, verb, node))
            continue
        absolute = release.resolve_node(module, node.func)
        found = release.definition(absolute) if absolute else None
        if found is not None:
            yield from _effects(release, found.module, found.rest, [scope.value(arg) for arg in node.args], depth + 1)


def _calls(function: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls in a function, inner calls first."""
    for child in ast.iter_child_nodes(function):
        yield from _calls(child)
    if isinstance(function, ast.Call):
        yield function


def _runtime_verb(release: ReleaseCode, module: ModuleCode, node: ast.Call) -> str | None:
    """Return the name of the node_runtime function that is called; None if another function is called."""
    absolute = release.resolve_node(module, node.func)
    if absolute.partition(".")[0] != RUNTIME:
        return None
    return absolute.rpartition(".")[2]


def _values(scope: ConstantScope, verb: str, node: ast.Call) -> list[Any]:
    first, second = ("name", "routes") if verb in _ROUTE_KEYWORDS.values() else ("supervisor", "id")
    return [scope.value(call_argument(node, 0, first)), scope.value(call_argument(node, 1, second))]


def call_argument(node: ast.Call, position: int | None, name: str) -> ast.expr | None:
    """Return a call's argument at `position` or, if there is none, its keyword argument `name`; else None."""
    if position is not None and position < len(node.args):
        return node.args[position]
    return next((word.value for word in node.keywords if word.arg == name), None)


def _runtime_effects(verb: str, args: list[Any]) -> Iterator[CallEffect]:
    first, second = [*args, None, None][:2]
    text = first if isinstance(first, str) else None
    if verb in _CHILD_VERBS:
        yield ChildEffect(_CHILD_VERBS[verb], text, second if isinstance(second, str) else None)
    elif verb == "start_child":
        started = second.argument(0, "id") if isinstance(second, RecordCall) else None
        yield ChildEffect("start", text, started if isinstance(started, str) else None)
    elif verb in _ROUTE_KEYWORDS.values():
        of = ListenerRoutes("set_routes" if verb == "set_routes" else "set_websockets", text) if text else None
        yield RouteEffect(of, route_table(second))
