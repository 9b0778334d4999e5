"""Finds functions by their qualified names, also those inside of properties, class methods and decorators' wrappers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import FunctionType, MethodType
from typing import Any, Final

from node_runtime.behaviours.show.raw_reads import namespace_of
from node_runtime.code.loading.function_data import CACHE, WRAPPED

MAX_WRAPPERS: Final = 10
"""At most this many wrappers around a function are opened."""
_PARTS: Final = (*WRAPPED.items(), (FunctionType, ("__wrapped__",)))
"""The attributes in which wrappers have their functions."""


def resolve_name(namespace: Mapping[str, Any], qualname: str) -> Any:
    """Return what a qualified name means in a namespace; None if there is nothing. A method is returned as a function.

    No code of a class runs.
    """
    found = _member(namespace, qualname)
    return found.__func__ if issubclass(type(found), (staticmethod, classmethod, MethodType)) else found


def function_at_name(function: Any, before: Mapping[str, Any], after: Mapping[str, Any]) -> Any:
    """Return the function in the namespace `after` that is at the place of `function` in the namespace `before`.

    If the name means a wrapper in only one of the two namespaces, the wrapper is opened. Return None if `after` has no
    such function.
    """
    old, new = (_member(namespace, function.__qualname__) for namespace in (before, after))
    found = _counterpart(function, old, new, MAX_WRAPPERS)
    return _opened(new, function.__qualname__, MAX_WRAPPERS) if found is None else found


def _member(namespace: Mapping[str, Any], qualname: str) -> Any:
    first, *others = qualname.split(".")
    found: Any = namespace.get(first)
    for name in others:
        found = namespace_of(found).get(name) if issubclass(type(found), type) else None
    return found


def _counterpart(function: Any, old: Any, new: Any, depth: int) -> Any:
    """Return the function that `new` has where `old` has `function`; None if there is none."""
    if old is function:
        return new if _is_function(new) else None
    inner = dict(_parts(new)) if depth else {}
    found = (_counterpart(function, part, inner.get(name), depth - 1) for name, part in _parts(old) if name in inner)
    return next((one for one in found if one is not None), None)


def _opened(value: Any, qualname: str, depth: int) -> Any:
    """Return the first function with this name in a wrapper; None if there is none."""
    if _is_function(value):
        return value
    found = (_opened(part, qualname, depth - 1) for _, part in _parts(value)) if depth else ()
    return next((one for one in found if one is not None and one.__qualname__ == qualname), None)


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the functions and wrappers in a wrapper, each with its name there."""
    kind = type(value)
    for name in next((names for cls, names in _PARTS if issubclass(kind, cls)), ()):
        part = getattr(value, name, None)
        if part is not None:
            yield name, part
    if kind is FunctionType:
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            part = _content(cell)
            if _is_function(part):
                yield name, part


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # the cell is empty
        return None


def _is_function(value: Any) -> bool:
    return issubclass(type(value), (FunctionType, CACHE))
