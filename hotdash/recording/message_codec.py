"""Converts messages of the node link to records, and back. Only the classes in `hotdash.messages` can be decoded."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any, cast, get_type_hints

import msgspec
from textual.message import Message

from hotdash import messages

from .file_format import Record


class UnknownRecord(Exception):
    """Raised for a record that is not a valid message: the file is damaged, or another version has written it."""


@cache
def _message_classes() -> dict[str, type[Message]]:
    return {
        name: value
        for name, value in vars(messages).items()
        if isinstance(value, type)
        and issubclass(value, Message)
        and hasattr(value, "__dataclass_fields__")
        and value is not messages.Replayed
    }


@cache
def _fields_type(name: str) -> type[msgspec.Struct]:
    """Return a struct with the fields of a message class; it packs and checks the fields of a record."""
    kind = _message_classes()[name]
    hints = get_type_hints(kind)
    return msgspec.defstruct(
        f"{kind.__name__}Fields", [(field.name, hints[field.name]) for field in dataclasses.fields(cast(Any, kind))]
    )


def encode(message: Message, at: float) -> Record | None:
    """Return the message as a record; None for a message that the node link does not post."""
    kind = type(message)
    if _message_classes().get(kind.__name__) is not kind:
        return None
    fields = _fields_type(kind.__name__)
    values = {name: getattr(message, name) for name in fields.__struct_fields__}
    return Record(kind.__name__, at, msgspec.Raw(msgspec.msgpack.encode(fields(**values))))


def decode(record: Record) -> Message:
    """Return the message of a record. Raises UnknownRecord."""
    kind = _message_classes().get(record.kind)
    if kind is None:
        raise UnknownRecord(f"there is no message {record.kind!r}")
    fields = _fields_type(kind.__name__)
    try:
        values: Any = msgspec.msgpack.decode(record.body, type=fields)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnknownRecord(str(error)) from None
    return kind(**{name: getattr(values, name) for name in fields.__struct_fields__})


def as_builtins(record: Record) -> dict[str, object]:
    """Return a record as builtins for JSON. Raises UnknownRecord."""
    message = decode(record)
    fields = _fields_type(record.kind).__struct_fields__
    values = {name: msgspec.to_builtins(getattr(message, name)) for name in fields}
    return {"kind": record.kind, "at": record.at, **values}
