"""The declared fields of dataclasses, attrs classes, named tuples, pydantic models and msgspec structs.

attrs and pydantic are recognised by the attributes that they set on a class; they are never imported.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from node_runtime.behaviours.show.raw_reads import field_names, mro_of, namespace_of

from .structs import is_struct, struct_fields

NO_DEFAULT: Final = object()


class RecordField(msgspec.Struct, frozen=True):
    """A field of a class. `default(instance)` makes the field's default; None if the field has no default.

    `annotation` is the declared type, as text or as an object; `inspect.Parameter.empty` if there is none. `runs_code`
    is true if the default may run code of the class's author.
    """

    name: str
    default: Callable[[Any], Any] | None
    annotation: Any = inspect.Parameter.empty
    runs_code: bool = False


def record_fields(cls: type) -> dict[str, RecordField] | None:
    """Return the fields of a class by name, in their order; None if the class declares none."""
    if is_pydantic_model(cls):
        return {name: _pydantic_field(name, field) for name, field in pydantic_fields(cls).items()}
    if is_struct(cls):
        return {name: _struct_field(name, default, kind) for name, default, kind in struct_fields(cls)}
    if (found := _inherited(cls, "__attrs_attrs__")) is not None and "attr" in sys.modules:
        return {field.name: _attrs_field(field) for field in found}
    if isinstance(found := _inherited(cls, "__dataclass_fields__"), dict):
        return {
            name: _dataclass_field(field)
            for name, field in found.items()
            if field._field_type is dataclasses._FIELD and not _is_computed(cls, name)  # type: ignore[attr-defined]
        }
    if issubclass(cls, tuple) and isinstance(_inherited(cls, "_fields"), tuple):
        return {str(name): _tuple_field(cls, str(name)) for name in field_names(cls)}
    return None


def default_factories(cls: type) -> dict[str, Any]:
    """Return the functions that make the defaults of the fields that a class itself declares, by field."""
    if is_pydantic_model(cls):
        made = {name: field.default_factory for name, field in pydantic_fields(cls).items()}
    elif is_struct(cls):
        made = {name: default for name, default, _ in struct_fields(cls)}
    elif "__attrs_attrs__" in namespace_of(cls):
        attributes: Any = namespace_of(cls)["__attrs_attrs__"]
        made = {field.name: getattr(field.default, "factory", None) for field in attributes}
    else:
        fields: Any = namespace_of(cls).get("__dataclass_fields__", {})
        made = {name: field.default_factory for name, field in fields.items()}
    return {name: factory for name, factory in made.items() if callable(factory)}


def is_pydantic_model(cls: type) -> bool:
    """Return whether a class is a model of pydantic 2."""
    return (
        "pydantic" in sys.modules
        and _inherited(cls, "__pydantic_validator__") is not None
        and _inherited(cls, "__dataclass_fields__") is None
        and issubclass(cls, sys.modules["pydantic"].BaseModel)
    )


def pydantic_fields(cls: Any) -> Mapping[str, Any]:
    """Return pydantic's own descriptions of a model's fields."""
    fields: Mapping[str, Any] = cls.__pydantic_fields__ if hasattr(cls, "__pydantic_fields__") else cls.model_fields
    return fields


def is_cached(cls: type, name: str) -> bool:
    """Return whether an attribute is a `functools.cached_property`. A load makes its cached result outdated."""
    found = class_attribute(cls, name)
    return isinstance(found, functools.cached_property) or type(found).__name__ == "cached_property"


def class_attribute(cls: type, name: str) -> Any:
    """Return the attribute of a class or its bases, without calling a descriptor; NO_DEFAULT if there is none."""
    return next((found[name] for found in map(namespace_of, mro_of(cls)) if name in found), NO_DEFAULT)


def _is_computed(cls: type, name: str) -> bool:
    """Return whether a descriptor of the application stores the field under another name."""
    found = class_attribute(cls, name)
    return hasattr(type(found), "__set__") and not isinstance(found, types.MemberDescriptorType)


def _inherited(cls: type, name: str) -> Any:
    found = class_attribute(cls, name)
    return None if found is NO_DEFAULT else found


def _dataclass_field(field: dataclasses.Field[Any]) -> RecordField:
    default: Callable[[Any], Any] | None = None
    runs_code = False
    if field.default is not dataclasses.MISSING:
        default = _constant(field.default)
    elif field.default_factory is not dataclasses.MISSING:
        default, runs_code = _without_instance(field.default_factory), not _is_builtin(field.default_factory)
    return RecordField(field.name, default, field.type, runs_code)


def _attrs_field(field: Any) -> RecordField:
    attr: Any = sys.modules["attr"]
    default: Callable[[Any], Any] | None = _constant(field.default)
    if field.default is attr.NOTHING:
        default = None
    elif isinstance(field.default, attr.Factory):
        factory = field.default
        default = factory.factory if factory.takes_self else _without_instance(factory.factory)
    annotation = inspect.Parameter.empty if field.type is None else field.type
    return RecordField(field.name, default, annotation, isinstance(field.default, attr.Factory))


def _tuple_field(cls: Any, name: str) -> RecordField:
    defaults = cls._field_defaults
    annotations = inspect.get_annotations(cls)
    default = _constant(defaults[name]) if name in defaults else None
    return RecordField(name, default, annotations.get(name, inspect.Parameter.empty))


def _pydantic_field(name: str, field: Any) -> RecordField:
    def default(instance: Any) -> Any:
        if getattr(field, "default_factory_takes_validated_data", False):
            return field.get_default(call_default_factory=True, validated_data=dict(vars(instance)))
        return field.get_default(call_default_factory=True)

    runs_code = field.default_factory is not None and not _is_builtin(field.default_factory)
    return RecordField(name, None if field.is_required() else default, runs_code=runs_code)


def _struct_field(name: str, default: Callable[[], Any] | None, annotation: Any) -> RecordField:
    known = default is None or _is_builtin(default)
    return RecordField(name, None if default is None else _without_instance(default), annotation, not known)


def _is_builtin(factory: Callable[..., Any]) -> bool:
    return isinstance(factory, type) and factory.__module__ == "builtins"


def _constant(value: Any) -> Callable[[Any], Any]:
    return lambda instance: value


def _without_instance(factory: Callable[[], Any]) -> Callable[[Any], Any]:
    return lambda instance: factory()
