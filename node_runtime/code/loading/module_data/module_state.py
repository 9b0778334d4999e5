"""Finds objects whose data a load may lose: in global variables, in attributes of classes, and in functions.

Most containers of a module are tables that no code changes. So each object is compared with two other objects: the one
of the new version, and the one that the old version's body makes when it is executed once more. A part of an object
counts as data only if it differs from the same part of both.
"""

from __future__ import annotations

import enum
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from node_runtime.code.classes.definitions import names_rebound
from node_runtime.code.loading.class_data import data_attributes, named_value
from node_runtime.code.loading.function_data import CACHE, NamedValue, function_data
from node_runtime.code.loading.module_exec import carried_names

from .changeable_data import changeable_object, data_by_label
from .comparison import Comparison
from .value_parts import CODE, CONTAINERS, PLAIN, STEPPED, attributes, entries, estimated_size, is_waited_for, kind_name

if TYPE_CHECKING:
    from node_runtime.code.loading.kept_code import KeptCode
    from node_runtime.code.module import Namespace
    from node_runtime.code.version import Version

CACHE_KIND: Final = "functools cache"
Fate = Literal["carried", "migrated", "made anew", "lost"]


class ModuleValue(msgspec.Struct, frozen=True):
    """An object that a global variable, a class or a function of a replaced version holds, and its fate.

    The fate is "carried" if `__carry__` keeps the object; "migrated" if a `__carry__` function makes the new value;
    "made anew" if the new version has its own object, and no data is lost; "lost" if the object holds data that the new
    version's object does not have. `entries` is the number of the object's entries, None if it has none. `size`
    estimates the object's bytes. `in_function` is true if a function holds the object, so that `__carry__` can't list
    the object. `code` has the replaced functions and classes to which lost data refers; the routes of a web application
    are an example. If `__carry__` listed the object, it would keep this replaced code, too. `changes_lost_back` is true
    if the upgrade keeps the data, but the way back loses what changes in the data after the upgrade.
    """

    module: str
    name: str
    kind: str
    fate: Fate
    entries: int | None
    size: int
    in_function: bool = False
    code: tuple[str, ...] = ()
    changes_lost_back: bool = False


def module_values(
    module: str,
    before: Version,
    after: Version | None,
    repeated: Callable[[], Mapping[str, Namespace]],
    kept: KeptCode,
) -> list[ModuleValue]:
    """Return the objects of the version `before` that hold data. `after` is None if the module is deleted.

    `repeated` executes the bodies of the replaced versions once more and returns their namespaces. It is called only if
    an object differs from the object of the same name in the new version. `kept` knows the code that the load replaces.
    """
    imported = {entry.alias for entry in before.imports.entries}
    after_data = _Data(module, {} if after is None else after.namespace)
    carried = frozenset[str]() if after is None else after.carried
    comparison = Comparison(*_folders(before, after))
    made_again: _Data | None = None
    bound = {id(value) for value in before.namespace.values()}
    found = []
    for held in _held_values(module, before, imported):
        name, value = held.name, held.value
        if not _may_hold_data(value, held.rebound):
            continue
        new = after_data.value(name)
        fate: Fate = "made anew"
        if name in carried:
            fate = "carried" if new is value else "migrated"
        elif new is value:
            continue  # a constant that the interpreter shares, or an object of another module
        elif is_waited_for(value):
            fate = "lost"
        elif type(value) is CACHE and {id(result) for result in data_by_label(value).values()} <= bound:
            pass  # the variables to which these results are bound are listed themselves
        elif entries(value) != 0 and not comparison.is_made_anew(value, new):
            made_again = _Data(module, repeated().get(module, {})) if made_again is None else made_again
            fate = "made anew" if comparison.is_made_anew(value, new, made_again.value(name)) else "lost"
        if fate != "made anew" or type(value) is CACHE or not (issubclass(type(value), PLAIN) or "." in name):
            code = tuple(kept.names_in(value)) if fate == "lost" else ()
            size = estimated_size(value)
            back = fate in ("carried", "migrated") and _loses_changes(held, new, before, after)
            kind, number = _kind(value), entries(value)
            found.append(ModuleValue(module, name, kind, fate, number, size, held.in_function, code, back))
    return found


def _loses_changes(held: NamedValue, new: Any, before: Version, after: Version | None) -> bool:
    """Return whether the way back loses what changes in data that `__carry__` of the version `after` keeps.

    On the way back, the version `before` becomes current again, with its own objects. So later changes of an object
    that both versions have are not lost, but later values of a variable are.
    """
    if callable(before.namespace.get("__carry__")) or held.name in carried_names(before.namespace):
        return False
    is_rebound = isinstance(new, PLAIN) or (after is not None and held.name in names_rebound(after.unit.code))
    return is_rebound or new is not held.value


def _kind(value: Any) -> str:
    """Return a description of the kind of an object, for a plan."""
    if type(value) is CACHE:
        changeable = [kind_name(changeable_object(result)) for result in data_by_label(value).values()]
        return f"{CACHE_KIND} with a changeable {changeable[0]}" if changeable else CACHE_KIND
    return kind_name(value) + " for which tasks or threads wait" * is_waited_for(value)


def _folders(before: Version, after: Version | None) -> tuple[str, str]:
    """Return the folders with the files of two versions, such as `lib/shop-1` and `lib/shop-2`."""
    old = Path(before.path).parts
    new = old if after is None else Path(after.path).parts
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(reversed(old), reversed(new), strict=False)))
    return os.path.join(*old[: len(old) - same], ""), os.path.join(*new[: len(new) - same], "")


def _held_values(module: str, version: Version, imported: set[str]) -> Iterator[NamedValue]:
    """Yield the values in a version's global variables, in attributes of its classes and in its functions."""
    rebound = names_rebound(version.unit.code)
    for name, value in list(version.namespace.items()):
        if not name.startswith("__") and name not in imported:
            yield NamedValue(name, value, name in rebound, type(value) is CACHE)
    for name, value in data_attributes(module, version.namespace):
        yield NamedValue(name, value, rebound=True, in_function=False)
    yield from function_data(module, version.namespace, imported)


class _Data:
    """The values in a namespace of a module, by the names that `_held_values` gives them."""

    def __init__(self, module: str, namespace: Namespace) -> None:
        self._module = module
        self._namespace = namespace

    @cached_property
    def _in_functions(self) -> dict[str, Any]:
        return {held.name: held.value for held in function_data(self._module, self._namespace)}

    def value(self, name: str) -> Any:
        """Return the value with this name, or MISSING."""
        if "." in name and name in self._in_functions:
            return self._in_functions[name]
        return named_value(self._namespace, name)


def _may_hold_data(value: Any, rebound: bool) -> bool:
    if issubclass(type(value), (*PLAIN, enum.Enum)):
        return rebound
    if issubclass(type(value), (*CODE, MappingProxyType)):
        return False
    known = issubclass(type(value), (*CONTAINERS, *STEPPED, CACHE, ContextVar, threading.local))
    return rebound or known or attributes(value) is not None
