"""The shapes of weak references and of the containers that hold their content by weak references.

The new weak references lead to the new objects. A new object to which only weak references lead would vanish at once,
so the migration has to know which parts an object keeps alive. `strong_parts` leaves out all other parts.
"""

from __future__ import annotations

import gc
import types
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from node_runtime.releases.migration.hidden_parts import target_of
from node_runtime.releases.migration.shapes import PartOf, PathStep, Shape

_HAS_CALLBACK: Final = "a {} has a callback, which would run when a new object replaces the old one"


class WeakShape(Shape):
    """The base class of the shapes of weak references and of containers that hold their content by weak references."""

    def targets(self, value: Any) -> Iterable[Any]:
        """Return the objects to which `value` refers only weakly."""
        raise NotImplementedError


class WeakReferenceShape(WeakShape):
    """The shape of a weak reference, or of a proxy of the object to which it refers weakly."""

    def __init__(self, make: Callable[[Any], Any], label: str) -> None:
        self._make = make
        self.label = label

    def refusal(self, value: Any) -> str | None:
        # Of a weak reference, the interpreter counts only the callback as a referent.
        return _HAS_CALLBACK.format(self.label) if gc.get_referents(value) else None

    def targets(self, value: Any) -> Iterable[Any]:
        return (target_of(value),)

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        yield ("attribute", "()"), target_of(value)

    def strong_parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        yield from ()

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        return self._make(part(target_of(value)))


class WeakMethodShape(WeakReferenceShape):
    """The shape of a `weakref.WeakMethod`: a weak reference to a method's object, and another to its function."""

    def __init__(self) -> None:
        super().__init__(weakref.WeakMethod, "weakref.WeakMethod")

    def refusal(self, value: Any) -> str | None:
        own = value.__callback__  # WeakMethod's own callback, which calls the callback that the user has given
        inner = own.__closure__[own.__code__.co_freevars.index("callback")]
        return None if inner.cell_contents is None else _HAS_CALLBACK.format(self.label)

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        if (target := target_of(value)) is not None:
            yield ("attribute", "()"), target
            yield ("attribute", "()"), target_of(value._func_ref)

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        return self._make(types.MethodType(part(target_of(value._func_ref)), part(target_of(value))))


class WeakSetShape(WeakShape):
    """The shape of a `weakref.WeakSet`."""

    def targets(self, value: Any) -> Iterable[Any]:
        return [target for reference in list(value.data) if (target := target_of(reference)) is not None]

    def references(self, value: Any) -> Iterable[weakref.ref[Any]]:
        return list(value.data)

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        for number, target in enumerate(self.targets(value)):
            yield ("item", number), target

    def strong_parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        yield from ()

    def begin(self, value: Any) -> Any:
        return weakref.WeakSet()

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        for target in self.targets(value):
            new.add(part(target))
        return new


class WeakValuesShape(WeakShape):
    """The shape of a `weakref.WeakValueDictionary`."""

    def targets(self, value: Any) -> Iterable[Any]:
        return [target for _, target in self._items(value)]

    def references(self, value: Any) -> Iterable[weakref.ref[Any]]:
        return list(value.data.values())

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        yield from self.strong_parts(value)
        for key, target in self._items(value):
            yield ("item", key), target

    def strong_parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        for key in list(value.data):
            yield ("key", key), key

    def begin(self, value: Any) -> Any:
        return weakref.WeakValueDictionary()

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        for key, target in self._items(value):
            new[part(key)] = part(target)
        return new

    @staticmethod
    def _items(value: Any) -> list[tuple[Any, Any]]:
        found = ((key, target_of(reference)) for key, reference in list(value.data.items()))
        return [(key, target) for key, target in found if target is not None]


class WeakKeysShape(WeakShape):
    """The shape of a `weakref.WeakKeyDictionary`."""

    def targets(self, value: Any) -> Iterable[Any]:
        return [key for key, _ in self._items(value)]

    def references(self, value: Any) -> Iterable[weakref.ref[Any]]:
        return list(value.data)

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        for key, item in self._items(value):
            yield ("key", key), key
            yield ("item", key), item

    def strong_parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        for key, item in self._items(value):
            yield ("item", key), item

    def begin(self, value: Any) -> Any:
        return weakref.WeakKeyDictionary()

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        for key, item in self._items(value):
            new[part(key)] = part(item)
        return new

    @staticmethod
    def _items(value: Any) -> list[tuple[Any, Any]]:
        found = ((target_of(reference), item) for reference, item in list(value.data.items()))
        return [(key, item) for key, item in found if key is not None]
