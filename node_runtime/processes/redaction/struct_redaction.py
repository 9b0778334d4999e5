"""Redacts and escapes all texts of a wire struct. Used for structs whose texts come from many functions."""

from __future__ import annotations

from typing import Any, TypeVar

from msgspec import structs

from node_runtime.protocol.messages import Term, WireStruct

from .text_redaction import shown

S = TypeVar("S", bound=WireStruct)


def redact_struct(struct: S) -> S:
    """Return the struct with all of its texts redacted and escaped, except in Terms, which are already redacted."""
    changes = {}
    for name in struct.__struct_fields__:
        before = getattr(struct, name)
        after = _redacted(before)
        if after is not before:
            changes[name] = after
    return structs.replace(struct, **changes) if changes else struct


def _redacted(value: Any) -> Any:
    """Return `value` with its texts redacted; if nothing changes, return the same object."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, tuple):
        parts = tuple(_redacted(part) for part in value)
        return value if all(new is old for new, old in zip(parts, value, strict=True)) else parts
    if isinstance(value, WireStruct) and not isinstance(value, Term):
        return redact_struct(value)
    return value
