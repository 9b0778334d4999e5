"""Finds the functions that a startup runs, and whether their source awaits tasks that they create."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any, Final

_CREATING: Final = ("create_task", "ensure_future")
_WAITING: Final = ("gather", "wait", "as_completed")
_GROUPS: Final = ("TaskGroup", "create_task_group")
_LIBRARIES: Final = ("starlette.", "fastapi.", "litestar.", "contextlib")


def startup_functions(application: Any) -> list[Callable[..., Any]] | None:
    """Return the functions that the startup of an application runs; None for an unknown kind of application.

    The known kinds are Starlette and FastAPI, whose routers keep the functions, and applications that have the same
    attributes.
    """
    router: Any = getattr(application, "router", None)
    if not hasattr(router, "lifespan_context"):
        return None
    found = [router.lifespan_context, *(getattr(router, "on_startup", None) or ())]
    return [function for one in found for function in _of_the_user(one)]


def _of_the_user(function: Any) -> Iterator[Callable[..., Any]]:
    """Yield the functions that users wrote, without the wrappers of libraries."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function) if callable(function) else function
    if not inspect.isfunction(function):
        return
    if not f"{function.__module__}.".startswith(_LIBRARIES):
        yield function
        return
    for cell in function.__closure__ or ():
        yield from _of_the_user(cell.cell_contents)


def awaits_own_tasks(function: Callable[..., Any]) -> str | None:
    """Return how a startup waits for tasks that it creates, such as "asyncio.gather in line 12"; else None."""
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return None
    ending = min((node.lineno for node in ast.walk(tree) if isinstance(node, ast.Yield)), default=len(lines) + 1)
    names, passed = _task_names(tree), _passed_names(tree)
    for node in ast.walk(tree):
        how = _waits(node, names, passed) if getattr(node, "lineno", ending) < ending else None
        if how is not None:
            return f"{how} in line {first + getattr(node, 'lineno', 1) - 1}"
    return None


def _task_names(tree: ast.AST) -> set[str]:
    """Return the names of variables to which a new task is assigned."""
    return {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _called(node.value) in _CREATING
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _passed_names(tree: ast.AST) -> set[str]:
    """Return the names of variables that are passed to a new task, such as an event that the task sets."""
    return {
        name.id
        for node in ast.walk(tree)
        if _called(node) in _CREATING and isinstance(node, ast.Call)
        for call in node.args
        if isinstance(call, ast.Call)
        for argument in call.args
        for name in [argument]
        if isinstance(name, ast.Name)
    }


def _waits(node: ast.AST, names: set[str], passed: set[str]) -> str | None:
    """Return how a statement or an expression waits for a task; None if it doesn't."""
    if isinstance(node, ast.AsyncWith):
        has_yield = any(isinstance(inner, ast.Yield) for inner in ast.walk(node))
        group = next((item for item in node.items if _called(item.context_expr) in _GROUPS), None)
        return None if has_yield or group is None else ast.unparse(group.context_expr)
    if isinstance(node, ast.AsyncFor):
        return ast.unparse(node.iter) if _called(node.iter) == "as_completed" else None
    if not isinstance(node, ast.Await):
        return None
    value, called = node.value, _called(node.value)
    root = _root(value)
    if called in _CREATING or called == "start" or (called in _WAITING and root in ("asyncio", None)):
        return f"await {_function(value)}"
    if called in ("wait", "join") and root in passed:
        return f"await {_function(value)}"
    used = next((one.id for one in _operands(value) if isinstance(one, ast.Name) and one.id in names), None)
    return None if used is None else f"await {used}"


def _root(value: ast.expr) -> str | None:
    """Return the leftmost name of a call, such as `group` in `group.start_soon()`; None for a plain function."""
    function = value.func if isinstance(value, ast.Call) else value
    while isinstance(function, ast.Attribute):
        function = function.value
        if isinstance(function, ast.Name):
            return function.id
    return None


def _operands(value: ast.expr) -> list[ast.expr]:
    return [*value.args] if isinstance(value, ast.Call) else [value]


def _called(value: ast.AST | None) -> str | None:
    """Return the last part of the name of the function that an expression calls; None if it is not a call."""
    if not isinstance(value, ast.Call):
        return None
    function = value.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)


def _function(value: ast.expr) -> str:
    return ast.unparse(value.func) if isinstance(value, ast.Call) else ast.unparse(value)
