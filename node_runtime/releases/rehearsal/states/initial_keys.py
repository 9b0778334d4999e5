"""The keys with which the state of a process begins, read from the source of its class's `init`."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, Final

_SCOPES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_REMOVALS: Final = ("pop", "popitem", "clear")


def initial_keys(cls: type[Any]) -> frozenset[str] | None:
    """Return the keys that the state of a process certainly has when `init` of its class has returned.

    If `init` returns several dicts, these are the keys that all of them have. The result is None if the state is not a
    dict or if its keys are unknown.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls.init)))
    except (OSError, TypeError, SyntaxError, SystemError):
        return None
    match tree.body:
        case [ast.FunctionDef(body=body) | ast.AsyncFunctionDef(body=body)]:
            nodes = [node for statement in body for node in _own_nodes(statement)]
            made = [_keys_of(value, before, nodes) for value, before in _returns(body, ())]
            return frozenset.intersection(*made) if made and all(made) else None
    return None


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and all nodes below it, without functions, lambdas and classes that are defined there."""
    if isinstance(node, _SCOPES):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _own_nodes(child)


def _returns(body: Sequence[ast.stmt], before: tuple[ast.stmt, ...]) -> Iterator[tuple[ast.expr, tuple[ast.stmt, ...]]]:
    """Yield each value that a block returns, with the statements that have certainly run by then."""
    for at, statement in enumerate(body):
        ran = (*before, *body[:at])
        if isinstance(statement, ast.Return) and statement.value is not None:
            yield statement.value, ran
        elif not isinstance(statement, _SCOPES):
            for block in _blocks(statement):
                yield from _returns(block, ran)


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """Yield the blocks of a compound statement, of an `except` or of a `case`."""
    for _, value in ast.iter_fields(node):
        if isinstance(value, list) and value:
            if isinstance(value[0], ast.stmt):
                yield value
            elif isinstance(value[0], (ast.ExceptHandler, ast.match_case)):
                for part in value:
                    yield from _blocks(part)


def _keys_of(value: ast.expr, before: Sequence[ast.stmt], nodes: Sequence[ast.AST]) -> frozenset[str]:
    """Return the certain keys of a dict display, of a call such as `dict(n=1)`, or of the dict in a variable.

    `nodes` are those of the whole function, and the statements `before` have certainly run.
    """
    match value:
        case ast.Dict(keys=keys):
            return frozenset(key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str))
        case ast.Call(func=ast.Name(id="dict"), keywords=keywords):
            return frozenset(word.arg for word in keywords if word.arg is not None)
        case ast.Name(id=name) if not any(_removes_keys(node, name) for node in nodes):
            return _keys_of_name(value, before, nodes)
    return frozenset()


def _removes_keys(node: ast.AST, name: str) -> bool:
    match node:
        case ast.Subscript(value=ast.Name(id=of), ctx=ast.Del()):
            return of == name
        case ast.Call(func=ast.Attribute(value=ast.Name(id=of), attr=method)):
            return of == name and method in _REMOVALS
    return False


def _keys_of_name(name: ast.Name, before: Sequence[ast.stmt], nodes: Sequence[ast.AST]) -> frozenset[str]:
    """Return the keys that every dict bound to the name has, and the keys that are added to the dict that was bound
    last.
    """
    bound: dict[ast.expr, ast.expr | None] = {}
    for node in nodes:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=target) as at], value=value)
                | ast.AnnAssign(target=ast.Name(id=target) as at, value=value)
            ) if target == name.id:
                bound[at] = value
    if any(_stores(node, name.id) and node not in bound for node in nodes):
        return frozenset()  # bound by a loop, for example
    values = [value for value in bound.values() if value is not None]
    made = [frozenset() if isinstance(value, ast.Name) else _keys_of(value, (), nodes) for value in values]
    bindings = [_position(value) for value in values]
    last = max((position for position in bindings if position < _position(name)), default=(0, 0))
    common = frozenset.intersection(*made) if made else frozenset[str]()
    return common.union(_added(name.id, [statement for statement in before if _position(statement) > last]))


def _stores(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)


def _position(node: ast.expr | ast.stmt) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _added(name: str, statements: Sequence[ast.stmt]) -> Iterator[str]:
    """Yield the keys that statements such as `state["n"] = 1` add to the dict in the variable `name`."""
    for statement in statements:
        match statement:
            case ast.Assign(
                targets=[ast.Subscript(value=ast.Name(id=target), slice=ast.Constant(value=str() as key))]
            ) if target == name:
                yield key
