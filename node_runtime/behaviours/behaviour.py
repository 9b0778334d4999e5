"""The base class of all callback classes. An instance of a callback class holds one value: the state."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from operator import itemgetter
from types import FunctionType
from typing import Any, ClassVar, Final, TypeAlias

from .deferred_reply import is_deferred

Vsn: TypeAlias = str
"""A module's version: its `__vsn__`, or else the hash of its content."""

STATE_HOOKS: Final = ("__setattr__", "__getattribute__")
"""Methods that would run at each access of a process to its state. A callback class can't define them."""


@dataclass(frozen=True, slots=True)
class Down:
    """The `old_vsn` of a downgrade: the version of the module to which the downgrade returns. OTP: `{down, Vsn}`.

    `target` is the module in the older version. The code_change of the newer version can use it to make the older
    state: `old_vsn.target.State(...)`. `target` is None if `sys.change_code` calls code_change.
    """

    vsn: Vsn
    target: Any = field(default=None, compare=False, repr=False)


def defined_reserved_name(cls: type, attribute: str) -> str | None:
    """Return a sentence about a reserved name that a callback class or one of its bases defines; None without one.

    `attribute` is the name of the slot for the state. A class that defines a reserved name may be unable to hold a
    state. The check finds such a class during an upgrade, before the processes are resumed and would fail.
    """
    for name in (attribute, *STATE_HOOKS):
        owner = next((base for base in cls.__mro__ if name in vars(base)), object)
        if owner is not object and "__behaviour__" not in vars(owner):
            return reserved_name_sentence(cls, attribute, name, owner)
    return None


def reserved_name_sentence(cls: type, attribute: str, name: str, owner: type | None = None) -> str:
    """Return a sentence that `owner` defines the reserved name `name`, with the remedy.

    `owner` is `cls` or a base of `cls`; the default is `cls`.
    """
    inherits = owner is not None and owner is not cls
    whose = f"{owner.__qualname__}, a base of {cls.__qualname__}," if owner and inherits else cls.__qualname__
    if name == attribute:
        return f"{whose} defines {name}, the attribute that holds the state of its processes; choose another name"
    return f"{whose} defines {name}, which would run between a process and its state; remove it"


class BehaviourType(type):
    """The metaclass of callback classes: gives each class empty slots, so that its instances hold only the state.

    `__public__` maps the names of the class's own public methods to the methods: the requests that its processes
    answer, or the states of a state machine. `__public__` does not contain methods that the behaviour itself defines.
    Methods marked with `deferred` are in `__deferred__` instead.
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
        """Set the attribute and compute `__public__` again, so that processes call a method that a test replaces."""
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
        found = {name: value for base in reversed(cls.__mro__) for name, value in vars(base).items()}
        for name, value in sorted(found.items(), key=itemgetter(0)):
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
    """The base class of all callback classes. Only the runtime makes instances: one for each process and version."""

    __behaviour__: ClassVar[bool] = True
    __public__: ClassVar[dict[str, FunctionType]]
    __state_attribute__: ClassVar[str] = "state"
    """The name of the only attribute of an instance, which holds the state."""

    @classmethod
    def __outline__(cls, raw_state: object) -> dict[str, object] | None:
        """Return an outline of the state, made of builtin values; None if observers see the state itself."""
        return None

    @classmethod
    def __name_and_data__(cls, raw_state: object) -> tuple[object, object] | None:
        """Return the state's name and the data of a state machine; None for other behaviours."""
        return None


def behaviour_of(cls: object) -> type[Behaviour] | None:
    """Return the behaviour that a class implements; None if the class is not a callback class.

    For a subclass of Supervisor, the result is Supervisor, not GenServer, although Supervisor is based on GenServer.
    """
    if not isinstance(cls, BehaviourType):
        return None
    return next(base for base in cls.__mro__ if "__behaviour__" in vars(base))


def _namespace_of(module: str) -> dict[str, Any] | None:
    """Return the `__dict__` of a module's entry in `sys.modules`; None without an entry."""
    found = sys.modules.get(module)
    return None if found is None else found.__dict__


def current_class(module: str, qualname: str) -> Any:
    """Return the object that `qualname` names in the current version of `module`, or None."""
    names = qualname.split(".")
    found = (_namespace_of(module) or {}).get(names[0])
    for name in names[1:]:
        found = getattr(found, name, None)
    return found
