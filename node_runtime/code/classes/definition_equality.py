"""Compares the definitions of a name in two versions of a module: the objects, not the source text.

Two objects are equal if they differ only in their identity. Two functions are equal only if, in addition, the global
names that they read mean the same in both versions. The comparison happens when the running body binds the name. Global
names that the body binds later are not known yet, so they count as different.
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

from .definitions import global_names_used, names_mentioned

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CellType

    from node_runtime.code.module import Namespace

    from .definitions import Definitions


class Equality(enum.Enum):
    """The result of a comparison: whether the old and the new object are equal and, if so, which one must be kept.

    KEEP_OLD means that the reused class needs the old object. KEEP_NEW means that the new version's code needs the new
    object.
    """

    DIFFERENT = enum.auto()
    KEEP_EITHER = enum.auto()
    KEEP_OLD = enum.auto()
    KEEP_NEW = enum.auto()


DIFFERENT, KEEP_EITHER, KEEP_OLD, KEEP_NEW = Equality

_GENERIC_ALIASES: Any = (type(list[int]), type(typing.List[int]), UnionType)  # noqa: UP006  # typing's aliases have another type
_PLAIN_TYPES = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis))
_DESCRIPTORS: Any = (MemberDescriptorType, GetSetDescriptorType, type(vars(namedtuple("_Any", "field"))["field"]))
_DataclassParams: Any = type(vars(dataclasses.dataclass(type("_Any", (), {})))["__dataclass_params__"])
_ACCESSORS = ("fget", "fset", "fdel")
_COMPARED_ATTRIBUTES: dict[Any, Iterable[str]] = {
    staticmethod: ("__func__",),
    classmethod: ("__func__",),
    property: (*_ACCESSORS, "__doc__"),
    functools.cached_property: ("func", "attrname"),
    dataclasses.Field: dataclasses.Field.__slots__,
    dataclasses.InitVar: dataclasses.InitVar.__slots__,
    _DataclassParams: _DataclassParams.__slots__,
}
_COMPARED_CODE_ATTRIBUTES = (
    "co_name", "co_qualname", "co_flags", "co_argcount", "co_posonlyargcount", "co_kwonlyargcount", "co_varnames",
    "co_freevars", "co_cellvars", "co_names", "co_code", "co_exceptiontable",
)  # fmt: skip


def same_code(old: CodeType, new: CodeType) -> bool:
    """Return whether two code objects have the same instructions and constants, regardless of line numbers."""
    return (
        all(getattr(old, name) == getattr(new, name) for name in _COMPARED_CODE_ATTRIBUTES)
        and len(old.co_consts) == len(new.co_consts)
        and all(
            same_code(one, other)
            if isinstance(one, CodeType) and isinstance(other, CodeType)
            else same_plain(one, other)
            for one, other in zip(old.co_consts, new.co_consts, strict=True)
        )
    )


def is_plain(value: object) -> bool:
    """Return whether a value is an immutable constant, such as a number or a string, or a tuple of constants."""
    return same_plain(value, value)


def same_plain(old: Any, new: Any) -> bool:
    """Return whether two constants are equal and of one type.

    Constants are numbers, strings, None, and tuples and frozen sets of constants.
    """
    if type(old) is not type(new):
        return False
    if issubclass(type(old), tuple) and issubclass(type(new), tuple):
        return len(old) == len(new) and all(map(same_plain, old, new))
    if issubclass(type(old), frozenset):
        return old == new and all(type(item) in _PLAIN_TYPES for item in old)
    return type(old) in _PLAIN_TYPES and repr(old) == repr(new)


class DefinitionComparison:
    """A comparison of the two classes in `pair`, which have the same name in two versions of a module.

    `cells` are the closure cells through which new functions refer to the new class. Each cell has
    the object that must replace its content.
    """

    def __init__(self, old: Namespace, new: Namespace, definitions: Definitions, pair: tuple[type, type]) -> None:
        self.cells: list[tuple[CellType, object]] = []
        self._old = old
        self._new = new
        self._definitions = definitions
        self._classes = pair
        self._results: dict[tuple[int, int], Equality] = {}

    def compare(self, old: Any, new: Any) -> Equality:
        """Compare two values. Values of unknown types are different, unless they are the same object."""
        if old is new or same_plain(old, new):
            return KEEP_EITHER
        if old is self._classes[0] and new is self._classes[1]:
            return KEEP_OLD
        if self._are_slots_originals(old, new):
            return KEEP_NEW
        if type(old) is not type(new):
            return KEEP_OLD if self._is_same_member(old, new) else DIFFERENT
        return self._compare_functions(old, new) if type(old) is FunctionType else self._compare_values(old, new)

    def compare_all(self, *pairs: tuple[Any, Any]) -> Equality:
        """Compare two objects by their parts: each pair has the old and the new value of a part."""
        found = {self.compare(old, new) for old, new in pairs}
        if DIFFERENT in found or {KEEP_OLD, KEEP_NEW} <= found:
            return DIFFERENT
        return KEEP_OLD if KEEP_OLD in found else KEEP_NEW if KEEP_NEW in found else KEEP_EITHER

    def _compare_values(self, old: Any, new: Any) -> Equality:
        if issubclass(type(old), (*_GENERIC_ALIASES, typing.ForwardRef, set)):
            return KEEP_EITHER if old == new else DIFFERENT
        if issubclass(type(old), enum.property):
            # An enum.property may also hold the member of the same name, so the old property is kept.
            return (
                KEEP_OLD
                if self.compare_all(*((getattr(old, name), getattr(new, name)) for name in _ACCESSORS)) is KEEP_EITHER
                else DIFFERENT
            )
        if issubclass(type(old), _DESCRIPTORS):
            return KEEP_OLD
        parts = _parts(old, new)
        return DIFFERENT if parts is None else self.compare_all(*parts)

    def _is_same_member(self, old: Any, new: Any) -> bool:
        """Return whether both are members of the compared enumerations and have the same name; values may differ."""
        return (type(old), type(new)) == self._classes and issubclass(type(old), enum.Enum) and old.name == new.name

    def _are_slots_originals(self, old: Any, new: Any) -> bool:
        """Return whether `old` and `new` are the classes from which `dataclass(slots=True)` made the compared classes.

        The decorator makes a second class. Functions of the class body may still refer to the original class.
        """
        return all(
            issubclass(type(twin), type)
            and (twin.__module__, twin.__qualname__) == (cls.__module__, cls.__qualname__)
            and "__dataclass_fields__" in vars(twin)
            and "__slots__" in vars(cls)
            for twin, cls in zip((old, new), self._classes, strict=True)
        )

    # ------------------------------------------------------------ functions

    def _compare_functions(self, old: FunctionType, new: FunctionType) -> Equality:
        pair = (id(old), id(new))
        if pair not in self._results:
            self._results[pair] = KEEP_EITHER  # recursive functions are equal if nothing else differs
            self._results[pair] = self._compare_function_parts(old, new)
        return self._results[pair]

    def _compare_function_parts(self, old: FunctionType, new: FunctionType) -> Equality:
        if not (same_code(old.__code__, new.__code__) and self._reads_same_globals(old, new)):
            return DIFFERENT
        found = self.compare_all(
            (old.__defaults__, new.__defaults__),
            (old.__kwdefaults__, new.__kwdefaults__),
            (old.__dict__, new.__dict__),
            (_annotations(old), _annotations(new)),
            *self._closure_pairs(old.__closure__ or (), new.__closure__ or ()),
        )
        if found in (DIFFERENT, KEEP_OLD):
            return DIFFERENT
        return KEEP_NEW if new.__globals__ is self._new else found

    def _closure_pairs(self, old: Iterable[CellType], new: Iterable[CellType]) -> Iterable[tuple[Any, Any]]:
        for was, now in zip(old, new, strict=True):
            try:
                before, after = was.cell_contents, now.cell_contents
            except ValueError:
                yield was, now  # an empty cell can't be compared
                continue
            if self.compare(before, after) is KEEP_OLD:
                self.cells.append((now, before))
            else:
                yield before, after

    def _reads_same_globals(self, old: FunctionType, new: FunctionType) -> bool:
        if old.__globals__ is new.__globals__:
            return True
        own = old.__globals__ is self._old and new.__globals__ is self._new
        if not own and (old.__globals__ is self._old or new.__globals__ is self._new):
            return False
        unchanged = self._name_unchanged if own else functools.partial(_same_in, old.__globals__, new.__globals__)
        changed = {name for name in names_mentioned(new.__code__) if not unchanged(name)}
        return not changed or changed.isdisjoint(global_names_used(new.__code__))

    def _name_unchanged(self, name: str) -> bool:
        """Return whether a global name means the same in both versions.

        A name that several statements bind counts as changed, because the rest of the body may still change it.
        """
        times = self._definitions.bound.get(name, 0)
        if name not in self._old and not times:
            return name not in self._new  # a builtin
        if name == self._classes[1].__name__:
            return times == 1
        if times > 1 or name not in self._old or name not in self._new:
            return False
        old, new = self._old[name], self._new[name]
        return (
            old is new
            or same_plain(old, new)
            or (
                issubclass(type(old), FunctionType)
                and issubclass(type(new), FunctionType)
                and self._compare_functions(old, new) is not DIFFERENT
            )
        )


def _parts(old: Any, new: Any) -> list[tuple[Any, Any]] | None:
    """Pair the parts of two values of the same type; return None if the type is unknown or their keys differ."""
    kind = type(old)
    if kind in _COMPARED_ATTRIBUTES:
        return [(getattr(old, name), getattr(new, name)) for name in _COMPARED_ATTRIBUTES[kind]]
    if kind in (list, tuple) and len(old) == len(new):
        return list(zip(old, new, strict=True))
    if kind in (dict, MappingProxyType) and list(old) == list(new):
        return [(old[key], new[key]) for key in old]
    return None


def _same_in(old: Namespace, new: Namespace, name: str) -> bool:
    here, there = old.get(name, old), new.get(name, new)
    return here is there or same_plain(here, there) or (here is old and there is new)


def _annotations(function: FunctionType) -> object:
    """Return the annotations of a function or, from Python 3.14 on, the function that evaluates them."""
    return function.__annotate__ if hasattr(function, "__annotate__") else function.__annotations__
