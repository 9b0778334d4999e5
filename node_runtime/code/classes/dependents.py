"""Finds classes that depend on a replaced class of another module.

A commit rebinds imported names and annotations, but not base classes and type parameters. Nor does it change what a
library has made from the annotations of a class, such as the validators of pydantic. A class that depends on a replaced
class in one of these ways would continue to use it. Then instances of two classes with the same name would mix.
"""

from __future__ import annotations

import inspect
import re
import sys
import typing
from typing import TYPE_CHECKING, Any

import msgspec

from node_runtime.behaviours.show.raw_reads import module_of, mro_of, namespace_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from node_runtime.code.module import Namespace
    from node_runtime.code.module_table import ModuleTable
    from node_runtime.code.version import ManagedModule, Version

_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")


class Dependent(msgspec.Struct, frozen=True):
    """A class, `module:name`, that would still use a replaced class after the load.

    `on` is the replaced class, "module:Class". `how` says how the class uses it: as a base class, as the type of the
    state or as the type of a field.
    """

    module: str
    name: str
    how: typing.Literal["is based on", "has a state of type", "has a field of type"]
    on: str

    def __str__(self) -> str:
        return f"{self.module}:{self.name} {self.how} {self.on}"


def own_classes(module: str, namespace: Namespace) -> Iterator[tuple[str, type]]:
    """Yield the classes that a module defines at its top level."""
    for name, value in list(namespace.items()):
        if issubclass(type(value), type) and (value.__module__, value.__qualname__) == (module, name):
            yield name, value


def replaced_classes(versions: Iterable[tuple[ManagedModule, Version]]) -> dict[type, tuple[str, type | None]]:
    """Return the classes that the load replaces, each with its name ("module:Class") and the new class of that name.

    The new class is None if the new version has no class of that name.
    """
    replaced = {}
    for managed, version in versions:
        for name, cls in own_classes(managed.name, managed.current.namespace if managed.current is not None else {}):
            after = version.namespace.get(name)
            if after is not cls:
                replaced[cls] = f"{managed.name}:{name}", after if isinstance(after, type) else None
    return replaced


def find_dependents(
    table: ModuleTable, replaced: Mapping[type, tuple[str, object]], batch: set[str]
) -> list[Dependent]:
    """Return the classes that depend on a replaced class, in modules that are not in `batch`."""
    if not replaced:
        return []
    found = []
    for managed in list(table.modules.values()):
        if managed.current is None or managed.name in batch:
            continue
        namespace = managed.current.namespace
        for name, cls in own_classes(managed.name, namespace):
            for how, used in _uses(cls, namespace):
                if used in replaced:
                    found.append(Dependent(managed.name, name, how, replaced[used][0]))
    return list(dict.fromkeys(found))


def _uses(cls: type, namespace: Namespace) -> Iterator[tuple[Any, type]]:
    yield from (("is based on", base) for base in cls.__mro__[1:])
    for base in vars(cls).get("__orig_bases__", ()):
        yield from (
            ("has a state of type", used)
            for parameter in typing.get_args(base)
            for used in _named(parameter, namespace)
        )
    if not _is_made_from_annotations(cls):
        return
    try:
        annotations = inspect.get_annotations(cls)
    except Exception:  # from Python 3.14 on, reading annotations runs code of the module
        annotations = {}
    for annotation in annotations.values():
        yield from (("has a field of type", used) for used in _named(annotation, namespace))


def _is_made_from_annotations(cls: type) -> bool:
    """Return whether code outside the standard library may have read the annotations when the class was made.

    Such code is a metaclass, an `__init_subclass__`, or a decorator that has left an object in a special attribute.
    """
    specials = (type(value) for name, value in namespace_of(cls).items() if name.startswith("__"))
    hooks = (base for base in mro_of(cls) if "__init_subclass__" in namespace_of(base))
    makers = (module_of(one) or "" for one in (type(cls), *hooks, *specials))
    return any(module.partition(".")[0] not in sys.stdlib_module_names for module in makers)


def _named(annotation: Any, namespace: Namespace) -> Iterator[type]:
    """Yield the classes that an annotation names."""
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        for dotted in _DOTTED.findall(annotation):
            first, *others = dotted.split(".")
            found = namespace.get(first)
            for name in others:
                found = getattr(found, name, None)
            if isinstance(found, type):
                yield found
    elif isinstance(annotation, type) and not typing.get_args(annotation):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _named(part, namespace)
