"""What is wrong with a file's data, and what was expected in its place, in the words of somebody who edits TOML.

msgspec decides whether data is right; when it isn't, this finds the place and the words.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from typing import Any

from msgspec import inspect

from node_runtime.behaviours.show.describe import REDACTED, SECRET

from .names import EXPECTED
from .toml_positions import Place

SHOWN = 60
"""So many characters of a wrong value are shown."""


def mistakes(kind: inspect.Type, data: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Where `data` is no `kind`, and the sentence for it without its full stop."""
    match kind:
        case inspect.StructType() if isinstance(data, dict):
            yield from _struct(kind, data, place)
        case inspect.DictType() if isinstance(data, dict):
            for key, value in data.items():
                if not fits(kind.key_type, key):
                    yield (*place, key), f"the key `{key}` must be {wanted(kind.key_type)}"
                yield from mistakes(kind.value_type, value, (*place, key))
        case inspect.ListType() | inspect.VarTupleType() if isinstance(data, list):
            for number, item in enumerate(data):
                yield from mistakes(kind.item_type, item, (*place, number))
        case inspect.UnionType() if isinstance(data, dict) and (struct := _struct_of(kind)):
            yield from mistakes(struct, data, place)
        case _ if not fits(kind, data):
            yield place, f"{_called(place)} must be {wanted(kind)}{_limit(kind, data)}, not {_shown(place, data)}"


def _struct(kind: inspect.StructType, data: dict[str, Any], place: Place) -> Iterator[tuple[Place, str]]:
    fields = {field.encode_name: field for field in kind.fields}
    for key in data:
        if key not in fields:
            close = difflib.get_close_matches(key, fields, 1)
            remedy = f"did you mean `{close[0]}`?" if close else f"there may be {', '.join(fields)}"
            yield (*place, key), f"there is no such key as `{key}`; {remedy}"
    for key, field in fields.items():
        if key in data:
            yield from mistakes(field.type, data[key], (*place, key))
        elif field.required:
            yield place, f"the key `{key}` is missing; it must be {wanted(field.type)}"


def fits(kind: inspect.Type, data: Any) -> bool:
    """Whether `data` is a `kind`, its parts aside."""
    fit = False
    match kind:
        case inspect.AnyType():
            fit = True
        case inspect.UnionType():
            fit = any(fits(one, data) for one in kind.types)
        case inspect.LiteralType():
            fit = data in kind.values
        case inspect.StrType():
            fit = isinstance(data, str) and (kind.pattern is None or re.search(kind.pattern, data) is not None)
        case inspect.FloatType():
            fit = isinstance(data, int | float) and not isinstance(data, bool) and _within(kind, data)
        case inspect.IntType():
            fit = isinstance(data, int) and not isinstance(data, bool) and _within(kind, data)
        case inspect.StructType() | inspect.DictType():
            fit = isinstance(data, dict)
        case inspect.ListType() | inspect.VarTupleType():
            fit = isinstance(data, list)
    return fit


def _within(kind: inspect.FloatType | inspect.IntType, number: float) -> bool:
    """Whether a number keeps to its bounds; nan keeps to none."""
    return (
        (kind.ge is None or number >= kind.ge)
        and (kind.gt is None or number > kind.gt)
        and (kind.le is None or number <= kind.le)
    )


def wanted(kind: inspect.Type) -> str:
    """What a `kind` is, in words that follow "it must be"."""
    words = "another value"
    match kind:
        case inspect.UnionType():
            words = " or ".join(wanted(one) for one in kind.types if not isinstance(one, inspect.NoneType))
        case inspect.LiteralType():
            words = " or ".join(f'"{value}"' for value in kind.values)
        case inspect.StrType():
            words = "a text" if kind.pattern is None else EXPECTED[kind.pattern]
        case inspect.FloatType() | inspect.IntType():
            words = "a number" if isinstance(kind, inspect.FloatType) else "a whole number"
            words = words if kind.ge is None else f"{words} of at least {kind.ge:g}"
            words = words if kind.gt is None else f"{words} above {kind.gt:g}"
        case inspect.StructType():
            keys = [field.encode_name for field in kind.fields if field.required]
            words = f"a table with {' and '.join(keys)}" if keys else "a table"
        case inspect.DictType():
            words = "a table"
        case inspect.ListType() | inspect.VarTupleType():
            words = f"an array, each item {wanted(kind.item_type)}"
    return words


def _limit(kind: inspect.Type, data: Any) -> str:
    """The most that a number may be, for one that is more, or none at all."""
    most = kind.le if isinstance(kind, inspect.FloatType) and isinstance(data, int | float) else None
    return "" if most is None or data <= most else f" and of at most {most:,.0f}"


def _struct_of(kind: inspect.UnionType) -> inspect.StructType | None:
    return next((one for one in kind.types if isinstance(one, inspect.StructType)), None)


def _called(place: Place) -> str:
    """`apps[1].start`, from the keys and numbers that lead there."""
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return name.removeprefix(".") or "the file"


def _shown(place: Place, data: Any) -> str:
    if any(isinstance(part, str) and SECRET.search(part) for part in place):
        return REDACTED
    text = json.dumps(data, default=str, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
