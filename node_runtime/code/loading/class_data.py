"""Data in attributes of a module's classes, such as a list of connections, under dotted names: "Hub.clients".

A load makes each class again, so the attribute gets the value from the class's body. `__carry__` can list the dotted
name; then the attribute keeps its value.
"""

from __future__ import annotations

import enum
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from node_runtime.behaviours.show.raw_reads import package_of
from node_runtime.code.classes.class_reuse import ClassAttribute, VersionAttributes, set_class_attribute
from node_runtime.code.classes.dependents import own_classes

if TYPE_CHECKING:
    from node_runtime.code.module import Namespace

MISSING: Final[Any] = object()
"""The value of a name that a namespace lacks."""


def named_value(namespace: Namespace, name: str) -> Any:
    """Return the value of a global variable or, for a dotted name, of a class's own attribute; MISSING without one."""
    owner, _, attribute = name.rpartition(".")
    if not owner:
        return namespace.get(name, MISSING)
    cls = named_value(namespace, owner)
    return vars(cls).get(attribute, MISSING) if issubclass(type(cls), type) else MISSING


def data_attributes(module: str, namespace: Namespace) -> Iterator[tuple[str, Any]]:
    """Yield the attributes of the module's own classes that may hold data, each with its dotted name.

    Members of enumerations, descriptors such as methods, and objects of third-party libraries don't count as data.
    """
    homes = {module.partition(".")[0], *sys.stdlib_module_names}
    for name, cls in own_classes(module, namespace):
        for attribute, value in list(vars(cls).items()) if not issubclass(type(cls), enum.EnumType) else ():
            home = package_of(type(value))
            is_data = home in homes and not hasattr(type(value), "__get__")
            if is_data and not attribute.startswith(("__", "_abc_")):
                yield f"{name}.{attribute}", value


def carry_attributes(
    names: Iterable[str], before: Namespace, after: Namespace, reused: dict[type, VersionAttributes]
) -> dict[str, Any]:
    """Copy the class attributes with these dotted names from `before` to the new classes in `after`.

    Return the values by dotted name. `reused` has the classes that both versions share; the listed attributes of these
    classes stay as they are.
    """
    carried = {}
    for cls, name, value in carried_attributes(names, before, after):
        if cls in reused:
            reused[cls].pop(name.rpartition(".")[2], None)
        else:
            set_class_attribute(cls, name.rpartition(".")[2], value)
        carried[name] = value
    return carried


def carried_attributes(names: Iterable[str], before: Namespace, after: Namespace) -> Iterator[ClassAttribute]:
    """Yield, for each dotted name in both namespaces, the class in `after`, the name and the value in `before`."""
    for name in names:
        owner = name.rpartition(".")[0]
        cls, value = named_value(after, owner), named_value(before, name)
        if owner and isinstance(cls, type) and value is not MISSING:
            yield cls, name, value
