"""Structs of msgspec: their fields, and new objects of their classes without `__init__` and `__post_init__`.

msgspec is recognised by the metaclass, and not imported by this module.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from node_runtime.behaviours.show.raw_reads import mro_of, namespace_of


def is_struct(cls: type) -> bool:
    """Return whether a class is a struct of msgspec, and not `msgspec.Struct` itself."""
    return (type(cls).__module__, type(cls).__name__) == ("msgspec._core", "StructMeta") and cls.__module__ != "msgspec"


def struct_fields(cls: Any) -> Iterator[tuple[str, Callable[[], Any] | None, Any]]:
    """Yield each field's name, the function that makes its default, if any, and its annotation."""
    names, defaults = cls.__struct_fields__, cls.__struct_defaults__
    annotations: dict[str, Any] = {}
    for base in reversed(mro_of(cls)):
        annotations |= inspect.get_annotations(base)
    without = len(names) - len(defaults)
    for at, name in enumerate(names):
        default = None if at < without else _default(defaults[at - without])
        yield name, default, annotations.get(name, inspect.Parameter.empty)


def struct_maker(cls: Any) -> Callable[[], Any]:
    """Return a function that makes objects of a struct's class, with None in each field, without an initialiser.

    msgspec refuses `object.__new__`, and every other way calls `__post_init__`. So the function makes an instance of a
    subclass whose `__post_init__` does nothing. Then it sets the instance's class to the struct's class.
    """
    maker = type(cls)("Maker", (cls,), {"__post_init__": _no_initialiser})
    fields = dict.fromkeys(cls.__struct_fields__)

    def make() -> Any:
        new = maker(**fields)
        vars(object)["__class__"].__set__(new, cls)  # also if the struct is frozen
        return new

    return make


def declared_parts(old: Any, new: Any) -> Iterator[tuple[Any, Any]] | None:
    """Return pairs of what two structs declare, such as defaults of fields, for the caller to compare.

    Return None if the structs differ otherwise, or can't be compared. A struct can't be compared if it has a
    `__post_init__`, or a function as a default factory: msgspec stores these functions when the class is made, so the
    old class would continue to call the old functions.
    """
    if _settings(old) != _settings(new) or old.__struct_encode_fields__ != new.__struct_encode_fields__:
        return None
    if any("__post_init__" in namespace_of(base) for base in mro_of(new)):
        return None
    before, after = old.__struct_defaults__, new.__struct_defaults__
    factories = [getattr(one, "factory", None) for one in (*before, *after)]
    if len(before) != len(after) or any(inspect.isfunction(factory) for factory in factories):
        return None
    fields = old.__struct_fields__, new.__struct_fields__
    made = zip(map(_comparable, before), map(_comparable, after), strict=True)
    return iter([fields, *made])


def _settings(cls: Any) -> dict[str, Any]:
    config = cls.__struct_config__
    return {name: getattr(config, name) for name in dir(config) if not name.startswith("_")}


def _no_initialiser(struct: Any) -> None:
    """Do nothing, in place of `__post_init__`."""


def _default(default: Any) -> Callable[[], Any] | None:
    if type(default).__name__ == "NoDefaultType":
        return None
    factory = getattr(default, "factory", None) if type(default).__name__ == "Factory" else None
    return (lambda: default) if factory is None else factory


def _comparable(default: Any) -> Any:
    return getattr(default, "factory", default) if type(default).__name__ == "Factory" else default
