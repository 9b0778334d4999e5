"""Reads classes and objects through the interpreter's own descriptors, so that no code of the classes runs."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeGuard

from node_runtime.protocol.escape import escape

OPAQUE: Final = "‹opaque›"
MAX_SHORT_TEXT: Final = 200

_MRO: Final = vars(type)["__mro__"]
_NAME: Final = vars(type)["__qualname__"]
_MODULE: Final = vars(type)["__module__"]
_NAMESPACE: Final = vars(type)["__dict__"]
"""These four descriptors read a class's own attributes without running code of its metaclass."""


def mro_of(cls: type) -> tuple[type, ...]:
    """Return the class and its bases, in the order in which attributes are looked up."""
    mro: tuple[type, ...] = _MRO.__get__(cls)
    return mro


def namespace_of(cls: type) -> Mapping[str, object]:
    """Return the attributes that the class itself defines."""
    namespace: Mapping[str, object] = _NAMESPACE.__get__(cls)
    return namespace


def module_of(cls: type) -> str | None:
    """Return the name of the class's module; None if the class has none."""
    module: object = _MODULE.__get__(cls)
    return module if type(module) is str else None


def package_of(cls: type) -> str:
    """Return the top-level package of the class's module; "" if the class has no module."""
    return (module_of(cls) or "").partition(".")[0]


def name_of(cls: type) -> str:
    """Return the qualified name of a class, without its module and not escaped."""
    name: str = _NAME.__get__(cls)
    return name


def type_name(cls: type) -> str:
    """Return the name of a class for display, prefixed with its module."""
    name = short_text(_NAME.__get__(cls))
    module = namespace_of(cls).get("__module__")
    return name if type(module) is not str or module == "builtins" else f"{short_text(module)}.{name}"


def slots_of(cls: type) -> list[tuple[str, Callable[[object], object]]]:
    """Return the slots of a class and of its bases, each with its getter."""
    return [
        (name, descriptor.__get__)
        for base in reversed(mro_of(cls))
        for name, descriptor in namespace_of(base).items()
        if type(descriptor) is types.MemberDescriptorType and type(name) is str and not name.startswith("__")
    ]


def declared_slots_of(cls: type) -> list[tuple[str, Callable[[object], object]]]:
    """Like `slots_of`, but the slots are in the order of their declarations; Python has sorted them by name."""
    places: dict[str, int] = {}
    for base in reversed(mro_of(cls)):
        declared = namespace_of(base).get("__slots__")
        prefix = f"_{name_of(base).rpartition('.')[2].lstrip('_')}"  # of private names
        for name in declared if type(declared) is tuple else ():
            if type(name) is str:
                private = name.startswith("__") and not name.endswith("__")
                places.setdefault(f"{prefix}{name}" if private else name, len(places))
    return sorted(slots_of(cls), key=lambda slot: places.get(slot[0], len(places)))


def dict_descriptor(cls: type) -> types.GetSetDescriptorType | types.MemberDescriptorType | None:
    """Return the descriptor of the instances' `__dict__`, even if the class defines an attribute `__dict__`."""
    for base in mro_of(cls):
        descriptor = namespace_of(base).get("__dict__")
        if type(descriptor) is types.GetSetDescriptorType or type(descriptor) is types.MemberDescriptorType:
            return descriptor
    return None


def raw_dict(value: object) -> dict[str, object]:
    """Return a copy of the instance's attributes."""
    descriptor = dict_descriptor(type(value))
    return {} if descriptor is None else copy_dict(descriptor, value)


def copy_dict(descriptor: types.GetSetDescriptorType | types.MemberDescriptorType, value: object) -> dict[str, object]:
    """Return a copy of the instance's attributes, read by the descriptor of its class."""
    return dict.copy(raw_attributes(descriptor, value))


def raw_attributes(
    descriptor: types.GetSetDescriptorType | types.MemberDescriptorType, value: object
) -> dict[Any, object]:
    """Return the instance's `__dict__` itself. Its class may be a subclass of dict."""
    try:
        found: dict[Any, object] = descriptor.__get__(value)
    except (AttributeError, TypeError):
        return {}
    return found if issubclass(type(found), dict) else {}


def field_names(cls: type) -> tuple[object, ...]:
    """Return the field names of a named tuple; () for any other class."""
    for base in mro_of(cls):
        names = namespace_of(base).get("_fields")
        if type(names) is tuple:
            return names
    return ()


def short_text(text: object) -> str:
    """Return at most `MAX_SHORT_TEXT` characters of a string, escaped; a placeholder for any other value."""
    return escape(str.__getitem__(text, slice(MAX_SHORT_TEXT))) if is_str(text) else OPAQUE


def is_str(text: object) -> TypeGuard[str]:
    """Return whether `text` is a str. isinstance() would read `__class__`, which may be a property."""
    return issubclass(type(text), str)
