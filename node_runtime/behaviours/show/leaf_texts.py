"""Texts of values without parts: numbers, strings, times, functions, classes.

Event loops, timers, loggers, the runtime and its processes are shown without parts, too. Otherwise, a walk through them
would reach the whole node and the states of other processes.
"""

from __future__ import annotations

import asyncio
import datetime
import decimal
import enum
import logging
import math
import pathlib
import types
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from node_runtime.processes.pid import Pid, Ref
from node_runtime.processes.process import Process
from node_runtime.processes.redaction.text_redaction import MAX_SECRET_LENGTH, redact_beginning
from node_runtime.processes.runtime import Runtime

from .array_text import array_text, is_array_class
from .raw_reads import OPAQUE, raw_dict, short_text, type_name

ELLIPSIS: Final = "…"
MAX_DECIMAL_BYTES: Final = 4096
"""The size limit of a Decimal that is shown: making its text takes time and memory in proportion to its digits."""

LeafWriter: TypeAlias = Callable[[Any, int], str]
"""A function that returns the text of a value, cut to a number of characters."""


def leaf_writer(cls: type, *, redacts: bool) -> LeafWriter | None:
    """Return the function that makes the text of a class's values; None for a class whose values have parts.

    If `redacts` is true, the function redacts secrets in strings, bytes and paths.
    """
    # Hashing or comparing a class with another metaclass may run code of that metaclass.
    if type(cls) is type and (write := _EXACT.get(cls)) is not None:
        return _redacted_path if redacts and write is _path_text else write
    if issubclass(cls, enum.Enum):
        return _enum_text
    if redacts and is_array_class(cls):
        return array_text  # only for display: the text lacks the values, so a comparison can't use it
    if redacts and (redacting := next((write for base, write in _REDACTING if issubclass(cls, base)), None)):
        return redacting
    return next((write for base, write in _LEAVES if issubclass(cls, base)), None)


def _repr(value: Any, max_length: int) -> str:
    return repr(value)


def _str(value: Any, max_length: int) -> str:
    return str(value)


_TRUSTED_ZONES: Final = (type(None), datetime.timezone, zoneinfo.ZoneInfo)
_CODE_OBJECTS: Final = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.CoroutineType,
    types.GeneratorType,
    types.AsyncGeneratorType,
)


def int_text(value: int, max_length: int) -> str:
    """Return the digits of an integer, or the size of a very large one."""
    bits = int.bit_length(value)
    return int.__repr__(value) if bits < 1024 else f"‹{math.ceil(bits / 8)} bytes of int›"


def _str_text(value: str, max_length: int) -> str:
    return _cut_note(repr(str.__getitem__(value, slice(max_length))), str.__len__(value), max_length)


def _bytes_text(value: bytes, max_length: int) -> str:
    return _cut_note(repr(bytes.__getitem__(value, slice(max_length))), bytes.__len__(value), max_length)


def _bytearray_text(value: bytearray, max_length: int) -> str:
    shown = repr(bytes(bytearray.__getitem__(value, slice(max_length))))
    return _cut_note(shown, bytearray.__len__(value), max_length)


def _cut_note(shown: str, length: int, max_length: int) -> str:
    return shown + (f"{ELLIPSIS} ({length:,} in all)" if length > max_length else "")


def _redacted_str_text(value: str, max_length: int) -> str:
    length = str.__len__(value)
    text = redact_beginning(str.__getitem__(value, slice(max_length + MAX_SECRET_LENGTH)), max_length)
    return _cut_note(repr(text), length, max_length)


def _redacted_bytes_text(value: bytes, max_length: int) -> str:
    raw = bytes.__getitem__(value, slice(max_length + MAX_SECRET_LENGTH))
    return _redacted_bytes(raw, bytes.__len__(value), max_length)


def _redacted_bytearray_text(value: bytearray, max_length: int) -> str:
    raw = bytes(bytearray.__getitem__(value, slice(max_length + MAX_SECRET_LENGTH)))
    return _redacted_bytes(raw, bytearray.__len__(value), max_length)


def _redacted_bytes(raw: bytes, length: int, max_length: int) -> str:
    text = raw.decode("latin-1")
    redacted = redact_beginning(text, max_length)
    shown = repr(raw[:max_length]) if redacted == text[:max_length] else f"b{redacted!r}"
    return _cut_note(shown, length, max_length)


def _path_text(value: pathlib.PurePath, max_length: int) -> str:
    text = str(value)
    return _cut_note(text[:max_length], len(text), max_length)


def _redacted_path(value: pathlib.PurePath, max_length: int) -> str:
    text = str(value)
    return _cut_note(redact_beginning(text, max_length), len(text), max_length)


def _decimal_text(value: decimal.Decimal, max_length: int) -> str:
    size = decimal.Decimal.__sizeof__(value)
    return str(value) if size <= MAX_DECIMAL_BYTES else f"‹{size} bytes of Decimal›"


def _time_text(value: datetime.datetime | datetime.time, max_length: int) -> str:
    if type(value) is not datetime.datetime and type(value) is not datetime.time:
        return OPAQUE
    zone = type(value.tzinfo)
    if any(zone is known for known in _TRUSTED_ZONES):
        return value.isoformat()
    # isoformat() would call the zone's method for its offset, which is user code.
    return f"{value.replace(tzinfo=None).isoformat()} {type_name(zone)}"


def _type_text(value: type, max_length: int) -> str:
    return type_name(value)


def _method_text(value: types.MethodType, max_length: int) -> str:
    return _code_text(value.__func__, max_length)


def _code_text(value: Any, max_length: int) -> str:
    if not issubclass(type(value), _CODE_OBJECTS):
        return OPAQUE
    module = value.__module__ if issubclass(type(value), types.FunctionType) else None
    name = short_text(value.__qualname__)
    return f"{short_text(module)}:{name}" if type(module) is str else name


def _module_text(value: types.ModuleType, max_length: int) -> str:
    return short_text(raw_dict(value).get("__name__"))


def _enum_text(value: enum.Enum, max_length: int) -> str:
    return short_text(raw_dict(value).get("_name_", OPAQUE))


def _opaque_text(value: object, max_length: int) -> str:
    return OPAQUE


def _process_text(value: Process, max_length: int) -> str:
    return str(value.pid)


def _logger_text(value: logging.Logger, max_length: int) -> str:
    return short_text(raw_dict(value).get("name"))


_EXACT: Final[dict[type, LeafWriter]] = {
    type(None): _repr,
    bool: _repr,
    float: _repr,
    complex: _repr,
    decimal.Decimal: _decimal_text,
    datetime.date: _str,
    datetime.timedelta: _str,
    uuid.UUID: _str,
    pathlib.PosixPath: _path_text,
    pathlib.PurePosixPath: _path_text,
    Pid: _str,
    Ref: _repr,
}
_LEAVES: Final[tuple[tuple[type | tuple[type, ...], LeafWriter], ...]] = (
    (int, int_text),
    (str, _str_text),
    (bytes, _bytes_text),
    (bytearray, _bytearray_text),
    (type, _type_text),
    ((datetime.datetime, datetime.time), _time_text),
    (types.MethodType, _method_text),
    (_CODE_OBJECTS, _code_text),
    (types.ModuleType, _module_text),
    (Process, _process_text),
    (logging.Logger, _logger_text),
    ((asyncio.AbstractEventLoop, asyncio.Handle, Runtime), _opaque_text),
)
_REDACTING: Final[tuple[tuple[type, LeafWriter], ...]] = (
    (str, _redacted_str_text),
    (bytes, _redacted_bytes_text),
    (bytearray, _redacted_bytearray_text),
)
