"""Finds the target's parametrised pydantic models, such as `Page[Item]`: no variable of a module has their names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from node_runtime.behaviours.show.raw_reads import namespace_of
from node_runtime.code.classes.aliases import alias_parts, is_alias, rebuilt_alias


def generic_target(cls: type, class_for: Callable[[type], Any], gone: object) -> Any:
    """Return the target's model for a parametrised pydantic model such as `Page[Item]`; None for any other class.

    `class_for(one)` returns the target's class for the class `one`, or `gone` if the target lacks it. If the target
    lacks `Page` or `Item`, the result is `gone`. If neither has changed, the result is `cls` itself.
    """
    metadata = namespace_of(cls).get("__pydantic_generic_metadata__")
    if not isinstance(metadata, dict) or metadata.get("origin") is None:
        return None
    old = metadata["origin"], *metadata["args"]
    new = tuple(_target_of(one, class_for, gone) for one in old)
    if any(one is gone for one in new):
        return gone
    if all(one is other for one, other in zip(old, new, strict=True)):
        return cls
    return new[0][new[1:]]


def classes_in(cls: type) -> Iterator[type]:
    """For a parametrised model such as `Page[Item]`, yield `Page` and `Item`. For any other class, yield nothing."""
    metadata = namespace_of(cls).get("__pydantic_generic_metadata__")
    if isinstance(metadata, dict) and metadata.get("origin") is not None:
        yield metadata["origin"]
        yield from _classes(metadata["args"])


def _classes(arguments: Iterable[Any]) -> Iterator[type]:
    for one in arguments:
        if issubclass(type(one), type):
            yield one
        elif is_alias(one):
            origin, inner = alias_parts(one).values()
            yield from _classes((origin, *inner))


def _target_of(argument: Any, class_for: Callable[[type], Any], gone: object) -> Any:
    """Return the target's type for an argument, which may be an alias such as `list[Item]`."""
    if issubclass(type(argument), type):
        return class_for(argument)
    if not is_alias(argument):
        return argument
    origin, inner = alias_parts(argument).values()
    old = [origin, *inner]
    new = [_target_of(one, class_for, gone) for one in old]
    if any(one is gone for one in new):
        return gone
    if all(one is other for one, other in zip(old, new, strict=True)):
        return argument
    return rebuilt_alias(argument, new[0], tuple(new[1:]))
