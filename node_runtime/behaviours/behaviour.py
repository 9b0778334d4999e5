"""What all behaviours share: classes whose instances hold one value, and the versions they are told about."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from types import FunctionType
from typing import Any, ClassVar, TypeAlias

from .deferred_reply import is_deferred

Vsn: TypeAlias = str
"""A module's version: its `__vsn__`, or else the hash of its content."""


@dataclass(frozen=True, slots=True)
class Down:
    """`old_vsn` of a downgrade: the version of the module that is being gone back to. OTP: `{down, Vsn}`."""

    vsn: Vsn


class BehaviourType(type):
    """Gives every subclass empty slots, so that its instances hold their one value and nothing else.

    `__public__` has the class's own public methods by name: what others may ask of a process of the class, or the
    states of a state machine. The behaviour itself, and what it defines, is no part of it. The methods whose answers
    come from elsewhere stand in `__deferred__` instead.
    """

    __public__: dict[str, FunctionType]
    __deferred__: dict[str, FunctionType]

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any) -> BehaviourType:
        slots = namespace.setdefault("__slots__", ())
        cls = super().__new__(mcs, name, bases, namespace, **kwargs)
        if slots and "__behaviour__" not in namespace:
            raise TypeError(f"{name} may have no slots of its own: what outlives a callback is the one state")
        if cls.__dictoffset__:
            raise TypeError(f"{name} has a base without __slots__, so its instances would hold more than the one state")
        cls._publish()
        return cls

    def __setattr__(cls, name: str, value: object) -> None:
        """As usual; a method that a test puts into the class takes effect."""
        super().__setattr__(name, value)
        if not name.startswith("_"):
            cls._publish()

    def _publish(cls) -> None:
        behaviours = [base for base in cls.__mro__ if "__behaviour__" in vars(base)]
        reserved = {name for base in behaviours for name in vars(base)}
        asked = {name for base in behaviours for name in vars(base).get("__protocol__", ())}
        public: dict[str, FunctionType] = {}
        deferred: dict[str, FunctionType] = {}
        for name in dir(cls):
            value = inspect.getattr_static(cls, name)
            if isinstance(value, FunctionType) and (name in asked or (name not in reserved and name[0] != "_")):
                (deferred if is_deferred(value) else public)[name] = value
        cls.__deferred__ = deferred
        if "__public__" not in vars(cls):
            cls.__public__ = {}
        cls.__public__.clear()  # processes hold the dict itself
        cls.__public__.update(public)
        subclasses: list[Any] = cls.__subclasses__()
        for subclass in subclasses:
            subclass._publish()


class Behaviour(metaclass=BehaviourType):
    """Base of all callback classes. An instance is made by the runtime only, one for each version of the class."""

    __behaviour__: ClassVar[bool] = True
    __public__: ClassVar[dict[str, FunctionType]]


def behaviour_of(cls: object) -> type[Behaviour] | None:
    """The behaviour that a class follows: a supervisor's is Supervisor, though that is built upon GenServer."""
    if not isinstance(cls, BehaviourType):
        return None
    return next(base for base in cls.__mro__ if "__behaviour__" in vars(base))


def namespace_of(module: str) -> dict[str, Any] | None:
    """The current namespace of a module; None if it isn't loaded. It may be a plain object with a `__dict__`."""
    found = sys.modules.get(module)
    return None if found is None else found.__dict__


def current_class(module: str, qualname: str) -> Any:
    """What `qualname` means in the current version of `module`, or None."""
    names = qualname.split(".")
    found = (namespace_of(module) or {}).get(names[0])
    for name in names[1:]:
        found = getattr(found, name, None)
    return found
