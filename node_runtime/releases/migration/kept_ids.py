"""Finds dicts and sets with the `id` of a replaced object as a key. The `id` of the new object is another number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from node_runtime.behaviours.show.raw_reads import type_name

_ITERATORS = ((dict, dict.__iter__), (set, set.__iter__), (frozenset, frozenset.__iter__))


def keys_of(value: Any) -> Iterator[Any] | None:
    """Return the keys of a dict, or the items of a set, without running code of its class; None for other values."""
    cls = type(value)
    iterate: Any = next((iterate for base, iterate in _ITERATORS if issubclass(cls, base)), None)
    return None if iterate is None else iterate(value)


def kept_ids(values: Iterable[Any], replaced: Mapping[int, Any]) -> Iterator[tuple[Any, str]]:
    """Yield (container, clause) for each dict and set among `values` that has an `id` of a replaced object.

    `replaced` has the objects that new objects replace, by their `id`s.
    """
    for value in values:
        keys = keys_of(value)
        if keys is None:
            continue
        found = next((key for key in keys if type(key) is int and key in replaced), None)
        if found is not None:
            label = type_name(type(replaced[found]))
            holder = type_name(type(value))
            clause = f"a {holder} contains the id() of an object of {label}, and a new object gets another id()"
            yield value, clause
