"""A journal of changes that can be undone exactly, in reverse order."""

from __future__ import annotations

from operator import setitem
from typing import TYPE_CHECKING, Any, TypeVar

from .classes.adopted_fields import attributes_of, set_class
from .classes.class_reuse import set_class_attribute
from .module import switch_namespace
from .registrations import switch_registrations

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, MutableMapping

    from .classes.class_reuse import ClassAttribute
    from .module import Namespace
    from .version import ManagedModule, Version

K = TypeVar("K")
V = TypeVar("V")

ABSENT: Any = object()
"""The value that the journal uses for a missing key."""


class Journal:
    """Makes changes and records how to undo each one.

    An undo step is a function with its arguments, which is cheaper than a closure.
    """

    def __init__(self) -> None:
        self._undo: list[tuple[Callable[..., object], tuple[Any, ...]]] = []

    def put(self, mapping: MutableMapping[K, V], key: K, value: V) -> None:
        """Do `mapping[key] = value`."""
        before = mapping.get(key, ABSENT)
        mapping[key] = value
        if before is ABSENT:
            self._undo.append((mapping.pop, (key, None)))
        else:
            self._undo.append((setitem, (mapping, key, before)))

    def put_all(self, mapping: MutableMapping[K, V], values: Mapping[K, V]) -> None:
        """Do `mapping.update(values)`."""
        self._undo.append((_restore_all, (mapping, {key: mapping.get(key, ABSENT) for key in values})))
        mapping.update(values)

    def rebind(self, mapping: MutableMapping[K, V], key: K, value: V) -> None:
        """Set a key to `value`; ABSENT removes the key. `undo` restores the key only if it still has `value`."""
        before = mapping.get(key, ABSENT)
        _set_or_remove(mapping, key, value)
        self._undo.append((_restore_if_unchanged, (mapping, key, value, before)))

    def remove(self, mapping: MutableMapping[K, V], key: K) -> None:
        """Delete the key if it is there."""
        if key in mapping:
            self._undo.append((setitem, (mapping, key, mapping.pop(key))))

    def set_versions(
        self, managed: ManagedModule, current: Version | None, old: Version | None, namespace: Namespace
    ) -> None:
        """Set the current and the old version of a module, and the namespace of its module object."""
        self._undo.append((_set_versions, (managed, managed.current, managed.old, managed.module.__dict__)))
        _set_versions(managed, current, old, namespace)

    def set_class(self, thing: Any, cls: type) -> None:
        """Set the class of an instance.

        `undo` restores the class. It also removes the attributes that the instance has gained since, and restores those
        that it has lost. The other attributes keep their newest values. All this includes attributes in slots.
        """
        self._undo.append((_restore_class, (thing, type(thing), attributes_of(thing))))
        set_class(thing, cls)

    def set_class_attributes(self, attributes: Collection[ClassAttribute]) -> None:
        """Set the listed attributes of classes that several versions share."""
        self._undo += [(set_class_attribute, (cls, name, cls.__dict__[name])) for cls, name, _ in attributes]
        for cls, name, value in attributes:
            set_class_attribute(cls, name, value)

    def switch_registrations(self, leaving: list[Version], entering: list[Version]) -> None:
        """Take the registrations of the versions `leaving` out of their registries, and put those of `entering` in."""
        self._undo.append((_switch_registrations, (entering, leaving)))
        _switch_registrations(leaving, entering)

    def references(self) -> Iterator[object]:
        """Yield the objects that the undo steps refer to. An object is yielded once for each reference to it."""
        for function, arguments in self._undo:
            yield getattr(function, "__self__", None)
            yield from arguments
            for argument in arguments if function is _switch_registrations else ():
                yield from argument

    def undo(self) -> None:
        """Undo all changes."""
        while self._undo:
            function, arguments = self._undo.pop()
            function(*arguments)


def _restore_if_unchanged(mapping: MutableMapping[K, V], key: K, value: V, before: V) -> None:
    if mapping.get(key, ABSENT) is value:
        _set_or_remove(mapping, key, before)


def _restore_class(thing: Any, cls: type, before: Mapping[str, Any]) -> None:
    now = attributes_of(thing)
    set_class(thing, cls)
    for name in now.keys() - before.keys():
        object.__delattr__(thing, name)
    for name in before.keys() - now.keys():
        object.__setattr__(thing, name, before[name])


def _restore_all(mapping: MutableMapping[K, V], before: Mapping[K, V]) -> None:
    for key, value in before.items():
        _set_or_remove(mapping, key, value)


def _set_or_remove(mapping: MutableMapping[K, V], key: K, value: V) -> None:
    if value is ABSENT:
        mapping.pop(key, None)
    else:
        mapping[key] = value


def _switch_registrations(leaving: Iterable[Version], entering: Iterable[Version]) -> None:
    switch_registrations(
        [one for version in leaving for one in version.registrations],
        [one for version in entering for one in version.registrations],
    )


def _set_versions(managed: ManagedModule, current: Version | None, old: Version | None, namespace: Namespace) -> None:
    managed.current, managed.old = current, old
    switch_namespace(managed.module, namespace)
    if current is not None:
        current.purged = False
