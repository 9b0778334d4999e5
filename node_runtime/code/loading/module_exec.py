"""Executing a new version's body with what it takes over from the version before: unchanged classes and `__carry__`.

What is taken over has to be there before the next line of the body runs, or bases, defaults and registries made
further down would know the wrong object. A module's own names are stored in the mapping of local names that `exec`
is given; so that mapping is where the old object takes the place of the new one.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator, MutableMapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from node_runtime.code.classes.class_reuse import Face, is_candidate, unchanged
from node_runtime.code.classes.definition_equality import is_plain
from node_runtime.code.classes.definitions import Definitions, changing_reads, read_definitions

if TYPE_CHECKING:
    from node_runtime.code.module import Namespace
    from node_runtime.code.version import Unit, Version

CARRY = "__carry__"
ON_LOAD = "__on_load__"


def execute(unit: Unit, namespace: Namespace, before: Version | None) -> dict[type, Face]:
    """Run a body and then its `__on_load__`. `before` is the version that it follows.

    Returns the classes that were carried over, each with its face in this version.
    """
    if before is None or not _has_something(unit, before):
        exec(unit.code, namespace)
        faces: dict[type, Face] = {}
    else:
        body = Body(unit, namespace, before)
        exec(unit.code, namespace, body)
        faces = body.faces
    forget_frames(namespace)
    carried_names(namespace)  # refused here, if it makes no sense, and not when a batch or a later version needs it
    if before is not None:
        namespace.update(handed_over(namespace, before.namespace))
    announce(namespace, before)
    return faces


def forget_frames(namespace: Namespace) -> None:
    """Take the tracebacks from exceptions that the body has caught and kept.

    They have the body's frame, and by way of its callers' ones everything that had to do with this load: also the
    version before, which would never be free, and nor would any after it.
    """
    caught = [
        value
        for value in list(namespace.values())
        if isinstance(value, BaseException)
        and value.__traceback__ is not None
        and value.__traceback__.tb_frame.f_globals is namespace
    ]
    seen: set[int] = set()
    while caught:
        error = caught.pop()
        if id(error) not in seen:
            seen.add(id(error))
            error.__traceback__ = None
            behind = (error.__cause__, error.__context__, *getattr(error, "exceptions", ()))
            caught += [other for other in behind if isinstance(other, BaseException)]


def announce(namespace: Namespace, before: Version | None) -> None:
    """Call `__on_load__(old_namespace)`; raising refuses the load. Follows the -on_load attribute of Erlang."""
    hook = namespace.get(ON_LOAD)
    if hook is None:
        return
    if not callable(hook):
        raise TypeError(f"{ON_LOAD} is {hook!r}: make it a function of the old namespace")
    answer = hook(None if before is None else before.namespace)
    if inspect.iscoroutine(answer):
        answer.close()
        raise TypeError(f"{ON_LOAD} is async, and nobody awaits it: make it a plain function")
    if answer is not None:
        raise TypeError(f"{ON_LOAD} returned {answer!r}: it accepts by returning None, and refuses by raising")


def carried_names(namespace: Namespace) -> tuple[str, ...]:
    """The names that `__carry__` lists. Raises TypeError if it is neither a list of names nor a function."""
    wanted = namespace.get(CARRY, ())
    if callable(wanted):
        return ()
    if not isinstance(wanted, (list, tuple)) or not all(isinstance(name, str) for name in wanted):
        raise TypeError(f"{CARRY} is {wanted!r}: make it a list of names, or a function of the old namespace")
    return tuple(wanted)


def handed_over(namespace: Namespace, old: Namespace) -> dict[str, Any]:
    """What a `__carry__` function makes of the old namespace."""
    make = namespace.get(CARRY)
    if not callable(make):
        return {}
    made = make(old)
    if not isinstance(made, dict) or not all(isinstance(name, str) for name in made):
        raise TypeError(f"{CARRY} returned {made!r}: it returns a dict of names and values")
    return made


class Body(MutableMapping[str, Any]):
    """The local names of a body: they are the namespace's, but for what is carried over.

    `_own` has what the body itself made under carried names. Where it goes on to fill that, it gets it, and not the
    object that is in use: whether the load will be committed isn't known yet.
    """

    def __init__(self, unit: Unit, namespace: Namespace, before: Version) -> None:
        self.faces: dict[type, Face] = {}
        self._unit = unit
        self._namespace = namespace
        self._before = before.namespace
        self._carried: frozenset[str] = frozenset()
        self._own: Namespace = {}

    @cached_property
    def _definitions(self) -> Definitions:
        return read_definitions(self._unit.code)

    @cached_property
    def _changing(self) -> frozenset[int]:
        return changing_reads(self._unit.code)

    def __setitem__(self, name: str, value: Any) -> None:
        if name in self._carried:
            self._own[name] = value
            return
        self._namespace[name] = self._chosen(name, value)
        if name == CARRY:
            listed = frozenset(carried_names(self._namespace)) & self._before.keys()
            self._own.update((new, self._namespace[new]) for new in (listed - self._carried) & self._namespace.keys())
            self._carried = listed
            self._namespace.update((carried, self._before[carried]) for carried in listed)

    def __getitem__(self, name: str) -> Any:
        if name in self._carried and not is_plain(self._namespace[name]) and self._is_about_to_change():
            if name not in self._own:
                raise TypeError(
                    f"{name!r} is carried over and in use, and this line would change it before the load is committed: "
                    f"do it only where the body makes {name!r}, or let a function {CARRY} return what it is to be"
                )
            return self._own[name]
        return self._namespace[name]

    def _is_about_to_change(self) -> bool:
        """The body reads a name in order to change its object."""
        reading = sys._getframe(2)
        return reading.f_code is self._unit.code and reading.f_lasti in self._changing

    def __delitem__(self, name: str) -> None:
        del self._namespace[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._namespace)

    def __len__(self) -> int:
        return len(self._namespace)

    def _chosen(self, name: str, value: Any) -> Any:
        old, module = self._before.get(name), self._unit.source.module
        if old is value or not (is_candidate(value, module, name) and is_candidate(old, module, name)):
            return value
        face = unchanged(name, (old, value), (self._before, self._namespace), self._definitions)
        if face is None:
            return value
        self.faces[old] = face
        return old


def _has_something(unit: Unit, before: Version) -> bool:
    """Most modules have nothing to take over, and run as any other does."""
    return CARRY in unit.code.co_names or _any_candidate(before.unit.source.module, before.namespace.items())


def _any_candidate(module: str, names: Iterable[tuple[str, Any]]) -> bool:
    return any(is_candidate(value, module, name) for name, value in list(names))
