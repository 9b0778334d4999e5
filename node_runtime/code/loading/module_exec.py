"""Executes the body of a new version, with unchanged classes and `__carry__` objects from the previous version.

An object of the previous version has to be bound before the next line of the body runs. Otherwise bases, defaults and
registries in later lines would refer to the wrong object. `exec` stores the body's names in a mapping that its caller
provides. This mapping is a `BodyNames`, which stores the previous version's object instead of the new one.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator, MutableMapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from node_runtime.code.classes.class_reuse import VersionAttributes, is_reusable_kind, reusable_attributes
from node_runtime.code.classes.definition_equality import is_plain
from node_runtime.code.classes.definitions import Definitions, mutating_reads, read_definitions
from node_runtime.code.registrations import REGISTRIES, declared_registries

from .class_data import carry_attributes

if TYPE_CHECKING:
    from node_runtime.code.module import Namespace
    from node_runtime.code.version import CompilationUnit, Version

CARRY = "__carry__"
ON_LOAD = "__on_load__"


class ExecutedBody(msgspec.Struct, frozen=True):
    """What a body took over from the previous version.

    `reused_classes` are the classes that were reused, each with its attributes in this version. `carried` has the names
    and objects that `__carry__` keeps or makes. `discarded` has the objects that the body itself made for the names in
    `carried`.
    """

    reused_classes: dict[type, VersionAttributes]
    carried: Namespace = msgspec.field(default_factory=dict)
    discarded: tuple[Any, ...] = ()


def execute_body(unit: CompilationUnit, namespace: Namespace, before: Version | None) -> ExecutedBody:
    """Run a body, then its `__carry__` function and its `__on_load__`.

    `before` is the version that the new version replaces; None if the module is new.
    """
    reused: dict[type, VersionAttributes] = {}
    discarded: tuple[Any, ...] = ()
    if before is None or not _may_take_over(unit, before):
        exec(unit.code, namespace)
    else:
        body = BodyNames(unit, namespace, before)
        exec(unit.code, namespace, body)
        reused, discarded = body.reused_classes, body.discarded()
    forget_frames(namespace)
    if REGISTRIES in namespace:
        list(declared_registries(namespace))  # raises TypeError now, and not during a later load
    listed = carried_names(namespace)
    carried = {name: namespace[name] for name in listed if before is not None and name in before.namespace}
    if before is not None:
        made = call_carry_function(namespace, before.namespace)
        namespace.update(made)
        carried |= made | carry_attributes(listed, before.namespace, namespace, reused)
    call_on_load(namespace, before)
    return ExecutedBody(reused, carried, discarded)


def forget_frames(namespace: Namespace) -> None:
    """Clear the tracebacks of exceptions that the body has caught and kept.

    A traceback keeps the frame of the body in memory. The frames of the body's callers refer to the previous version.
    So each further load would keep one more version in memory.
    """
    caught = [
        value
        for value in list(namespace.values())
        if issubclass(type(value), BaseException)  # `isinstance` would run the code of a lazy object
        and value.__traceback__ is not None
        and value.__traceback__.tb_frame.f_globals is namespace
    ]
    seen: set[int] = set()
    while caught:
        error = caught.pop()
        if id(error) not in seen:
            seen.add(id(error))
            error.__traceback__ = None
            related = (error.__cause__, error.__context__, *getattr(error, "exceptions", ()))
            caught += [other for other in related if isinstance(other, BaseException)]


def call_on_load(namespace: Namespace, before: Version | None) -> None:
    """Call `__on_load__(old_namespace)`; if it raises an exception, the load is refused.

    Follows the -on_load attribute of Erlang.
    """
    hook = namespace.get(ON_LOAD)
    if hook is None:
        return
    if not callable(hook):
        raise TypeError(f"{ON_LOAD} is {hook!r}: it must be a function that takes the old namespace")
    answer = hook(None if before is None else before.namespace)
    if inspect.iscoroutine(answer):
        answer.close()
        raise TypeError(f"{ON_LOAD} is an async function, but nothing awaits it: make it a plain function")
    if answer is not None:
        raise TypeError(f"{ON_LOAD} returned {answer!r}: it must return None to accept the load, or raise to refuse it")


def carried_names(namespace: Namespace) -> tuple[str, ...]:
    """Return the names in the list `__carry__`; none if `__carry__` is a function.

    Raises TypeError if `__carry__` is neither a list of names nor a function.
    """
    wanted = namespace.get(CARRY, ())
    if callable(wanted):
        return ()
    if not isinstance(wanted, (list, tuple)) or not all(isinstance(name, str) for name in wanted):
        raise TypeError(
            f"{CARRY} is {wanted!r}: it must be a list of names, or a function that takes the old namespace"
        )
    return tuple(wanted)


def call_carry_function(namespace: Namespace, old: Namespace) -> dict[str, Any]:
    """Return the names and values that a `__carry__` function makes from the old namespace."""
    make = namespace.get(CARRY)
    if not callable(make):
        return {}
    made = make(old)
    if not isinstance(made, dict) or not all(isinstance(name, str) for name in made):
        raise TypeError(f"{CARRY} returned {made!r}: it must return a dict of names and values")
    return made


class BodyNames(MutableMapping[str, Any]):
    """The local names of a body. Unchanged classes and names in `__carry__` get the previous version's object.

    `_own` has the objects that the body itself made for names in `__carry__`. If the body reads such a name in order to
    mutate the object, the body gets the object that it made itself. The previous version's object is in use, so it must
    not change before the load is committed.
    """

    def __init__(self, unit: CompilationUnit, namespace: Namespace, before: Version) -> None:
        self.reused_classes: dict[type, VersionAttributes] = {}
        self._unit = unit
        self._namespace = namespace
        self._before = before.namespace
        self._carried: frozenset[str] = frozenset()
        self._own: Namespace = {}

    @cached_property
    def _definitions(self) -> Definitions:
        return read_definitions(self._unit.code)

    @cached_property
    def _mutating_reads(self) -> frozenset[int]:
        return mutating_reads(self._unit.code)

    def discarded(self) -> tuple[Any, ...]:
        """Return the objects that the body has made for names in `__carry__`."""
        return tuple(value for name, value in self._own.items() if value is not self._namespace.get(name))

    def __setitem__(self, name: str, value: Any) -> None:
        if name in self._carried:
            self._own[name] = value
            return
        self._namespace[name] = self._reused_or_new(name, value)
        if name == CARRY:
            listed = frozenset(carried_names(self._namespace)) & self._before.keys()
            self._own.update((new, self._namespace[new]) for new in (listed - self._carried) & self._namespace.keys())
            self._carried = listed
            self._namespace.update((carried, self._before[carried]) for carried in listed)

    def __getitem__(self, name: str) -> Any:
        if name in self._carried and not is_plain(self._namespace[name]) and self._is_about_to_mutate():
            if name not in self._own:
                raise TypeError(
                    f"{CARRY} lists {name!r}, and this line would change the old version's object, which is in use: "
                    f"let the body make a new object first, or make {CARRY} a function that returns one"
                )
            return self._own[name]
        return self._namespace[name]

    def _is_about_to_mutate(self) -> bool:
        """Return whether the instruction that the body executes now reads a name in order to mutate its object."""
        reading = sys._getframe(2)
        return reading.f_code is self._unit.code and reading.f_lasti in self._mutating_reads

    def __delitem__(self, name: str) -> None:
        del self._namespace[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._namespace)

    def __len__(self) -> int:
        return len(self._namespace)

    def _reused_or_new(self, name: str, value: Any) -> Any:
        old, module = self._before.get(name), self._unit.source.module
        if old is value or not (is_reusable_kind(value, module, name) and is_reusable_kind(old, module, name)):
            return value
        attributes = reusable_attributes(name, (old, value), (self._before, self._namespace), self._definitions)
        if attributes is None:
            return value
        self.reused_classes[old] = attributes
        return old


def _may_take_over(unit: CompilationUnit, before: Version) -> bool:
    """Return whether a body may take over objects of the previous version. Only then it needs `BodyNames`."""
    return CARRY in unit.code.co_names or _any_candidate(before.unit.source.module, before.namespace.items())


def _any_candidate(module: str, names: Iterable[tuple[str, Any]]) -> bool:
    return any(is_reusable_kind(value, module, name) for name, value in list(names))
