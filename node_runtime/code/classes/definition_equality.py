"""Whether what a module's body made anew is what the version before has, compared as compiled and built, not as text.

Two things are alike if no code could tell one from the other but by identity. That needs the names that a
function reads to mean the same in both versions. So it is asked while the body runs, about what stands above.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import typing
from collections import namedtuple
from types import (
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    UnionType,
)
from typing import TYPE_CHECKING, Any

from .definitions import names_mentioned, names_reached

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CellType

    from node_runtime.code.module import Namespace

    from .definitions import Definitions


class Likeness(enum.Enum):
    """Which of the two has to stay, if they are alike: the one that knows the class, or the one that knows the code."""

    DIFFERENT = enum.auto()
    EITHER = enum.auto()
    OLD = enum.auto()
    NEW = enum.auto()


DIFFERENT, EITHER, OLD, NEW = Likeness

_ALIASES: Any = (type(list[int]), type(typing.List[int]), UnionType)  # noqa: UP006  # typing's own are of another type
_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis))
_DESCRIPTORS: Any = (MemberDescriptorType, GetSetDescriptorType, type(vars(namedtuple("_Any", "field"))["field"]))
_DataclassParams: Any = type(vars(dataclasses.dataclass(type("_Any", (), {})))["__dataclass_params__"])
_ACCESSORS = ("fget", "fset", "fdel")
_MADE_OF: dict[Any, Iterable[str]] = {
    staticmethod: ("__func__",),
    classmethod: ("__func__",),
    property: (*_ACCESSORS, "__doc__"),
    functools.cached_property: ("func", "attrname"),
    dataclasses.Field: dataclasses.Field.__slots__,
    dataclasses.InitVar: dataclasses.InitVar.__slots__,
    _DataclassParams: _DataclassParams.__slots__,
}
_CODE = (
    "co_name", "co_qualname", "co_flags", "co_argcount", "co_posonlyargcount", "co_kwonlyargcount", "co_varnames",
    "co_freevars", "co_cellvars", "co_names", "co_code", "co_exceptiontable",
)  # fmt: skip


def same_code(old: CodeType, new: CodeType) -> bool:
    """The same instructions on the same constants; where they stand in the file doesn't matter."""
    return (
        all(getattr(old, name) == getattr(new, name) for name in _CODE)
        and len(old.co_consts) == len(new.co_consts)
        and all(
            same_code(one, other)
            if isinstance(one, CodeType) and isinstance(other, CodeType)
            else same_plain(one, other)
            for one, other in zip(old.co_consts, new.co_consts, strict=True)
        )
    )


def is_plain(value: object) -> bool:
    """A number, a text or the like, or a tuple or frozen set of them: nobody can change it."""
    return same_plain(value, value)


def same_plain(old: object, new: object) -> bool:
    """Equal numbers, texts and the like, of one type, and tuples and frozen sets of them."""
    if type(old) is not type(new):
        return False
    if isinstance(old, tuple) and isinstance(new, tuple):
        return len(old) == len(new) and all(map(same_plain, old, new))
    if isinstance(old, frozenset):
        return old == new and all(type(item) in _PLAIN for item in old)
    return type(old) in _PLAIN and repr(old) == repr(new)


class Comparison:
    """Compares what two versions of a module have under one name; `pair` are the classes that it is about.

    `cells` are those cells of the new functions that hold the new class, each with what it should hold instead.
    """

    def __init__(self, old: Namespace, new: Namespace, definitions: Definitions, pair: tuple[type, type]) -> None:
        self.cells: list[tuple[CellType, object]] = []
        self._old = old
        self._new = new
        self._definitions = definitions
        self._pair = pair
        self._known: dict[tuple[int, int], Likeness] = {}

    def likeness(self, old: Any, new: Any) -> Likeness:
        """How alike two values are. What this doesn't know is different, unless it is one object."""
        if old is new or same_plain(old, new):
            return EITHER
        if old is self._pair[0] and new is self._pair[1]:
            return OLD
        if self._twins(old, new):
            return NEW
        if type(old) is not type(new):
            return OLD if self._members(old, new) else DIFFERENT
        return self._functions(old, new) if isinstance(old, FunctionType) else self._built(old, new)

    def all(self, *pairs: tuple[Any, Any]) -> Likeness:
        """The likeness of things that are made of such pairs."""
        found = {self.likeness(old, new) for old, new in pairs}
        if DIFFERENT in found or {OLD, NEW} <= found:
            return DIFFERENT
        return OLD if OLD in found else NEW if NEW in found else EITHER

    def _built(self, old: Any, new: Any) -> Likeness:
        if isinstance(old, (*_ALIASES, typing.ForwardRef, set)):
            return EITHER if old == new else DIFFERENT
        if isinstance(old, enum.property):
            # It may hold the member of its name as well, so the old one stays.
            return (
                OLD
                if self.all(*((getattr(old, name), getattr(new, name)) for name in _ACCESSORS)) is EITHER
                else DIFFERENT
            )
        if isinstance(old, _DESCRIPTORS):
            return OLD
        parts = _parts(old, new)
        return DIFFERENT if parts is None else self.all(*parts)

    def _members(self, old: Any, new: Any) -> bool:
        """Members of the enumeration, which is compared member by member elsewhere."""
        return (type(old), type(new)) == self._pair and isinstance(old, enum.Enum) and old.name == new.name

    def _twins(self, old: Any, new: Any) -> bool:
        """`dataclass(slots=True)` makes a second class; functions that it made before know the first one."""
        return all(
            isinstance(twin, type)
            and (twin.__module__, twin.__qualname__) == (cls.__module__, cls.__qualname__)
            and "__dataclass_fields__" in vars(twin)
            and "__slots__" in vars(cls)
            for twin, cls in zip((old, new), self._pair, strict=True)
        )

    # ------------------------------------------------------------ functions

    def _functions(self, old: FunctionType, new: FunctionType) -> Likeness:
        pair = (id(old), id(new))
        if pair not in self._known:
            self._known[pair] = EITHER  # functions that call each other are alike if nothing else differs
            self._known[pair] = self._compared_functions(old, new)
        return self._known[pair]

    def _compared_functions(self, old: FunctionType, new: FunctionType) -> Likeness:
        if not (same_code(old.__code__, new.__code__) and self._reaches_the_same(old, new)):
            return DIFFERENT
        found = self.all(
            (old.__defaults__, new.__defaults__),
            (old.__kwdefaults__, new.__kwdefaults__),
            (old.__dict__, new.__dict__),
            (_annotations(old), _annotations(new)),
            *self._cells(old.__closure__ or (), new.__closure__ or ()),
        )
        if found in (DIFFERENT, OLD):
            return DIFFERENT
        return NEW if new.__globals__ is self._new else found

    def _cells(self, old: Iterable[CellType], new: Iterable[CellType]) -> Iterable[tuple[Any, Any]]:
        for was, now in zip(old, new, strict=True):
            try:
                before, after = was.cell_contents, now.cell_contents
            except ValueError:
                yield was, now  # an empty one: nothing is known of it
                continue
            if self.likeness(before, after) is OLD:
                self.cells.append((now, before))
            else:
                yield before, after

    def _reaches_the_same(self, old: FunctionType, new: FunctionType) -> bool:
        if old.__globals__ is new.__globals__:
            return True
        ours = old.__globals__ is self._old and new.__globals__ is self._new
        if not ours and (old.__globals__ is self._old or new.__globals__ is self._new):
            return False
        unchanged = self._name_unchanged if ours else functools.partial(_same_in, old.__globals__, new.__globals__)
        changed = {name for name in names_mentioned(new.__code__) if not unchanged(name)}
        return not changed or changed.isdisjoint(names_reached(new.__code__))

    def _name_unchanged(self, name: str) -> bool:
        """A name of the module means the same in both versions, and nothing further down in the body binds it."""
        times = self._definitions.bound.get(name, 0)
        if name not in self._old and not times:
            return name not in self._new  # a builtin
        if name == self._pair[1].__name__:
            return times == 1
        if times > 1 or name not in self._old or name not in self._new:
            return False
        old, new = self._old[name], self._new[name]
        return (
            old is new
            or same_plain(old, new)
            or (
                isinstance(old, FunctionType)
                and isinstance(new, FunctionType)
                and self._functions(old, new) is not DIFFERENT
            )
        )


def _parts(old: Any, new: Any) -> list[tuple[Any, Any]] | None:
    """What decides whether two values of one type are alike; None if that isn't known, or their sizes differ."""
    kind = type(old)
    if kind in _MADE_OF:
        return [(getattr(old, name), getattr(new, name)) for name in _MADE_OF[kind]]
    if kind in (list, tuple) and len(old) == len(new):
        return list(zip(old, new, strict=True))
    if kind in (dict, MappingProxyType) and list(old) == list(new):
        return [(old[key], new[key]) for key in old]
    return None


def _same_in(old: Namespace, new: Namespace, name: str) -> bool:
    here, there = old.get(name, old), new.get(name, new)
    return here is there or same_plain(here, there) or (here is old and there is new)


def _annotations(function: FunctionType) -> object:
    """From Python 3.14 on they are made by a function when they are asked for, and may then fail."""
    return function.__annotate__ if hasattr(function, "__annotate__") else function.__annotations__
