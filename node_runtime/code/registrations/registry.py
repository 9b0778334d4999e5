"""Registries, and the registrations in them: how a body's registrations are found, hidden and shown again.

A registry is a list, a set or a mapping, or a library's object adapted to one of these. A comparison of its contents
before and after a body shows what the body has registered. To hide a registration is to take it out of its registry; to
show it is to put it back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, MutableMapping, MutableSequence, MutableSet
from contextlib import contextmanager
from dataclasses import dataclass
from operator import is_
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, Final

logger = logging.getLogger("node_runtime")

ABSENT: Final = type("Absent", (), {"__repr__": lambda self: "ABSENT"})()
"""The value that a registration uses for a missing key."""
MAX_TEXT: Final = 100
"""At most this many characters of the text of a registered object are shown."""

Container = MutableSequence[Any] | MutableSet[Any] | MutableMapping[Any, Any]
MAX_CARRIED: Final = 10_000
"""At most this many objects in `__carry__` are looked up in the registrations."""

Contents = list[Any] | dict[Any, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Registry:
    """A container with registrations, and its title in messages: "the handlers of logger 'k.audit'".

    `key` identifies the container: two registries with the same key are the same registry. If `stays` is true, the
    registrations stay in the container while new bodies run, and are replaced only at the commit. `ignore(key, value)`
    returns true for an entry of a mapping that is not a registration.
    """

    title: str
    container: Container
    key: Hashable
    stays: bool = False
    ignore: Callable[[Any, Any], bool] = lambda key, value: False

    def contents(self) -> Contents:
        """Return the present contents. The items of a set are returned as the keys of a dict."""
        container = self.container
        if type(container) is list or isinstance(container, MutableSequence):  # `type(...) is list` is far faster
            return list(container)
        return dict(container) if isinstance(container, Mapping) else dict.fromkeys(container)


@dataclass(slots=True, eq=False)
class Registration:
    """One registration of a body. `value` is ABSENT if the body has removed something.

    `key` is the key of a mapping, the item of a set, or the index of a list. `before` is the value that the
    registration has replaced; it is set only while the registration is shown. `shown` is true if the registration is in
    its registry. `taken` is true if `hide` has taken the registration out, so that `show` has to put it back.
    """

    registry: Registry
    key: Any
    value: Any
    before: Any = ABSENT
    shown: bool = True
    taken: bool = False

    def describe(self) -> str:
        """Return a clause: "the metrics of prometheus_client: k_requests"."""
        what = self.key if isinstance(self.registry.container, (Mapping, MutableSet)) else self.value
        removed = self.value is ABSENT
        return f"{self.registry.title}: {'without ' * removed}{_text(self.before if removed else what)}"

    def slot(self) -> tuple[Hashable, int]:
        """Return a value that is equal for two registrations in the same place.

        In a dict, the place is the key. In a list, registrations of the same object have the same place.
        """
        thing = self.key
        if isinstance(self.registry.container, MutableSequence):
            thing = self.before if self.value is ABSENT else self.value
        return self.registry.key, hash(thing) if isinstance(thing, (str, bytes, int)) else id(thing)

    def place(self) -> tuple[tuple[Hashable, int], int]:
        """Return a value that is equal for registrations of the same object under the same key of a registry."""
        return self.slot(), id(self.value)

    def objects(self) -> tuple[Any, Any]:
        """Return the key (None in a list) and the value; either of them may be the registered object."""
        key = None if isinstance(self.registry.container, MutableSequence) else self.key
        return key, self.value

    def hide(self) -> None:
        """Undo the registration, unless other code has undone or replaced it since."""
        container, self.taken = self.registry.container, False
        if isinstance(container, MutableSequence):
            self.taken = self._hide_in_list(container)
        elif isinstance(container, MutableSet):
            self.taken = (self.key in container) is (self.value is not ABSENT)
            if self.taken:
                (container.add if self.value is ABSENT else container.discard)(self.key)
        else:
            self.taken = container.get(self.key, ABSENT) is self.value
            if self.taken:
                _put(container, self.key, self.before)
                self.before = ABSENT
        self.shown = False

    def leave(self) -> None:
        """Do what `hide` does, but leave the key in place, because another registration is about to set it."""
        self.taken, self.shown = self.registry.container.get(self.key, ABSENT) is self.value, False  # type: ignore

    def show(self) -> None:
        """Make the registration again, if `hide` has undone it."""
        container, self.shown = self.registry.container, True
        if not self.taken:
            return
        if isinstance(container, MutableSequence):
            self._show_in_list(container)
        elif isinstance(container, MutableSet):
            (container.discard if self.value is ABSENT else container.add)(self.key)
        else:
            self.before = container.get(self.key, ABSENT)
            _put(container, self.key, self.value)

    def _hide_in_list(self, container: MutableSequence[Any]) -> bool:
        if self.value is ABSENT:
            container.insert(min(self.key, len(container)), self.before)
            return True
        index = _index(container, self.value)
        if index is not None:
            self.key = index
            del container[index]
        return index is not None

    def _show_in_list(self, container: MutableSequence[Any]) -> None:
        if self.value is not ABSENT:
            container.insert(min(self.key, len(container)), self.value)
            return
        index = _index(container, self.before)
        if index is None:
            self.taken = False
        else:
            self.key = index
            del container[index]


def difference(registry: Registry, before: Contents, after: Contents) -> list[Registration]:
    """Return the registrations that turn the contents `before` of a registry into the contents `after`."""
    if not before and not after:
        return []
    if isinstance(after, list):
        return _list_difference(registry, list(before), after)
    before = before if isinstance(before, dict) else {}
    if _are_same(before, after):
        return []
    values = isinstance(registry.container, Mapping)
    found = []
    for key in [*(key for key in before if key not in after), *after]:
        old, new = before.get(key, ABSENT), after.get(key, ABSENT)
        if old is not new and not registry.ignore(key, old if new is ABSENT else new):
            found.append(Registration(registry, key, new, old if values else ABSENT))
    return found


def _are_same(before: dict[Any, Any], after: dict[Any, Any]) -> bool:
    """Return whether two mappings have the same objects in the same order, without a loop in Python."""
    return len(before) == len(after) and all(map(is_, before, after)) and all(map(is_, before.values(), after.values()))


def _list_difference(registry: Registry, before: list[Any], after: list[Any]) -> list[Registration]:
    left = [id(item) for item in before]
    right = [id(item) for item in after]
    if left == right:
        return []
    kept = [key for key in left if key in right]
    moved = kept != [key for key in right if key in left]
    removed = [
        Registration(registry, index, ABSENT, item)
        for index, item in enumerate(before)
        if moved or id(item) not in right
    ]
    added = [Registration(registry, index, item) for index, item in enumerate(after) if moved or id(item) not in left]
    return [*reversed(removed), *added]


def switch_registrations(leaving: Iterable[Registration], entering: Iterable[Registration]) -> None:
    """Take the registrations `leaving` out of their registries, and put the registrations `entering` in.

    `leaving` belong to versions that become old, `entering` to versions that become current.

    A registration that is in both lists is not changed. If registrations of both lists set the same key of a mapping,
    the key is set only once, so that it is never missing. A failed registration is logged, and the other registrations
    are switched nevertheless. A registration may fail if the internals of a library have changed.
    """
    out, into = [one for one in leaving if one.shown], [one for one in entering if not one.shown]
    both = {one.place() for one in out} & {one.place() for one in into}
    replacing = {one.slot(): one for one in into if one.taken and isinstance(one.registry.container, Mapping)}
    replaced: dict[int, Registration] = {}
    for one in reversed(out):
        if one.place() in both:
            one.taken, one.shown = True, False
        elif one.slot() in replacing:
            _attempt(one.leave, one)
        else:
            _attempt(one.hide, one)
        replaced.update({id(replacing[one.slot()]): one} if one.taken and one.slot() in replacing else {})
    for one in into:
        if one.place() in both:
            one.shown = True
        else:
            _attempt(one.show, one)
        if (old := replaced.get(id(one))) is not None:
            one.before, old.before = old.before, ABSENT


@contextmanager
def registrations_hidden(leaving: Iterable[Registration], made: Callable[[], Iterable[Registration]]) -> Iterator[None]:
    """Take the registrations `leaving` out of their registries while the body of `with` executes new versions.

    So the new versions can register under the same names again. At the end, the registrations of the new versions,
    `made()`, are taken out, and the registries are as before.
    """
    hidden = [one for one in leaving if not one.registry.stays]
    switch_registrations(hidden, [])
    try:
        yield
    finally:
        switch_registrations(made(), hidden)


def carry_registrations(
    leaving: Iterable[Registration],
    made: Iterable[Registration],
    carried: Iterable[object],
    discarded: Iterable[object],
) -> list[Registration]:
    """Return the registrations of a new version: those that its body has made, and those of objects in `__carry__`.

    `leaving` are the registrations of the replaced version, and `carried` the objects that `__carry__` keeps.
    `discarded` are the objects that the body has made for names in `__carry__`; their registrations are undone.
    """
    keep, drop = _identities(carried), _identities(discarded)
    own = []
    for one in made:
        if drop.isdisjoint(map(id, one.objects())):
            own.append(one)
        else:
            _attempt(one.hide, one)
    for one in leaving:
        if (one.taken or one.shown) and not keep.isdisjoint(map(id, one.objects())):
            same = Registration(one.registry, one.key, one.value, one.before, shown=one.shown, taken=True)
            if not one.shown:
                _attempt(same.show, same)
            own.append(same)
    return own


def _identities(things: Iterable[object]) -> set[int]:
    """Return the `id`s of `things` and of the objects in containers among them, without constants."""
    found: set[int] = set()
    waiting = list(things)
    while waiting and len(found) < MAX_CARRIED:
        thing = waiting.pop()
        if id(thing) in found or thing is None or isinstance(thing, (str, bytes, int, float)):
            continue
        found.add(id(thing))
        if isinstance(thing, Mapping):
            waiting += thing.values()
        elif isinstance(thing, (list, tuple, set, frozenset)):
            waiting += thing
    return found


def _attempt(act: Any, one: Registration) -> None:
    try:
        act()
    except Exception:
        logger.exception("an entry could not be taken out of %s, or put back", one.registry.title)


def _index(container: MutableSequence[Any], item: Any) -> int | None:
    return next((index for index, each in enumerate(container) if each is item), None)


def _put(container: MutableMapping[Any, Any], key: Any, value: Any) -> None:
    if value is ABSENT:
        container.pop(key, None)
    else:
        container[key] = value


def _text(thing: Any) -> str:
    """Return a short name of a registered object. Calls no code of the object's class."""
    if isinstance(thing, tuple) and len(thing) == 2:
        text = ".".join(map(_text, thing))
    elif type(thing) in (str, int, bytes, type(None)):
        text = str(thing)
    elif isinstance(thing, (logging.Logger, ModuleType)):
        text = thing.name if isinstance(thing, logging.Logger) else str(thing.__name__)
    else:
        named = thing if isinstance(thing, (type, FunctionType, BuiltinFunctionType)) else type(thing)
        text = f"{named.__module__}.{named.__qualname__}"
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"
