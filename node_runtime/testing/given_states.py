"""Makes states of the old release from the objects and mappings that a test passes."""

from __future__ import annotations

import copy
import dataclasses
import enum
import sys
from collections import deque
from collections.abc import Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints, is_typeddict

from .plain_values import fields

MISSING = object()
_SEQUENCES = (list, deque, set, frozenset)


def moved(value: Any, hint: Any = Any, place: str = "") -> Any:
    """Copy a value that the test has made, and replace the test's classes by the node's classes of the same names.

    `hint` is the annotation of the value. If it is a class with fields, a mapping becomes an object of this class, and
    if it is an enum, a name becomes its member. `place` is the path of the value in the state, for messages. Raises
    LookupError for a class or a member that the node lacks, and ValueError for a value that does not fit its class or
    its annotation, or that can't be copied.
    """
    if get_origin(hint) in (Union, UnionType):
        return _first_that_fits(value, hint, place)
    if isinstance(value, enum.Enum):
        return _class(type(value))[value.name]
    if isinstance(hint, type) and issubclass(hint, enum.Enum) and isinstance(value, str) and value in hint.__members__:
        return hint[value]
    if type(value) is tuple or type(value) in _SEQUENCES:
        return _moved_items(value, hint, place)
    if isinstance(value, Mapping):
        return _moved_mapping(value, hint, place)
    return _moved_object(value, place)


def with_fields(value: Any, given: Mapping[str, Any]) -> Any:
    """Return a copy of a state in which the given fields, or the given keys of a dict, have other values.

    Raises ValueError for an unknown field.
    """
    if isinstance(value, dict):
        return {**value, **{key: moved(each, place=key) for key, each in given.items()}}
    made, hints = copy.copy(value), _hints(type(value))
    known = {*(fields(value) or {}), *(_defaults(type(value)))}
    for name, each in given.items():
        if name not in known:
            raise ValueError(f"{type(value).__qualname__} of the old release has no field {name}")
        object.__setattr__(made, name, moved(each, hints.get(name, Any), name))
    return made


def _first_that_fits(value: Any, union: Any, place: str) -> Any:
    """Make the value as the first possible type of a union. Raises ValueError if no type is possible."""
    failed: ValueError | None = None
    for hint in get_args(union):
        cls = get_origin(hint) or hint
        if isinstance(cls, type) and not isinstance(value, Mapping | cls) and not issubclass(cls, enum.Enum):
            continue
        try:
            return moved(value, hint, place)
        except ValueError as error:
            failed = failed or error
    if failed is not None:
        raise failed
    return moved(value, place=place)


def _moved_items(value: Any, hint: Any, place: str) -> Any:
    """Make a list, set, deque or tuple.

    If the annotation is a set, a list becomes a set, because the plain value of a set of objects is a list.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if type(value) is not tuple or Ellipsis in arguments:
        arguments = (arguments[0] if arguments else Any,) * len(value)
    elif len(arguments) != len(value):
        arguments = (Any,) * len(value)
    made = origin if type(value) is list and origin in _SEQUENCES else type(value)
    parts = enumerate(zip(value, arguments, strict=True))
    return made(moved(each, item, f"{place}[{number}]") for number, (each, item) in parts)


def _moved_mapping(value: Mapping[Any, Any], hint: Any, place: str) -> Any:
    cls = get_origin(hint) or hint
    if is_typeddict(hint):
        hints = _hints(hint)
        return {key: moved(each, hints.get(key, Any), f"{place}[{key!r}]") for key, each in value.items()}
    if not isinstance(cls, type) or issubclass(cls, Mapping) or isinstance(value, cls):
        key, item = get_args(hint) if len(get_args(hint)) == 2 else (Any, Any)
        pairs = {moved(name, key, place): moved(each, item, f"{place}[{name!r}]") for name, each in value.items()}
        return pairs if type(value) is dict else _copied(value, place)
    if dataclasses.is_dataclass(cls):
        return _filled(cls, value, {}, place)
    names = _constructor_fields(cls)
    if names is None:
        raise ValueError(
            f"{place} is a {type(value).__name__}, but the old release declares it as {cls.__qualname__}; pass a "
            f"{cls.__qualname__}"
        )
    hints = _hints(cls)
    for name in value.keys() - names:
        raise ValueError(_unknown_field(cls, name, place))
    try:
        return cls(**{name: moved(each, hints.get(name, Any), f"{place}.{name}") for name, each in value.items()})
    except TypeError as error:
        raise ValueError(f"{place} does not make a {cls.__qualname__} of the old release: {error}") from error


def _moved_object(value: Any, place: str) -> Any:
    found = fields(value)
    cls = type(value) if found is None else _class(type(value))
    if found is None or cls is type(value):
        return _copied(value, place)
    if hasattr(value, "_asdict"):
        return cls(**{name: moved(each, place=f"{place}.{name}".lstrip(".")) for name, each in found.items()})
    return _filled(cls, found, _defaults(type(value)), place)


def _copied(value: Any, place: str) -> Any:
    try:
        return copy.deepcopy(value)
    except Exception as error:
        cls = type(value)
        raise ValueError(
            f"{place or 'the state'} is a {cls.__module__}.{cls.__qualname__}, which can't be copied into the old "
            f"release ({error}); pass `state` as a mapping without this field: then the process keeps the value with "
            "which it has started"
        ) from error


def _filled(cls: type, found: Mapping[str, Any], defaults: Mapping[str, Any], place: str) -> Any:
    """Return an object of the node's class `cls` with the fields `found` of an object of the test's class.

    `defaults` are the defaults of the test's class. Raises ValueError for a missing field without a default. If only
    the test's class has a field, raises ValueError unless the field has its default.
    """
    made: Any = object.__new__(cls)
    known = _defaults(cls) if dataclasses.is_dataclass(cls) else dict.fromkeys(found, MISSING)
    hints = _hints(cls)
    for name, each in found.items():
        if name in known:
            object.__setattr__(made, name, moved(each, hints.get(name, Any), f"{place}.{name}".lstrip(".")))
        elif defaults.get(name, MISSING) != each:  # a new field with its default is not a part of the old state
            raise ValueError(_unknown_field(cls, name, place))
    for name in known.keys() - found.keys():
        if known[name] is MISSING:
            owner = place or "the given state"
            raise ValueError(f"{cls.__qualname__} of the old release has a field {name}, which {owner} lacks")
        object.__setattr__(made, name, known[name])
    return made


def _unknown_field(cls: type, name: str, place: str) -> str:
    return f"{cls.__qualname__} of the old release has no field {name}" + (f", which {place} has" if place else "")


def _hints(cls: type) -> dict[str, Any]:
    """Return the annotations of a class's fields; {} if an annotation has a name that can't be found at run time."""
    try:
        return get_type_hints(cls)
    except (NameError, TypeError, AttributeError):
        return {}


def _constructor_fields(cls: Any) -> set[str] | None:
    """Return the fields that the constructor of a named tuple, a msgspec.Struct or an attrs class takes, else None."""
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return set(cls._fields)
    if hasattr(cls, "__struct_fields__"):
        return set(cls.__struct_fields__)
    return {each.alias for each in cls.__attrs_attrs__} if hasattr(cls, "__attrs_attrs__") else None


def _defaults(cls: type) -> dict[str, Any]:
    """Return the fields of a dataclass with their defaults; a field without a default has MISSING."""
    made: dict[str, Any] = {}
    for field in dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ():
        if field.default_factory is not dataclasses.MISSING:
            made[field.name] = field.default_factory()
        else:
            made[field.name] = MISSING if field.default is dataclasses.MISSING else field.default
    return made


def _class(cls: type) -> Any:
    """Return the node's class that has the name of `cls`. Raises LookupError."""
    found: Any = sys.modules.get(cls.__module__)
    for name in cls.__qualname__.split("."):
        found = getattr(found, name, None)
    if not isinstance(found, type):
        raise LookupError(f"the old release has no class {cls.__module__}.{cls.__qualname__}")
    return found
