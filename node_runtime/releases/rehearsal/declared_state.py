"""Whether a state is what its class says that it is: the `S` of `GenServer[S]`, the `D` of `GenStatem[D]`.

Only the value itself is looked at, not its parts: a list of anything is a `list[int]`. What can't be said surely is
not said.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, ForwardRef, Literal, NewType, Union, get_args, get_origin, is_typeddict

from node_runtime.gen_server import GenServer
from node_runtime.gen_statem import GenStatem


def declared_state(cls: type[Any], namespace: Mapping[str, Any]) -> Any:
    """The type that a callback class of the module with this namespace declares; `Any` if it declares none."""
    for base in cls.__mro__:
        for generic in vars(base).get("__orig_bases__", ()):
            if get_origin(generic) in (GenServer, GenStatem):
                (declared,) = get_args(generic)
                return _resolved(declared, namespace)
    return Any


def _resolved(declared: Any, namespace: Mapping[str, Any]) -> Any:
    """A class that was written as a text, because it stands further down."""
    if isinstance(declared, ForwardRef):
        return namespace.get(declared.__forward_arg__, Any)
    return declared


def fits(value: object, declared: Any) -> bool:
    """Whether `value` is of the declared type, as far as that can be told."""
    origin, arguments = get_origin(declared), get_args(declared)
    if origin in (Union, UnionType):
        return any(fits(value, one) for one in arguments)
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in arguments)
    if origin is Annotated:
        return fits(value, arguments[0])
    if isinstance(declared, NewType):
        return fits(value, declared.__supertype__)
    cls = type(None) if declared is None else dict if is_typeddict(declared) else origin or declared
    return _is_instance(value, cls) if isinstance(cls, type) else True


def _is_instance(value: object, cls: type[Any]) -> bool:
    if cls is float and isinstance(value, int):
        return True  # as type checkers see it
    try:
        return isinstance(value, cls)
    except TypeError:
        return True  # a protocol that can't be asked at run time


def said(declared: Any) -> str:
    """A type as people write it."""
    return declared.__qualname__ if isinstance(declared, type) and get_origin(declared) is None else str(declared)
