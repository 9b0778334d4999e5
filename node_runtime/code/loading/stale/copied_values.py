"""Finds plain values of replaced modules that the bodies of other modules have used, such as `MAX = limits.LOW * 2`.

A commit rebinds imported names, but it does not repeat computations of a body. If the new version has another number,
text or table, the importing module keeps the result that its body has computed with the old value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct
from types import FunctionType, MemberDescriptorType
from typing import TYPE_CHECKING, Any, Final

from node_runtime.behaviours.show.raw_reads import mro_of, namespace_of, raw_dict
from node_runtime.code.classes.definition_equality import same_code
from node_runtime.code.imports import reads_of_body
from node_runtime.code.loading.class_data import MISSING, named_value

from .name_origins import NameOrigin, NameOrigins

if TYPE_CHECKING:
    from node_runtime.code.module import Namespace
    from node_runtime.code.version import Version

MAX_NAMED: Final = 3
"""A sentence names at most this many values and this many places."""
MAX_ITEMS: Final = 10_000
"""A container with more items does not count as a plain value."""
_PLAIN: Final = (type(None), bool, int, float, complex, str, bytes)
_CONTAINERS: Final = (list, tuple, set, frozenset, dict)
_VALUE_MODULES: Final = frozenset({"datetime", "decimal", "fractions", "ipaddress", "pathlib", "re", "uuid"})
"""Modules of the standard library whose objects never change, and are equal if they have the same value."""


class CopiedValues:
    """The values that a load replaces, and the bodies of other modules that have used them."""

    def __init__(self, origins: NameOrigins) -> None:
        self._origins = origins

    def sentences(self, outside: Iterable[tuple[str, Version]]) -> Iterator[str]:
        """Yield a sentence for each module outside the load whose body has used values that the load changes."""
        for module, version in outside:
            values: dict[str, None] = {}
            places: dict[str, None] = {}
            for read in reads_of_body(version.unit.code):
                found = self._origins.of(version, read.name)
                if found is not None and self._is_copied(found, named_value(version.namespace, read.place)):
                    values[f"{found.module}.{found.name}"] = None
                    places[read.place] = None
            if values:
                yield (
                    f"The body of {module} has used {_listed(values)} for {_listed(places)}. The new version has "
                    f"another value, which {module} gets only when it is loaded again: let the appup load {module} "
                    f"too."
                )

    def _is_copied(self, origin: NameOrigin, kept: Any) -> bool:
        """Return whether this load changes the global `origin`, from which a body has computed `kept`."""
        before, after = (_value(namespace, origin) for namespace in self._origins.namespaces(origin.module))
        if before is after or after is MISSING:
            return False
        if type(before) is FunctionType and type(after) is FunctionType:
            return kept is not None and is_plain(kept) and not same_code(before.__code__, after.__code__)
        if not (is_plain(before) and is_plain(after)):
            return False
        return type(before) is not type(after) or before != after or (kept is before and not _is_constant(kept))


def is_plain(value: Any) -> bool:
    """Return whether a value is a number, a text or another constant, or a container of such values."""
    waiting, left = [value], MAX_ITEMS
    while waiting:
        one = waiting.pop()
        if type(one) in _CONTAINERS:
            left -= len(one)
            if left < 0:
                return False
            waiting.extend([*one, *one.values()] if type(one) is dict else one)
        elif not _is_value(type(one)):
            return False
    return True


def _value(namespace: Namespace, origin: NameOrigin) -> Any:
    """Return the value of a dotted name, read without running code of classes; MISSING if it has none.

    Attributes of plain values and of functions are not read: `NAMES.copy` gives the value of `NAMES`. The value of a
    `struct.Struct` is its format, on which its size and the results of its methods depend.
    """
    value = namespace.get(origin.name, MISSING)
    for attribute in origin.attributes:
        if type(value) is Struct:
            value = value.format
        if type(value) is FunctionType or is_plain(value):
            return value
        is_class = issubclass(type(value), type)
        found = [*map(namespace_of, mro_of(value if is_class else type(value)))]
        if not is_class:
            found.insert(0, raw_dict(value))
        member = next((names[attribute] for names in found if attribute in names), MISSING)
        value = _slot(member, value) if type(member) is MemberDescriptorType and not is_class else member
    return value.format if type(value) is Struct else value


def _slot(member: MemberDescriptorType, value: Any) -> Any:
    try:
        return member.__get__(value)
    except AttributeError:
        return MISSING


def _is_value(kind: type) -> bool:
    return kind in _PLAIN or kind.__module__ in _VALUE_MODULES


def _is_constant(value: Any) -> bool:
    return _is_value(type(value)) or type(value) in (tuple, frozenset)


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - MAX_NAMED:,} more" if len(every) > MAX_NAMED else ""
    return ", ".join(every[:MAX_NAMED]) + more
