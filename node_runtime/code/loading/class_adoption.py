"""Gives instances in module globals the new version of their class, so that they show the new behaviour at once.

The instances are found in the variables in `__carry__`, in the global variables and the attributes of classes of
modules outside the load, and among the loggers of `logging`. If an old version becomes current again, all its global
variables are searched: another version may have carried their values, and then their instances have adopted its
classes. An instance keeps its attributes; fields that only the new class has get their defaults. An instance can adopt
a class only if the old and the new class have the same layout: the same slots, and the same base class written in C.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from node_runtime.code.classes.adopted_fields import FieldAdoption
from node_runtime.code.classes.dependents import own_classes, replaced_classes
from node_runtime.code.import_rebinding import copied_aliases
from node_runtime.code.registrations.views import loggers

from .class_data import MISSING, named_value
from .code_in_containers import MAX_OBJECTS_WALKED, ObjectWalk

if TYPE_CHECKING:
    from node_runtime.code.journal import Journal
    from node_runtime.code.module_table import ModuleTable
    from node_runtime.code.version import ManagedModule, Version

_NOT_ADOPTED: Final = (type, enum.Enum)
_NOT_DATA: Final = (type, ModuleType)


class KeptInstance(msgspec.Struct, frozen=True):
    """An instance of a replaced class, a clause about the variable that refers to the instance, and the new class."""

    kept_by: str
    thing: Any
    new: type


class ClassAdoption:
    """The change of instances to the new versions of their classes at one commit.

    `obstacles` and `adopt` each search for the instances anew, because running code may have changed the variables.
    """

    def __init__(self, table: ModuleTable, versions: list[tuple[ManagedModule, Version]]) -> None:
        self._table = table
        self._versions = versions
        self._namespaces = {managed.name: version.namespace for managed, version in versions}
        self._replaced: Mapping[type, tuple[str, type | None]] = replaced_classes(versions)
        self._fields: dict[tuple[type, type], FieldAdoption] = {}

    def adopt(self, journal: Journal) -> None:
        """Search for the instances, and change each to the new version of its class. `journal` can undo the changes.

        Called before the versions are switched.
        """
        adopted = []
        for kept in self._instances(ObjectWalk()):
            fields = self._fields_of(kept)
            if fields.layout_obstacle is not None:
                continue
            with suppress(Exception):  # if a default raises, the plan has a blocker
                adopted.append((kept, fields.new_values(kept.thing)))
        for kept, values in adopted:
            journal.set_class(kept.thing, kept.new)
            for name, value in values.items():
                object.__setattr__(kept.thing, name, value)

    def adopted(self) -> list[Any]:
        """Return the instances that `adopt` would change now."""
        found = self._instances(ObjectWalk())
        return [kept.thing for kept in found if self._fields_of(kept).layout_obstacle is None]

    def obstacles(self) -> list[str]:
        """Return a clause for each variable whose instance can't adopt the new class.

        An example: "`__carry__` keeps shop.HUB with an instance of shop:Hub, whose new version has a new field x
        without a default".
        """
        walk = ObjectWalk()
        found: dict[str, None] = {}
        for kept in self._instances(walk):
            obstacle = self._fields_of(kept).obstacle(kept.thing)
            if obstacle is not None:
                old = type(kept.thing)
                clause = f"{kept.kept_by} with an instance of {old.__module__}:{old.__qualname__}, whose new version"
                found[f"{clause} {obstacle}"] = None
        too_many = f"which refers to too many objects to search them all (limit {MAX_OBJECTS_WALKED:,})"
        found.update(dict.fromkeys(f"{clause}, {too_many}" for clause in walk.cut))
        return [*found]

    def _fields_of(self, kept: KeptInstance) -> FieldAdoption:
        pair = type(kept.thing), kept.new
        known = self._fields.get(pair)
        if known is None:
            known = self._fields[pair] = FieldAdoption(*pair, self._namespaces.get(kept.new.__module__, {}))
        return known

    def _instances(self, walk: ObjectWalk) -> Iterator[KeptInstance]:
        if not any(new is not None for _, new in self._replaced.values()):
            return
        places = (
            _carried(self._versions),
            _taken_back(self._table, self._versions),
            _outside(self._table, self._versions),
        )
        for logger in loggers():  # `logging.getLogger` gives them to the new bodies
            _, new = self._replaced.get(type(logger), ("", None))
            if new is not None:
                yield KeptInstance(f"logging keeps the logger {logger.name}", logger, new)
        for kept_by, value in [place for found in places for place in found]:
            for thing in walk.objects_in(value, kept_by):
                _, new = self._replaced.get(type(thing), ("", None))
                if new is not None and not isinstance(thing, _NOT_ADOPTED):
                    yield KeptInstance(kept_by, thing, new)


def _carried(versions: Iterable[tuple[ManagedModule, Version]]) -> Iterator[tuple[str, Any]]:
    for managed, version in versions:
        before = managed.current
        for name in version.carried if before is not None else ():
            value = named_value(before.namespace, name) if before is not None else MISSING
            if named_value(version.namespace, name) is value:
                yield f"`__carry__` keeps {managed.name}.{name}", value


def _taken_back(table: ModuleTable, versions: Iterable[tuple[ManagedModule, Version]]) -> Iterator[tuple[str, Any]]:
    """Yield the global variables of the old versions that become current again, whose bodies are not executed again."""
    for managed, version in versions:
        if version is managed.old:
            for name, value in _variables(version, table):
                yield f"the old version of {managed.name} keeps {name}", value


def _outside(table: ModuleTable, versions: Iterable[tuple[ManagedModule, Version]]) -> Iterator[tuple[str, Any]]:
    """Yield the global variables, and the attributes of classes, of modules outside the load."""
    loaded = {managed.name for managed, _ in versions}
    for module, managed in list(table.modules.items()):
        if managed.current is None or module in loaded:
            continue
        for name, value in chain(_variables(managed.current, table), _attributes(module, managed.current)):
            yield f"{module}, which the load leaves alone, keeps {name}", value


def _attributes(module: str, version: Version) -> Iterator[tuple[str, Any]]:
    """Yield the attributes of a version's own classes, except special ones, with dotted names."""
    for name, cls in own_classes(module, version.namespace):
        for attribute, value in list(vars(cls).items()):
            if not attribute.startswith("__"):
                yield f"{name}.{attribute}", value


def _variables(version: Version, table: ModuleTable) -> Iterator[tuple[str, Any]]:
    """Yield the global variables of a version, except imported names, functions, classes and modules."""
    imported = copied_aliases(version, table)
    for name, value in list(version.namespace.items()):
        if not name.startswith("__") and name not in imported and not issubclass(type(value), _NOT_DATA):
            yield name, value
