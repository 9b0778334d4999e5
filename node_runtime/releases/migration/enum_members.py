"""The names of enumeration members, and the members that have these names."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any


def member_names(member: Any) -> tuple[str, ...] | None:
    """Return the name of an enumeration's member, or the names of the flags that it combines.

    Return None if the member has no name.
    """
    cls = type(member)
    if cls.__members__.get(member._name_) is member:
        return (str(member._name_),)
    if not isinstance(member, enum.Flag):
        return None
    names, rest = [], member._value_
    for name, one in cls.__members__.items():
        bits = one._value_
        if bits and bits & (bits - 1) == 0 and bits & member._value_:
            names.append(name)
            rest &= ~bits
    return None if rest else tuple(names)


def members_of(cls: Any, names: Iterable[str]) -> Any:
    """Return the member of `cls` with the given name, or the combination of the flags with the given names.

    Return None for several names if `cls` is not a Flag.
    """
    found = [cls.__members__[name] for name in names]
    if len(found) == 1:
        return found[0]
    if not issubclass(cls, enum.Flag):
        return None
    combined = cls(0)
    for member in found:
        combined |= member
    return combined
