"""Tells whether a class declares that its instances don't change."""

from __future__ import annotations

from typing import Any

from node_runtime.behaviours.show.raw_reads import namespace_of

from .record_fields import class_attribute, is_pydantic_model
from .structs import is_struct


def is_frozen(cls: Any) -> bool:
    """Return whether a class is a frozen dataclass, attrs class, pydantic model or msgspec struct."""
    own = namespace_of(cls)
    if getattr(own.get("__dataclass_params__"), "frozen", False):
        return True
    if "__attrs_attrs__" in own:
        return getattr(class_attribute(cls, "__setattr__"), "__name__", "") == "_frozen_setattrs"
    if is_struct(cls):
        return bool(cls.__struct_config__.frozen)
    return is_pydantic_model(cls) and bool(cls.model_config.get("frozen"))
