"""The base class of all callback classes, whose instances hold one value: the state."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any, ClassVar, TypeAlias

from .deferred_reply import is_deferred
from .reserved_names import STATE_HOOKS, defined_reserved_name, reserved_name_sentence

Vsn: TypeAlias = str
"""A module's version: its `__vsn__`, or else the hash of its content."""


@dataclass(frozen=True, slots=True)
class Down:
    """The `old_vsn` of a downgrade: the version of the module to which the downgrade returns. OTP: `{down, Vsn}`.

    `target` is the module in that version, so that a code_change of the newer version can make a state of the older
    one: `old_vsn.target.State(...)`. It is None for a code_change that `sys.change_code` calls.
    """

    vsn: Vsn
    target: Any = field(default=None, compare=False, repr=False)


class BehaviourType(type):
    """The metaclass of callback classes: gives each class empty slots, so that its instances hold only the state.

    `__public__` maps the names of the class's own public methods to the methods: the requests that its processes
    answer, or the states of a state machine. It does not contain methods that the behaviour itself defines. Methods
    marked with `deferred` are in `__deferred__` instead.
    """

    __public__: dict[str, FunctionType]
    __deferred__: dict[str, FunctionType]
    __state_attribute__: str

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any) -> BehaviourType:
        slots = namespace.setdefault("__slots__", ())
        cls = super().__new__(mcs, name, bases, namespace, **kwargs)
        if slots and "__behaviour__" not in namespace:
            raise TypeError(f"{name} defines __slots__; keep everything that outlives a callback in the state instead")
        if cls.__dictoffset__:
            sentence = f"{name} has a base without __slots__, so its instances could hold more than the state"
            raise TypeError(f"{sentence}; give the base `__slots__ = ()`")
        if (reserved := defined_reserved_name(cls, cls.__state_attribute__)) is not None:
            raise TypeError(reserved)
        cls._publish()
        return cls

    def __setattr__(cls, name: str, value: object) -> None:
        """Set the attribute and compute `__public__` again, so that a method that a test replaces takes effect."""
        if "__behaviour__" not in vars(cls) and name in (cls.__state_attribute__, *STATE_HOOKS):
            raise TypeError(reserved_name_sentence(cls, cls.__state_attribute__, name))
        super().__setattr__(name, value)
        if not name.startswith("_"):
            cls._publish()

    def _publish(cls) -> None:
        behaviours = [base for base in cls.__mro__ if "__behaviour__" in vars(base)]
        reserved = {name for base in behaviours for name in vars(base)}
        requests = {name for base in behaviours for name in vars(base).get("__protocol__", ())}
        public: dict[str, FunctionType] = {}
        deferred: dict[str, FunctionType] = {}
        for name in dir(cls):
            value = inspect.getattr_static(cls, name)
            if isinstance(value, FunctionType) and (name in requests or (name not in reserved and name[0] != "_")):
                (deferred if is_deferred(value) else public)[name] = value
        cls.__deferred__ = deferred
        if "__public__" not in vars(cls):
            cls.__public__ = {}
        cls.__public__.clear()  # keep the dict object, because processes refer to it
        cls.__public__.update(public)
        subclasses: list[Any] = cls.__subclasses__()
        for subclass in subclasses:
            subclass._publish()


class Behaviour(metaclass=BehaviourType):
    """The base class of all callback classes. Only the runtime makes instances, one for each version of the class."""

    __behaviour__: ClassVar[bool] = True
    __public__: ClassVar[dict[str, FunctionType]]
    __state_attribute__: ClassVar[str] = "state"
    """The one attribute of an instance."""

    @classmethod
    def __outline__(cls, raw_state: object) -> dict[str, object] | None:
        """Return an outline of the state in builtin values, if the behaviour shows an outline instead of the state."""
        return None

    @classmethod
    def __name_and_data__(cls, raw_state: object) -> tuple[object, object] | None:
        """Return the state's name and its data, if the raw state of the behaviour consists of these two."""
        return None


def behaviour_of(cls: object) -> type[Behaviour] | None:
    """Return the behaviour that a class follows, None for any other class.

    For a supervisor this is Supervisor, although Supervisor is a subclass of GenServer.
    """
    if not isinstance(cls, BehaviourType):
        return None
    return next(base for base in cls.__mro__ if "__behaviour__" in vars(base))


def _namespace_of(module: str) -> dict[str, Any] | None:
    """Return the current namespace of a module, which may be a plain object with a `__dict__`; None if not loaded."""
    found = sys.modules.get(module)
    return None if found is None else found.__dict__


def current_class(module: str, qualname: str) -> Any:
    """Return the object that `qualname` names in the current version of `module`, or None."""
    names = qualname.split(".")
    found = (_namespace_of(module) or {}).get(names[0])
    for name in names[1:]:
        found = getattr(found, name, None)
    return found
