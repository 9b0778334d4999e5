"""Finds the target's parametrised pydantic models, such as `Page[Item]`: no module has them under their names."""

from __future__ import annotations

import functools
import operator
import types
import typing
from collections.abc import Callable
from typing import Any

from node_runtime.behaviours.show.raw_reads import namespace_of


def generic_target(cls: type, class_for: Callable[[type], Any], gone: object) -> Any:
    """Return the target's model for a parametrised one; None for any other class.

    `class_for` returns the target's class for a class, or `gone`. The result is `cls` itself if nothing has changed.
    """
    metadata = namespace_of(cls).get("__pydantic_generic_metadata__")
    if not isinstance(metadata, dict) or metadata.get("origin") is None:
        return None
    old = metadata["origin"], *metadata["args"]
    new = tuple(_target_of(one, class_for) for one in old)
    if any(one is gone for one in new):
        return gone
    if all(one is other for one, other in zip(old, new, strict=True)):
        return cls
    return new[0][new[1:]]


def _target_of(argument: Any, class_for: Callable[[type], Any]) -> Any:
    """Return the target's type for an argument, which may be an alias such as `list[Item]`."""
    if issubclass(type(argument), type):
        return class_for(argument)
    inner = typing.get_args(argument)
    new = tuple(_target_of(one, class_for) for one in inner)
    if all(one is other for one, other in zip(inner, new, strict=True)):
        return argument
    if isinstance(argument, types.UnionType):
        return functools.reduce(operator.or_, new)
    if isinstance(argument, types.GenericAlias):
        return types.GenericAlias(_target_of(argument.__origin__, class_for), new)
    return argument.copy_with(new) if hasattr(argument, "copy_with") else argument
