"""The errors that a function can raise, found in its source: its own `raise` statements and those of its callees.

Callees are found by name: functions and classes in the module's namespace, those of modules in it, and methods of the
runtime. Callees that are chosen at run time, such as callbacks, are not found. Errors that the function catches are
not counted.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from types import FunctionType, ModuleType
from typing import Final

from node_runtime import Exit, NameTaken, Runtime
from node_runtime.sys import NotHeld

COMMON: Final = frozenset({"refuse_zombie", "runtime", "ensure_caller_alive"})
"""Functions that nearly every function calls: their errors are documented once, at the runtime."""
NEVER: Final[Mapping[str, tuple[type[BaseException], ...]]] = {
    "runtime.require_caller": (Exit,),  # the same, for zombies
    "primitives._spawn": (NameTaken, ValueError),  # the process that it starts has no name
    "management._prepared": (NotHeld,),  # in an upgrade's script only
    "application._callbacks": (LookupError,),  # in an upgrade's script only
    "application.start": (ValueError,),  # it stops nothing with a timeout
    "management.table_of": (ValueError,),  # its own flags make sense
    "request._request_of_script": (NotHeld,),  # the process is held already
    "request._wait": (ValueError,),  # its timeout was checked before
}
"""Errors in a function's source that it never raises for users, with the reason."""
DEPTH: Final = 4
NEAR: Final = 2
"""The depth of the search for Python's own errors: deeper ones are rarely meant for the caller."""


@cache
def errors_raised(function: FunctionType, depth: int = DEPTH) -> frozenset[type[BaseException]]:
    """Returns the classes of the errors."""
    if function.__code__.co_filename == "<string>":  # a dataclass's own `__init__`
        return frozenset()
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    (definition,) = tree.body
    assert isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef)
    found = {error for statement in definition.body for error in _raised(statement, function, depth)}
    home = function.__module__.rpartition(".")[2]
    never = NEVER.get(f"{home}.{function.__name__}", ())
    return frozenset(
        error for error in found if error not in never and (error.__module__ != "builtins" or depth >= DEPTH - NEAR)
    )


def _raised(node: ast.AST, function: FunctionType, depth: int) -> Iterator[type[BaseException]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return  # called elsewhere
    if isinstance(node, ast.Try):
        caught = tuple(error for handler in node.handlers for error in _classes(handler.type, function))
        for statement in node.body:
            yield from (error for error in _raised(statement, function, depth) if not issubclass(error, caught))
        for part in (*node.handlers, *node.orelse, *node.finalbody):
            yield from _raised(part, function, depth)
        return
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        yield from (error for error in _classes(node.exc.func, function) if error is not NotImplementedError)
    elif isinstance(node, ast.Call) and depth:
        for called in _called(node.func, function):
            yield from errors_raised(called, depth - 1)
    for child in ast.iter_child_nodes(node):
        yield from _raised(child, function, depth)


def _classes(expression: ast.expr | None, function: FunctionType) -> list[type[BaseException]]:
    """The exception classes that an expression names, directly or as the result of a named function."""
    if isinstance(expression, ast.Tuple):
        return [error for part in expression.elts for error in _classes(part, function)]
    found = _named(expression, function)
    if isinstance(found, FunctionType):
        found = getattr(builtins, str(found.__annotations__.get("return")), None)
    if isinstance(found, tuple):
        return [error for error in found if isinstance(error, type)]
    return [found] if isinstance(found, type) and issubclass(found, BaseException) else []


def _called(expression: ast.expr, function: FunctionType) -> list[FunctionType]:
    """The project's functions that a call may run."""
    found = _named(expression, function)
    if isinstance(found, type):
        found = getattr(found, "__post_init__", None) or vars(found).get("__init__", found)
    found = inspect.unwrap(found) if callable(found) else found
    if not isinstance(found, FunctionType) or found.__name__ in COMMON:
        return []
    return [found] if found.__module__.startswith("node_runtime.") else []


def _named(expression: ast.expr | None, function: FunctionType) -> object:
    if isinstance(expression, ast.Name):
        return function.__globals__.get(expression.id, getattr(builtins, expression.id, None))
    if not isinstance(expression, ast.Attribute):
        return None
    base = _named(expression.value, function)
    if isinstance(base, ModuleType):
        return getattr(base, expression.attr, None)
    is_runtime = isinstance(expression.value, ast.Name) and expression.value.id == "node"
    if isinstance(expression.value, ast.Call):
        is_runtime = getattr(expression.value.func, "id", None) == "runtime"
    if isinstance(expression.value, ast.Name) and expression.value.id == "self":
        is_runtime = function.__qualname__.startswith("Runtime.")
    return getattr(Runtime, expression.attr, None) if is_runtime else None
