"""Reads and makes aliases and unions of types, such as `list[Point]` and `Point | None`, without running their code."""

from __future__ import annotations

import collections.abc
import functools
import operator
import types
import typing
from typing import Any, Final

_ANNOTATED: Final[type] = type(typing.Annotated[int, 1])
_TYPING_UNION: Final[type] = type(typing.Union[int, str])  # noqa: UP007 - it is of another class than `int | str`
ALIAS_CLASSES: Final[tuple[type, ...]] = tuple({
    types.UnionType, types.GenericAlias, type(collections.abc.Callable[[int], int]), _TYPING_UNION, _ANNOTATED,
    *map(type, (typing.Iterator[int], typing.Callable[[int], int], typing.Literal[1], typing.Unpack[tuple[int]])),
    type(typing.Concatenate[int, typing.ParamSpec("_P")]),
})  # fmt: skip
"""The classes of aliases and unions. Aliases of user-defined generics have the class of `typing.Iterator[int]`."""


def is_alias(value: Any) -> bool:
    """Return whether a value is an alias or a union."""
    return any(type(value) is one for one in ALIAS_CLASSES)


def alias_parts(alias: Any) -> dict[str, Any]:
    """Return the origin and the arguments of an alias: {"__origin__": list, "__args__": (int,)} for `list[int]`.

    The origin of a union of classes is None. The arguments of an `Annotated` are its metadata.
    """
    names = "__origin__", "__metadata__" if type(alias) is _ANNOTATED else "__args__"
    return {name: getattr(alias, name, None) for name in names}


def rebuilt_alias(alias: Any, origin: Any, arguments: tuple[Any, ...]) -> Any:
    """Return an alias of the same kind with another origin and other arguments.

    The alias is not made by `origin[arguments]`: that would run code of the class, and typing would cache the result.
    """
    kind: Any = type(alias)
    if isinstance(alias, types.UnionType):
        return functools.reduce(operator.or_, arguments)
    if isinstance(alias, types.GenericAlias):
        made: Any = types.GenericAlias.__new__(kind, origin, arguments)
        return next(iter(made)) if alias.__unpacked__ else made
    if kind is _ANNOTATED:
        return kind(origin, arguments)
    if origin is alias.__origin__ and kind is not _TYPING_UNION:
        return alias.copy_with(arguments)
    return kind(origin, arguments, inst=alias._inst, name=alias._name)
