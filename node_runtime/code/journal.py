"""Changes that can be taken back exactly, in the opposite order."""

from __future__ import annotations

from operator import setitem
from typing import TYPE_CHECKING, Any, TypeVar

from .classes.class_reuse import wear
from .module import switch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping

    from .classes.class_reuse import Look
    from .module import Namespace
    from .version import Hot, Version

K = TypeVar("K")
V = TypeVar("V")

ABSENT: Any = object()
"""The value of a name that isn't there."""


class Journal:
    """Makes changes and remembers how to undo each: a function and its arguments, which is cheaper than a closure."""

    def __init__(self) -> None:
        self._undo: list[tuple[Callable[..., object], tuple[Any, ...]]] = []

    def put(self, mapping: MutableMapping[K, V], key: K, value: V) -> None:
        """`mapping[key] = value`."""
        before = mapping.get(key, ABSENT)
        mapping[key] = value
        if before is ABSENT:
            self._undo.append((mapping.pop, (key, None)))
        else:
            self._undo.append((setitem, (mapping, key, before)))

    def put_all(self, mapping: MutableMapping[K, V], values: Mapping[K, V]) -> None:
        """`mapping.update(values)`."""
        self._undo.append((_put_back_all, (mapping, {key: mapping.get(key, ABSENT) for key in values})))
        mapping.update(values)

    def copy(self, mapping: MutableMapping[K, V], key: K, value: V) -> None:
        """`mapping[key] = value`, or its removal, taken back only if nobody has put something else there meanwhile."""
        before = mapping.get(key, ABSENT)
        _bind(mapping, key, value)
        self._undo.append((_put_back, (mapping, key, value, before)))

    def drop(self, mapping: MutableMapping[K, V], key: K) -> None:
        """`del mapping[key]`, if it is there."""
        if key in mapping:
            self._undo.append((setitem, (mapping, key, mapping.pop(key))))

    def versions(self, hot: Hot, current: Version | None, old: Version | None, namespace: Namespace) -> None:
        """Say which versions of a module are current and old, and what its stable object shows."""
        self._undo.append((_set_versions, (hot, hot.current, hot.old, hot.module.__dict__)))
        _set_versions(hot, current, old, namespace)

    def wear(self, looks: Collection[Look]) -> None:
        """Give classes that several versions share the attributes of one of them."""
        self._undo += [(wear, (cls, name, cls.__dict__[name])) for cls, name, _ in looks]
        for cls, name, value in looks:
            wear(cls, name, value)

    def references(self) -> Iterator[object]:
        """Whatever the undoing needs, once for each reference to it."""
        for function, arguments in self._undo:
            yield getattr(function, "__self__", None)
            yield from arguments

    def undo(self) -> None:
        """Take all changes back."""
        while self._undo:
            function, arguments = self._undo.pop()
            function(*arguments)


def _put_back(mapping: MutableMapping[K, V], key: K, value: V, before: V) -> None:
    if mapping.get(key, ABSENT) is value:
        _bind(mapping, key, before)


def _put_back_all(mapping: MutableMapping[K, V], before: Mapping[K, V]) -> None:
    for key, value in before.items():
        _bind(mapping, key, value)


def _bind(mapping: MutableMapping[K, V], key: K, value: V) -> None:
    if value is ABSENT:
        mapping.pop(key, None)
    else:
        mapping[key] = value


def _set_versions(hot: Hot, current: Version | None, old: Version | None, namespace: Namespace) -> None:
    hot.current, hot.old = current, old
    switch(hot.module, namespace)
    if current is not None:
        current.purged = False
