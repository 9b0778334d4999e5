"""Gives annotations in modules outside a load the new versions of the classes that they name.

Python evaluates an annotation such as `POLLS: dict[int, Poll]` once, when the body runs. A commit rebinds the name
`Poll` in its importers; without this change, the annotation would go on naming the replaced class, and would keep the
replaced version of its module. Annotations of variables, functions, methods and classes, the types of the fields of
dataclasses, and type aliases in global variables are changed. Annotations that are text need no change.

A revert makes the same change in the opposite direction. So no record of the changed places is necessary, which would
itself keep the replaced classes.
"""

from __future__ import annotations

import enum
import functools
import sys
import typing
from contextlib import suppress
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, cast

from node_runtime.behaviours.show.raw_reads import module_of, name_of, namespace_of
from node_runtime.code.classes.aliases import ALIAS_CLASSES, alias_parts, is_alias, rebuilt_alias
from node_runtime.code.registrations import typing_overloads

from .code_in_containers import code_in, named_containers
from .function_data import WRAPPED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from node_runtime.code.import_rebinding import NamespaceChanges
    from node_runtime.code.module import Namespace
    from node_runtime.code.module_table import ModuleTable

_TYPE_VARIABLES: Final = tuple(
    found for name in ("NewType", "TypeVar", "ParamSpec", "TypeVarTuple", "TypeAliasType")
    if (found := getattr(typing, name, None)) is not None
)  # fmt: skip
"""The classes of the other objects of modules that annotations name."""
_WRAPPED: Final = {**WRAPPED, functools.partial: ("func",)}
"""The attributes of other callables and descriptors that have their functions."""
_STORED: Final = sys.version_info < (3, 14)
"""Whether functions, classes and modules store evaluated annotations. Later Pythons evaluate them at each first use."""


def rebind_annotations(table: ModuleTable, moves: NamespaceChanges) -> None:
    """Change the annotations in all current modules, after the modules in `moves` have got other namespaces."""
    counterparts = dict(_counterparts(moves))
    if not counterparts:
        return
    change = _AnnotationChange(counterparts)
    for module in _importers(table, moves):
        change.in_module(module, table.namespace(module) or {})


def is_rebound(value: object) -> bool:
    """Return whether `rebind_annotations` changes the value of a global variable: an alias or a `NewType`."""
    return type(value) is typing.NewType or is_alias(value)


def _importers(table: ModuleTable, moves: NamespaceChanges) -> list[str]:
    """Return the loaded modules outside of `moves` that import one of them, directly or through other modules."""
    importers: dict[str, list[str]] = {}
    for managed in list(table.modules.values()):
        for entry in managed.current.imports.entries if managed.current is not None else ():
            for imported in (entry.module, f"{entry.module}.{entry.name}"):
                importers.setdefault(imported, []).append(managed.name)
    waiting, found = [*moves], dict.fromkeys(moves)
    while waiting:
        for importer in importers.get(waiting.pop(), ()):
            if importer not in found:
                found[importer] = None
                waiting.append(importer)
    return [module for module in found if module not in moves]


def _counterparts(moves: NamespaceChanges) -> Iterator[tuple[int, Any]]:
    """Yield the `id` of each class, type variable and `NewType` of the former namespaces, and its counterpart.

    The counterpart is the object of the same name in the present namespace. Members of enumerations have one, too,
    since `Literal` may name them.
    """
    for module, (before, after) in moves.items():
        for name, value in list(before.items()):
            if _is_defined_as(value, module, name):
                yield from _pairs(value, after.get(name, value))


def _is_defined_as(value: Any, module: str, name: str) -> bool:
    """Return whether a value is a class or type variable of this module and name. Runs no code of other values."""
    if issubclass(type(value), type):
        return (module_of(value), name_of(value)) == (module, name)
    return type(value) in _TYPE_VARIABLES and (value.__module__, value.__name__) == (module, name)


def _pairs(value: Any, present: Any) -> Iterator[tuple[int, Any]]:
    if value is present:
        return
    if issubclass(type(value), type) and issubclass(type(present), type):
        yield id(value), present
        inner, others = _inner_objects(value), _inner_objects(present)
        for name in inner.keys() & others.keys():
            yield from _pairs(inner[name], others[name])
    elif type(value) is type(present) or (isinstance(value, enum.Enum) and isinstance(present, enum.Enum)):
        yield id(value), present


def _inner_objects(cls: type) -> dict[str, Any]:
    """Return the classes that a class defines and, for an enumeration, its members."""
    attributes = namespace_of(cls)
    members = attributes.get("_member_map_") if issubclass(type(cls), enum.EnumType) else None
    inner = {
        name: part
        for name, part in attributes.items()
        if issubclass(type(part), type) and name_of(cast("type", part)) == f"{name_of(cls)}.{name}"
    }
    return inner | members if isinstance(members, dict) else inner


class _AnnotationChange:
    """A change of annotations; `counterparts` has the present object for the `id` of each object that they named."""

    def __init__(self, counterparts: Mapping[int, Any]) -> None:
        self._counterparts = counterparts
        self._made: dict[int, tuple[Any, Any]] = {}
        """The changed aliases, by `id`, each with its replacement. Modules that shared an alias share the new one."""
        self._seen: set[int] = set()

    def in_module(self, module: str, namespace: Namespace) -> None:
        """Change the annotations and the type aliases of one module."""
        for name, value in list(namespace.items()):
            if type(value) in ALIAS_CLASSES and (present := self._present(value)) is not value:
                namespace[name] = present
            elif type(value) is typing.NewType:
                self._in_attribute(value, "__supertype__")
        self._in_annotations(namespace.get("__annotations__"))
        for one in self._definitions(module, namespace):
            if type(one) is FunctionType:
                self._in_annotations(one.__annotations__ if _STORED else None)
            else:
                self._in_annotations(namespace_of(one).get("__annotations__"))
                fields = namespace_of(one).get("__dataclass_fields__")
                for field in fields.values() if isinstance(fields, dict) else ():
                    self._in_attribute(field, "type")

    def _definitions(self, module: str, namespace: Namespace) -> Iterator[Any]:
        """Yield functions in global variables, containers and overloads, functions that they wrap, and own classes.

        Each object is yielded once, even if several modules refer to it, except functions that wrap nothing.
        """
        containers = typing_overloads.current_overloads(module), *(kept for _, kept in named_containers(namespace))
        waiting = [*namespace.values(), *(one for kept in containers for one in code_in(kept))]
        while waiting:
            value = waiting.pop()
            kind = type(value)
            if kind is FunctionType:
                yield value
                if value.__closure__ is not None and self._is_new(value):
                    waiting += _wrapped_functions(value)
            elif kind in _WRAPPED:
                waiting += (getattr(value, name, None) for name in _WRAPPED[kind])
            elif issubclass(kind, type) and module_of(value) == module and self._is_new(value):
                yield value
                waiting += namespace_of(value).values()

    def _is_new(self, value: object) -> bool:
        new = id(value) not in self._seen
        self._seen.add(id(value))
        return new

    def _in_annotations(self, annotations: Any) -> None:
        for name, annotation in list(annotations.items()) if type(annotations) is dict else ():
            if (present := self._present(annotation)) is not annotation:
                annotations[name] = present

    def _in_attribute(self, thing: Any, name: str) -> None:
        annotation = getattr(thing, name, None)
        if (present := self._present(annotation)) is not annotation:
            setattr(thing, name, present)

    def _present(self, annotation: Any) -> Any:
        """Return what an annotation has to be now: the same object, unless it names an object with a counterpart."""
        key, kind = id(annotation), type(annotation)
        if key in self._counterparts:
            return self._counterparts[key]
        if kind is type or kind is str:
            return annotation
        if kind is list or kind is tuple:
            parts = [self._present(part) for part in annotation]
            return kind(parts) if _differ(annotation, parts) else annotation
        if kind is typing.ForwardRef:
            self._forget_value(annotation)
        return self._present_alias(annotation) if kind in ALIAS_CLASSES else annotation

    def _present_alias(self, alias: Any) -> Any:
        if id(alias) not in self._made:
            origin, arguments = alias_parts(alias).values()
            parts = self._present(origin), self._present(arguments)
            same = parts[0] is origin and parts[1] is arguments
            self._made[id(alias)] = alias, alias if same else rebuilt_alias(alias, *parts)
        return self._made[id(alias)][1]

    def _forget_value(self, reference: typing.ForwardRef) -> None:
        """Drop the class that `typing.get_type_hints` has found for a name in a text, so that it looks the name up."""
        value = getattr(reference, "__forward_value__", None)
        if self._present(value) is not value:
            reference.__forward_evaluated__, reference.__forward_value__ = False, None


def _wrapped_functions(function: FunctionType) -> Iterator[Any]:
    """Yield the values of the closure of a function; a decorator's wrapper has the decorated function there."""
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # an empty cell
            yield cell.cell_contents


def _differ(before: Iterable[Any], after: Iterable[Any]) -> bool:
    return any(one is not other for one, other in zip(before, after, strict=True))
