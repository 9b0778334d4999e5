"""Finds dicts and sets with the `id` of a replaced object as a key. The `id` of the new object is another number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from node_runtime.behaviours.show.raw_reads import type_name

ITERATORS = ((dict, dict.__iter__), (set, set.__iter__), (frozenset, frozenset.__iter__))


def kept_ids(values: Iterable[Any], replaced: Mapping[int, Any]) -> Iterator[tuple[Any, str]]:
    """Yield (container, clause) for each dict and set among `values` that has an `id` of a replaced object.

    `replaced` has the objects that new objects replace, by their `id`s.
    """
    for value in values:
        cls = type(value)
        iterate: Any = next((iterate for base, iterate in ITERATORS if issubclass(cls, base)), None)
        if iterate is None:
            continue
        found = next((key for key in iterate(value) if type(key) is int and key in replaced), None)
        if found is not None:
            label = type_name(type(replaced[found]))
            yield value, f"a {type_name(cls)} has the id() of an object of {label}, which a new object replaces"
