"""Finds what would stay with an old object when a new one replaces it: finalizers, and weak references from elsewhere.

As soon as nothing refers to the old object, its finalizers would run, although the new object still uses what they
close. Weak references to the old object, such as those of a `WeakSet` in another module, would be dead.
"""

from __future__ import annotations

import enum
import weakref
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final

from node_runtime.behaviours.show.raw_reads import mro_of, namespace_of, type_name

_NOT_COPIED: Final = (type, FunctionType, enum.Enum)


def left_behind(value: Any, is_converted: Callable[[weakref.ref[Any]], bool]) -> str | None:
    """Return a clause that says what would stay with an old object; None if nothing would.

    `is_converted` returns whether a weak reference is itself converted, so that it will lead to the new object.
    """
    if isinstance(value, _NOT_COPIED):
        return None
    label = type_name(type(value))
    if any("__del__" in namespace_of(base) for base in mro_of(type(value))):
        return f"{label} has a __del__, which would run when a new object replaces the old one"
    if not weakref.getweakrefcount(value):
        return None
    references = [one for one in weakref.getweakrefs(value) if not is_converted(one)]
    plain = [one for one in references if type(one) not in weakref.ProxyTypes]  # a proxy's attributes are its target's
    if any(isinstance(one.__callback__, weakref.finalize) for one in plain):
        return f"an object of {label} has a finalizer, which would run when a new object replaces the old one"
    if references:
        return f"weak references to an object of {label} would be lost, since a new object replaces the old one"
    return None
