"""Reads, makes and fills objects without running code of their classes."""

from __future__ import annotations

import datetime
import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from node_runtime.behaviours.show.raw_reads import (
    dict_descriptor,
    mro_of,
    namespace_of,
    raw_attributes,
)
from node_runtime.code.classes.structs import is_struct, struct_maker

_HEAP_TYPE: Final = 1 << 9
"""The flag of classes that a `class` statement made. See Py_TPFLAGS_HEAPTYPE."""
Content = list[Any]
"""The items of a container, the alternating keys and values of a mapping, or the arguments of an exception."""


class Base:
    """A builtin base class, and the functions that read an object's content and that make and fill a new object.

    `read` returns the content. `make` makes an empty object of a class, and `fill` fills the object. If `fill` is None,
    `make` gets the content, too, and makes an object that is already filled.
    """

    __slots__ = ("cls", "fill", "make", "read")

    def __init__(
        self,
        cls: type,
        read: Callable[[Any], Content],
        make: Callable[..., Any],
        fill: Callable[[Any, Content], None] | None = None,
    ) -> None:
        self.cls = cls
        self.read = read
        self.make = make
        self.fill = fill


def _pairs(value: Any) -> Content:
    return [part for pair in dict.items(value) for part in pair]


def _fill_dict(value: Any, content: Content) -> None:
    set_item = OrderedDict.__setitem__ if isinstance(value, OrderedDict) else dict.__setitem__
    for at in range(0, len(content), 2):
        set_item(value, content[at], content[at + 1])


def _fill_default_dict(value: Any, content: Content) -> None:
    value.default_factory = content[0]
    _fill_dict(value, content[1:])


def _make_deque(cls: Any, old: Any) -> Any:
    new = deque.__new__(cls)
    deque.__init__(new, (), old.maxlen)
    return new


def _make_exception(cls: Any, old: Any, content: Content) -> Any:
    builtin = next(base for base in mro_of(cls) if not base.__flags__ & _HEAP_TYPE)
    new = builtin.__new__(cls, *content)
    new.args = tuple(content)
    new.__cause__, new.__context__ = old.__cause__, old.__context__
    new.__suppress_context__ = old.__suppress_context__
    return new


def _items_of(value: Any) -> Content:
    return [part for key in OrderedDict.__iter__(value) for part in (key, dict.__getitem__(value, key))]


def _nothing(value: Any) -> Content:
    return []


def _keep_empty(value: Any, content: Content) -> None:
    """Do nothing. Used for base classes whose objects have no content, only attributes."""


def _new(base: Any) -> Callable[[Any, Any], Any]:
    return lambda cls, old: base.__new__(cls)


def _new_with_content(base: Any) -> Callable[[Any, Any, Content], Any]:
    return lambda cls, old, content: base.__new__(cls, content)


def _new_from_old(base: Any) -> Callable[[Any, Any, Content], Any]:
    return lambda cls, old, content: base.__new__(cls, base(old))


_BASES: Final = (
    Base(defaultdict, lambda value: [value.default_factory, *_pairs(value)], _new(defaultdict), _fill_default_dict),
    Base(OrderedDict, _items_of, _new(OrderedDict), _fill_dict),
    Base(dict, _pairs, _new(dict), _fill_dict),
    Base(list, lambda value: list(list.__iter__(value)), _new(list), list.extend),
    Base(set, lambda value: list(set.__iter__(value)), _new(set), set.update),
    Base(deque, lambda value: list(deque.__iter__(value)), _make_deque, deque.extend),
    Base(tuple, lambda value: list(tuple.__iter__(value)), _new_with_content(tuple)),
    Base(frozenset, lambda value: list(frozenset.__iter__(value)), _new_with_content(frozenset)),
    Base(BaseException, lambda value: list(value.args), _make_exception),
    *(Base(base, _nothing, _new_from_old(base)) for base in (str, int, float, complex, bytes)),
    *(Base(base, _nothing, _new(base), _keep_empty) for base in (types.SimpleNamespace, datetime.tzinfo, object)),
)


def size_of(value: Any) -> int:
    """Return the number of entries of a dict, a set or a frozenset, without running code of its class."""
    base: Any = next(base for base in (dict, set, frozenset) if isinstance(value, base))
    size: int = base.__len__(value)
    return size


def base_of(cls: type) -> Base | None:
    """Return the builtin base of a class; None if its objects have a content that can't be read."""
    if is_struct(cls):
        return _struct_base(cls)
    base = next(base for base in _BASES if issubclass(cls, base.cls))
    return base if _maker(cls) is _maker(base.cls) and _is_explained(cls, base.cls) else None


def _maker(cls: type) -> type | None:
    """Return the base class, written in C, whose `__new__` has to make the objects; None for an exception class."""
    if issubclass(cls, BaseException):
        return None
    return next(one for one in mro_of(cls) if type(namespace_of(one).get("__new__")) is types.BuiltinFunctionType)


def _struct_base(cls: type) -> Base:
    makers: list[Callable[[], Any]] = []

    def make(target: type, old: Any) -> Any:
        if not makers:
            makers.append(struct_maker(cls))
        return makers[0]()

    return Base(object, _nothing, make, _keep_empty)


def _is_explained(cls: type, base: type) -> bool:
    """Return whether the objects of `cls` consist only of the content of `base`, of slots and of a `__dict__`."""
    if issubclass(base, BaseException):
        return not issubclass(cls, UnicodeError)  # its other contents can't be set
    if base.__itemsize__:
        return True
    slots = sum(len(_declared_slots(one)) for one in mro_of(cls) if one is not base and not issubclass(base, one))
    pointers = slots + bool(cls.__dictoffset__ > 0 and not base.__dictoffset__)
    pointers += cls.__weakrefoffset__ > 0 and not base.__weakrefoffset__
    return cls.__basicsize__ - base.__basicsize__ <= 8 * pointers


def _declared_slots(cls: type) -> list[str]:
    declared = namespace_of(cls).get("__slots__", ())
    names = [declared] if isinstance(declared, str) else list(declared)  # type: ignore[call-overload]
    return [name for name in names if name not in ("__dict__", "__weakref__")]


class Layout:
    """The attributes that the objects of a class can have: slots by name, and a `__dict__`."""

    __slots__ = ("dict_of", "slots")

    def __init__(self, cls: type) -> None:
        self.slots = {
            name: descriptor
            for base in reversed(mro_of(cls))
            for name, descriptor in namespace_of(base).items()
            if type(descriptor) is types.MemberDescriptorType and name != "__dict__"
        }
        self.dict_of = dict_descriptor(cls)

    def read(self, value: object) -> dict[str, Any]:
        """Return the attributes that are set, by name."""
        found: dict[str, Any] = {}
        for name, slot in self.slots.items():
            try:
                found[name] = slot.__get__(value)
            except (AttributeError, TypeError):
                continue
        if self.dict_of is not None:
            found.update(raw_attributes(self.dict_of, value))
        return found

    def is_own_dict(self, value: object) -> bool:
        """Return whether a dict is its own `__dict__`, so that its keys are attributes as well."""
        return self.dict_of is not None and raw_attributes(self.dict_of, value) is value

    def make_own_dict(self, value: object) -> None:
        """Make a dict its own `__dict__`, if its class permits that."""
        if self.dict_of is not None:
            with suppress(AttributeError, TypeError):
                self.dict_of.__set__(value, value)

    def holds(self, name: str) -> bool:
        """Return whether the objects can have the attribute `name`."""
        return self.dict_of is not None or name in self.slots

    def fill(self, value: object, attributes: Mapping[str, Any]) -> None:
        """Set attributes, without `__setattr__` of the class."""
        own = None if self.dict_of is None else raw_attributes(self.dict_of, value)
        for name, attribute in attributes.items():
            slot = self.slots.get(name)
            if slot is not None:
                with suppress(AttributeError, TypeError):  # some slots of builtin classes are read-only
                    slot.__set__(value, attribute)
            elif own is not None:
                own[name] = attribute
