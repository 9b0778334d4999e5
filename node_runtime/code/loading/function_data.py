"""Data that functions hold: in attributes, closures, default values, and caches of methods.

A load makes the functions of a module again, with the data that the body gives them. The name of a value says where the
value is: "handler.calls" is an attribute of the function `handler`, "tick.<closure>.count" is a variable in the closure
of `tick`, and "add.<defaults>.seen" is a default value of `add`. "next_id.<self>" is the object of the bound method
`next_id`, and "Hub.parse" is a cache of `functools` around a method.
"""

from __future__ import annotations

import dis
import functools
from collections.abc import Container, Iterator
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, MethodWrapperType, ModuleType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from node_runtime.code.classes.dependents import own_classes
from node_runtime.code.classes.record_fields import default_factories
from node_runtime.code.imports import inner_code

if TYPE_CHECKING:
    from node_runtime.code.module import Namespace

CACHE: Final = type(functools.lru_cache(lambda: None))
"""The class of a function with a cache of `functools`."""
_METHODS: Final = (MethodType, MethodWrapperType, BuiltinFunctionType)
_HOLDERS: Final = (functools.partial, *_METHODS)
"""Objects around a function that hold data of their own: the arguments of a partial, the object of a method."""
UNWRAPPED: Final = {staticmethod: "__func__", classmethod: "__func__", property: "fget"}
"""The attribute of a descriptor that has its function."""
WRAPPED: Final[dict[Any, tuple[str, ...]]] = {
    staticmethod: ("__func__",),
    classmethod: ("__func__",),
    property: ("fget", "fset", "fdel"),
    functools.cached_property: ("func",),
    functools.partialmethod: ("func",),
    functools.singledispatchmethod: ("func",),
    CACHE: ("__wrapped__",),
}
"""The attributes in which descriptors and caches have their functions, setters included."""


class NamedValue(msgspec.Struct, frozen=True):
    """A value that a module holds, and its name.

    `rebound` is true if code may bind another value to the name. `in_function` is true if a function holds the value.
    """

    name: str
    value: Any
    rebound: bool = False
    in_function: bool = True


def function_data(module: str, namespace: Namespace, imported: Container[str] = ()) -> Iterator[NamedValue]:
    """Yield the data that the functions of a module, and the methods of its classes, hold.

    The names in `imported` are left out. Each object has one name, although several functions may share it.
    """
    seen: set[int] = set()
    for name, value in list(namespace.items()):
        if name not in imported and not name.startswith("__"):
            yield from _held(name, value, seen)
    for name, cls in own_classes(module, namespace):
        for field, factory in default_factories(cls).items():
            yield from _held(f"{name}.{field}.<default_factory>", factory, seen)
        for attribute, value in list(vars(cls).items()):
            function = getattr(value, UNWRAPPED[type(value)]) if type(value) in UNWRAPPED else value
            if type(function) is CACHE:
                yield NamedValue(f"{name}.{attribute}", function)
            yield from _held(f"{name}.{attribute}", function, seen)


def _held(name: str, value: Any, seen: set[int]) -> Iterator[NamedValue]:
    """If `value` is a function, yield each value in it and in the functions that it wraps."""
    if type(value) in (FunctionType, CACHE, *_HOLDERS) and id(value) not in seen:
        seen.add(id(value))
        for held in parts_of_function(name, value):
            inner = held.name if type(held.value) in _HOLDERS else name
            if type(held.value) in (FunctionType, CACHE, *_HOLDERS):
                yield from _held(inner, held.value, seen)
            if id(held.value) not in seen or held.rebound:
                seen.add(id(held.value))
                yield held


def parts_of_function(name: str, value: Any) -> Iterator[NamedValue]:
    """Yield the values in one function, cache, partial or bound method, without values in its inner functions."""
    if isinstance(value, functools.partial):
        yield NamedValue(name, value.func)
        yield from (NamedValue(f"{name}.<partial>.{index}", each) for index, each in enumerate(value.args))
        yield from (NamedValue(f"{name}.<partial>.{key}", each) for key, each in value.keywords.items())
    elif isinstance(value, _METHODS):
        if not issubclass(type(value.__self__), (ModuleType, type)):
            yield NamedValue(f"{name}.<self>", value.__self__)
    else:
        yield from (NamedValue(f"{name}.{key}", each, rebound=True) for key, each in vars(value).items())
    if isinstance(value, FunctionType):
        yield from _in_function(name, value)


def _in_function(name: str, function: FunctionType) -> Iterator[NamedValue]:
    code = function.__code__
    stored = _names_stored_in_cells(code) if code.co_freevars else set()
    for variable, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield NamedValue(f"{name}.<closure>.{variable}", cell.cell_contents, variable in stored)
        except ValueError:
            continue  # an empty cell
    positional = code.co_varnames[: code.co_argcount]
    defaults = function.__defaults__ or ()
    for argument, default in zip(positional[len(positional) - len(defaults) :], defaults, strict=True):
        yield NamedValue(f"{name}.<defaults>.{argument}", default)
    for argument, default in (function.__kwdefaults__ or {}).items():
        yield NamedValue(f"{name}.<defaults>.{argument}", default)


def _names_stored_in_cells(code: CodeType) -> set[str]:
    """Return the variables of closures that a function, or a function in it, binds."""
    names = {step.argval for step in dis.get_instructions(code) if step.opname in ("STORE_DEREF", "DELETE_DEREF")}
    return names.union(*map(_names_stored_in_cells, inner_code(code)))


def member_function(member: Any) -> Any:
    """Return the function of a method, property or the like in a class; None for any other member."""
    if issubclass(type(member), (staticmethod, classmethod)):
        member = member.__func__
    elif issubclass(type(member), property):
        member = member.fget
    elif issubclass(type(member), functools.cached_property):
        member = member.func
    return member if type(member) is FunctionType else None
