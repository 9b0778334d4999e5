"""Checks a state against the type that its class declares: the `S` of `GenServer[S]`, the `D` of `GenStatem[D]`.

Only the value itself is checked, not its parts: any list is accepted as a `list[int]`, and a dict as a `TypedDict` if
it has the required keys. A check that can't decide succeeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, ForwardRef, Literal, NewType, TypeVar, Union, get_args, get_origin, is_typeddict

from node_runtime.code.classes.required_keys import required_keys
from node_runtime.gen_server import GenServer
from node_runtime.gen_statem import GenStatem


def declared_state(cls: type[Any], namespace: Mapping[str, Any]) -> Any:
    """Return the state type that a callback class declares; `Any` if it declares none.

    `namespace` is the namespace of the module that defines the class.
    """
    for base in cls.__mro__:
        declared = _argument_of_behaviour(base)
        if declared is not None:
            return Any if isinstance(declared, TypeVar) else _resolved(declared, namespace)
    return Any


def _argument_of_behaviour(cls: type[Any]) -> Any:
    """Return the type that a class passes to GenServer or GenStatem, also through a generic base; else None."""
    for generic in vars(cls).get("__orig_bases__", ()):
        origin, arguments = get_origin(generic), get_args(generic)
        if origin in (GenServer, GenStatem):
            return arguments[0]
        if isinstance(origin, type) and issubclass(origin, (GenServer, GenStatem)):
            passed: Any = _argument_of_behaviour(origin)
            parameters: tuple[Any, ...] = vars(origin).get("__parameters__", ())
            return dict(zip(parameters, arguments, strict=False)).get(passed, passed)
    return None


def _resolved(declared: Any, namespace: Mapping[str, Any]) -> Any:
    """Return the declared type; if it is a forward reference, the class that the reference names."""
    if isinstance(declared, ForwardRef):
        return namespace.get(declared.__forward_arg__, Any)
    return declared


def fits(value: object, declared: Any) -> bool:
    """Return whether `value` is of the declared type; True if that can't be decided."""
    origin, arguments = get_origin(declared), get_args(declared)
    if origin in (Union, UnionType):
        return any(fits(value, argument) for argument in arguments)
    if origin is Literal:
        return any(type(value) is type(literal) and value == literal for literal in arguments)
    if origin is Annotated:
        return fits(value, arguments[0])
    if isinstance(declared, NewType):
        return fits(value, declared.__supertype__)
    if is_typeddict(declared):
        return isinstance(value, dict) and required_keys(declared) <= value.keys()
    cls = type(None) if declared is None else origin or declared
    return _is_instance(value, cls) if isinstance(cls, type) else True


def _is_instance(value: object, cls: type[Any]) -> bool:
    if cls is float and isinstance(value, int):
        return True  # as in type checkers
    try:
        return isinstance(value, cls)
    except TypeError:
        return True  # a protocol that is not runtime_checkable


def type_name(declared: Any) -> str:
    """Return a type as it is written in source code."""
    return declared.__qualname__ if isinstance(declared, type) and get_origin(declared) is None else str(declared)
