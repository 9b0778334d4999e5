"""Validation errors of TOML files: the key path of each wrong value, and a sentence that says what is wrong.

msgspec decides whether data is valid; for invalid data, this module finds the key path and writes the sentence.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from typing import Any

from msgspec import inspect

from node_runtime.protocol.clip import clip
from node_runtime.releases.files.names import PATTERN_DESCRIPTIONS

from .toml_positions import TomlPath

MAX_SHOWN_CHARACTERS = 60
"""The most characters of a wrong value that a message shows, including the ellipsis, if any."""


def find_errors(kind: inspect.Type, data: Any, key_path: TomlPath = ()) -> Iterator[tuple[TomlPath, str]]:
    """Yield a key path and a sentence without a full stop for each value in `data` that does not match `kind`."""
    match kind:
        case inspect.StructType() if isinstance(data, dict):
            yield from _struct(kind, data, key_path)
        case inspect.DictType() if isinstance(data, dict):
            for key, value in data.items():
                if not _matches(kind.key_type, key):
                    shown = clip(str(key), MAX_SHOWN_CHARACTERS)
                    yield (*key_path, key), f"the key `{shown}` must be {_expected(kind.key_type)}"
                yield from find_errors(kind.value_type, value, (*key_path, key))
        case inspect.ListType() | inspect.VarTupleType() if isinstance(data, list):
            for number, item in enumerate(data):
                yield from find_errors(kind.item_type, item, (*key_path, number))
        case inspect.UnionType() if isinstance(data, dict) and (struct := _struct_of(kind)):
            yield from find_errors(struct, data, key_path)
        case _ if not _matches(kind, data):
            expected = f"{_expected(kind)}{_upper_bound(kind, data)}"
            yield key_path, f"{_dotted(key_path)} must be {expected}, not {_shown(key_path, data)}"


def _struct(kind: inspect.StructType, data: dict[str, Any], key_path: TomlPath) -> Iterator[tuple[TomlPath, str]]:
    fields = {field.encode_name: field for field in kind.fields}
    for key in data:
        if key not in fields:
            close = difflib.get_close_matches(key[:MAX_SHOWN_CHARACTERS], fields, 1)
            remedy = f"did you mean `{close[0]}`?" if close else f"known keys: {', '.join(fields)}"
            yield (*key_path, key), f"unknown key `{clip(key, MAX_SHOWN_CHARACTERS)}`; {remedy}"
    for key, field in fields.items():
        if key in data:
            yield from find_errors(field.type, data[key], (*key_path, key))
        elif field.required:
            yield key_path, f"the key `{key}` is missing; it must be {_expected(field.type)}"


def _matches(kind: inspect.Type, data: Any) -> bool:
    """Return whether `data` itself matches `kind`. The items and fields of `data` are not checked."""
    matches = False
    match kind:
        case inspect.AnyType():
            matches = True
        case inspect.UnionType():
            matches = any(_matches(one, data) for one in kind.types)
        case inspect.LiteralType():
            matches = data in kind.values
        case inspect.StrType():
            matches = isinstance(data, str) and len(data) <= (kind.max_length or len(data))
            matches = matches and (kind.pattern is None or re.search(kind.pattern, data) is not None)
        case inspect.FloatType():
            matches = isinstance(data, int | float) and not isinstance(data, bool) and _within(kind, data)
        case inspect.IntType():
            matches = isinstance(data, int) and not isinstance(data, bool) and _within(kind, data)
        case inspect.StructType() | inspect.DictType():
            matches = isinstance(data, dict)
        case inspect.ListType() | inspect.VarTupleType():
            matches = isinstance(data, list)
    return matches


def _within(kind: inspect.FloatType | inspect.IntType, number: float) -> bool:
    """Return whether a number is within the bounds of `kind`; nan never is."""
    return (
        (kind.ge is None or number >= kind.ge)
        and (kind.gt is None or number > kind.gt)
        and (kind.le is None or number <= kind.le)
    )


def _expected(kind: inspect.Type) -> str:
    """Return a description of the values of `kind`, to follow "must be"."""
    words = "another value"
    match kind:
        case inspect.UnionType():
            words = " or ".join(_expected(one) for one in kind.types if not isinstance(one, inspect.NoneType))
        case inspect.LiteralType():
            words = " or ".join(f'"{value}"' for value in kind.values)
        case inspect.StrType():
            words = "a string" if kind.pattern is None else PATTERN_DESCRIPTIONS[kind.pattern]
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
            words = f"an array, each item {_expected(kind.item_type)}"
    return words


def _upper_bound(kind: inspect.Type, data: Any) -> str:
    """Return the upper bound as words if the number `data` exceeds the bound; else an empty string."""
    most = kind.le if isinstance(kind, inspect.FloatType) and isinstance(data, int | float) else None
    return "" if most is None or data <= most else f" and at most {most:,.0f}"


def _struct_of(kind: inspect.UnionType) -> inspect.StructType | None:
    return next((one for one in kind.types if isinstance(one, inspect.StructType)), None)


def _dotted(key_path: TomlPath) -> str:
    """Return the path in the form that messages use: `apps[1].start`."""
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key_path)
    return name.removeprefix(".") or "the file"


def _shown(key_path: TomlPath, data: Any) -> str:
    # Imported for a wrong value only: the process that reads a tarball starts in half the time without this package.
    from node_runtime.processes.redaction.named_secrets import REDACTED
    from node_runtime.processes.redaction.secret_names import is_secret_name
    from node_runtime.processes.redaction.text_redaction import redact

    if any(isinstance(part, str) and is_secret_name(part) for part in key_path):
        return REDACTED
    text = redact(json.dumps(data, default=str, ensure_ascii=False))
    return text if len(text) <= MAX_SHOWN_CHARACTERS else clip(text, MAX_SHOWN_CHARACTERS - 1)
