"""Finds the target's code for functions that have no name of their own: lambdas, and functions that a function makes.

Such a function is found by its place. A lambda is in a global variable, in an attribute of a class, or in an item of a
global container. The code of a function that another function has made is inside the code of that other function.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any, Final

import msgspec

from node_runtime.behaviours.show.raw_reads import namespace_of

from .function_members import resolve_name

LOCALS: Final = ".<locals>."
MAX_ITEMS: Final = 1_000
"""A larger container is not searched for lambdas."""
_VARIADIC: Final = 0x04 | 0x08
"""The flags of functions with `*args` and `**kwargs`."""


class NotFound(msgspec.Struct, frozen=True):
    """The reason why the target's code can't be found, and what the release can do about it."""

    reason: str
    remedy: str


def function_at_same_place(function: FunctionType, namespace: Mapping[str, Any]) -> FunctionType | None:
    """Return the target's function at the place where the old module has the lambda `function`; else None."""
    owner = function.__qualname__.rpartition(".")[0]
    before, after = _names_in(function.__globals__, owner), _names_in(namespace, owner)
    for name, value in list(before.items()):
        for old, new in _same_items(_unwrapped(value), _unwrapped(after.get(name))):
            if old is function and type(new) is FunctionType:
                return new
    return None


def code_at_same_place(function: FunctionType, namespace: Mapping[str, Any]) -> CodeType | NotFound | None:
    """Return the target's code for a function that another function of the old module has made.

    Return None if no function has made `function`.
    """
    code, maker = function.__code__, function.__code__.co_qualname.rpartition(LOCALS)[0]
    before, after = _code_named(function.__globals__, maker), _code_named(namespace, maker)
    if not maker or before is None or code not in before.co_consts:
        return None
    if after is None:
        return NotFound(f"the target has no {maker}, which has made the function", f"keep {maker}")
    old = [one for one in _inner(before) if one.co_qualname == code.co_qualname]
    new = [one for one in _inner(after) if one.co_qualname == code.co_qualname]
    found = next((one for one in new if _is_same(code, one)), None)
    if found is None and len(old) == len(new):
        changed = [one for one in new if not any(_is_same(one, other) for other in old)]
        missing = [one for one in old if not any(_is_same(one, other) for other in new)]
        found = changed[0] if len(changed) == len(missing) == 1 else None
    if found is None:
        reason = f"{maker} makes {len(new) or 'no'} functions of this name in the target"
        return NotFound(reason, f"keep the code of {maker}")
    if _signature(found) != _signature(code):
        reason = "in the target, the function has other arguments or uses other variables"
        return NotFound(reason, "keep its arguments and variables")
    if (function.__defaults__ or function.__kwdefaults__) and not _is_same(before, after, inner=False):
        reason = f"{maker} has changed, so the default values of the function may have changed, too"
        return NotFound(reason, f"keep the code of {maker}")
    return found


def _names_in(namespace: Mapping[str, Any], owner: str) -> Mapping[str, Any]:
    """Return the namespace of the class with the name `owner`, or of the module if `owner` is ""."""
    if not owner:
        return namespace
    cls = resolve_name(namespace, owner)
    return namespace_of(cls) if isinstance(cls, type) else {}


def _unwrapped(value: Any) -> Any:
    return value.__func__ if type(value) in (staticmethod, classmethod) else value


def _same_items(value: Any, new: Any) -> Iterator[tuple[Any, Any]]:
    """Yield pairs of an old and a new value: the two values, or the items of two containers at the same place."""
    if type(value) is not type(new):
        return
    if type(value) in (list, tuple):
        if len(value) == len(new) <= MAX_ITEMS:
            yield from zip(value, new, strict=True)
    elif type(value) is dict:
        if len(value) <= MAX_ITEMS:
            yield from ((one, new.get(key)) for key, one in list(value.items()) if type(key) in (str, int))
    else:
        yield value, new


def _code_named(namespace: Mapping[str, Any], qualname: str) -> CodeType | None:
    """Return the code of the function with the qualified name `qualname`; None if it isn't found, or isn't unique."""
    outermost, *inner = qualname.split(LOCALS)
    code = _code_of(resolve_name(namespace, outermost), outermost)
    for number in range(len(inner)):
        wanted = LOCALS.join([outermost, *inner[: number + 1]])
        same = [] if code is None else [one for one in _inner(code) if one.co_qualname == wanted]
        code = same[0] if len(same) == 1 else None
    return code


def _code_of(found: Any, qualname: str) -> CodeType | None:
    """Return the code of a function, of a method, or of the function that a decorator's wrapper wraps."""
    for _ in range(10):
        found = found.fget if type(found) is property else _unwrapped(found)
        if type(found) is FunctionType and found.__code__.co_qualname == qualname:
            return found.__code__
        found = getattr(found, "__wrapped__", None) if type(found) is FunctionType else None
    return None


def _inner(code: CodeType) -> Iterator[CodeType]:
    return (one for one in code.co_consts if type(one) is CodeType)


def _signature(code: CodeType) -> tuple[Any, ...]:
    count = code.co_argcount + code.co_kwonlyargcount + (code.co_flags & _VARIADIC).bit_count()
    names = code.co_varnames[:count], code.co_freevars
    return code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags, names


def _is_same(code: CodeType, other: CodeType, *, inner: bool = True) -> bool:
    """Return whether two code objects do the same. Line numbers are not compared.

    With inner=False, functions inside of the code are not compared either.
    """
    if code.co_code != other.co_code or code.co_names != other.co_names or _signature(code) != _signature(other):
        return False
    if len(code.co_consts) != len(other.co_consts):
        return False
    for one, two in zip(code.co_consts, other.co_consts, strict=True):
        if type(one) is CodeType and type(two) is CodeType:
            if inner and not _is_same(one, two):
                return False
        elif type(one) is not type(two) or repr(one) != repr(two):
            return False
    return True
