"""Pairs the fields of two versions of an attrs class, a pydantic model or a struct, so that they can be compared.

The libraries derive many attributes of a class from its fields. Only the fields are compared, not the derived
attributes. The libraries are recognised by the attributes that they set on a class, and never imported.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from . import structs

_MODEL_METACLASS = "pydantic._internal._model_construction"
_DERIVED_BY_PYDANTIC = frozenset({"__signature__", "__class_vars__", "__private_attributes__"})
_GENERATED_BY_ATTRS = "<attrs generated"
_COMPARED_WITH_ATTRS = (
    "name", "default", "repr", "eq", "eq_key", "order", "order_key", "hash", "init", "type", "kw_only", "inherited",
    "alias",
)  # fmt: skip
_NONE_WITH_ATTRS = ("validator", "converter", "on_setattr")


def is_pydantic_model(cls: type) -> bool:
    """Return whether a class is a complete model of pydantic 2, and not one of pydantic's own base classes."""
    return type(cls).__module__ == _MODEL_METACLASS and bool(vars(cls).get("__pydantic_complete__"))


def is_attrs_class(cls: type) -> bool:
    """Return whether attrs has made the class."""
    return "__attrs_attrs__" in vars(cls) and "attr" in sys.modules


def is_derived(cls: type, name: str, value: object) -> bool:
    """Return whether the library has derived an attribute of the class from its fields."""
    if is_pydantic_model(cls):
        return name.startswith("__pydantic_") or name in _DERIVED_BY_PYDANTIC
    if not is_attrs_class(cls):
        return False
    if name.startswith("__attrs_"):
        return True
    code = value.__code__ if isinstance(value, FunctionType) else None
    return code is not None and (
        code.co_filename.startswith(_GENERATED_BY_ATTRS) or value.__globals__["__name__"] == "attr._make"  # type: ignore[attr-defined]
    )


def taken_attributes(cls: type) -> dict[str, Any]:
    """Return the attributes of the new class `cls` that a reused class takes, because the library derives them.

    The attributes may refer to the namespace of their version, so the reused class must not keep its own.
    """
    if is_pydantic_model(cls):
        return {"__signature__": vars(cls)["__signature__"]} if "__signature__" in vars(cls) else {}
    return {name: value for name, value in vars(cls).items() if is_derived(cls, name, value)}


def declared_parts(old: type, new: type) -> Iterator[tuple[Any, Any]] | None:
    """Return the parts that both classes declare, such as defaults of fields, as pairs for the caller to compare.

    Each pair has a part of `old` and the same part of `new`. Classes that no supported library has made give no pairs.
    Return None if the declarations differ in a way that no pair shows, or can't be compared.
    """
    if is_pydantic_model(old) and is_pydantic_model(new):
        return _parts_of_models(old, new)
    if structs.is_struct(old) and structs.is_struct(new):
        return structs.declared_parts(old, new)
    if is_attrs_class(old) and is_attrs_class(new):
        return _parts_of_attrs(vars(old)["__attrs_attrs__"], vars(new)["__attrs_attrs__"])
    return iter(())


def _parts_of_models(old: Any, new: Any) -> Iterator[tuple[Any, Any]] | None:
    """Return pairs of the annotations and defaults of two pydantic models, for the caller to compare.

    Return None if the models differ otherwise, or have functions of their own, such as validators.
    """
    fields = old.__pydantic_fields__, new.__pydantic_fields__
    private = old.__private_attributes__, new.__private_attributes__
    if any(any(_decorated(one.__pydantic_decorators__)) for one in (old, new)):
        return None
    if old.__pydantic_generic_metadata__ != new.__pydantic_generic_metadata__:
        return None
    if repr(fields[0]) != repr(fields[1]) or repr(private[0]) != repr(private[1]):
        return None
    described = [*fields[1].values(), *private[1].values()]
    if any(isinstance(one.default_factory, FunctionType) for one in described):
        return None
    pairs = [(fields[0][name], fields[1][name]) for name in fields[0]]
    pairs += [(private[0][name], private[1][name]) for name in private[0]]
    declared = [(getattr(was, "annotation", None), getattr(now, "annotation", None)) for was, now in pairs]
    declared += [(was.default, now.default) for was, now in pairs]
    return iter(declared)


def _decorated(decorators: Any) -> Iterator[Any]:
    """Yield, for each kind of decorated function (such as validators), a mapping of the functions by name."""
    return (getattr(decorators, field.name) for field in dataclasses.fields(decorators))


def _parts_of_attrs(old: Any, new: Any) -> Iterator[tuple[Any, Any]] | None:
    if len(old) != len(new):
        return None
    if any(getattr(one, name, None) is not None for one in (*old, *new) for name in _NONE_WITH_ATTRS):
        return None
    return (
        pair
        for was, now in zip(old, new, strict=True)
        for name in _COMPARED_WITH_ATTRS
        for pair in _pairs_of_attribute(getattr(was, name, None), getattr(now, name, None))
    )


def _pairs_of_attribute(old: Any, new: Any) -> list[tuple[Any, Any]]:
    attr: Any = sys.modules["attr"]
    if isinstance(old, attr.Factory) and isinstance(new, attr.Factory):
        return [(old.factory, new.factory), (old.takes_self, new.takes_self)]
    return [(old, new)]
