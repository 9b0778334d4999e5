"""Random and changed messages of the control protocol: valid ones of each type, and what can go wrong with them."""

from __future__ import annotations

import random
import typing
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from node_runtime.protocol import messages as m
from node_runtime.protocol.methods import METHODS
from node_runtime.protocol.wire import pack

TYPES: Final[tuple[type[msgspec.Struct], ...]] = tuple(
    kind
    for kind in (getattr(m, name) for name in m.__all__)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
)
"""Every struct that travels between a node and its clients."""
NUMBERS: Final = (0, 1, -1, 2, 127, 128, 255, 65535, 2**31, 2**53, 2**63 - 1, -(2**63), 2**64 - 1)
TEXTS: Final = ("", "a", "1.0", "tiny@127.0.0.1", "\0", "\n\x1b[2J", "\u202e", "../../etc", "é", "a" * 300)
DEEP: Final = 5
"""Levels of nested values in a random struct."""
ODD: Final = (
    b"\xc1",
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xc7\xff\x01",
    b"\xd6\xff\0\0\0\0",
    b"\x91" * 2000,
    b"\x81\xa1a" * 2000,
    b"\xca\x7f\xc0\0\0",
    b"\xcb\x7f\xf0\0\0\0\0\0\0",
    b"\xa2\xff\xfe",
)
"""Pieces of MessagePack that a decoder has to be careful with."""


def random_struct(rng: random.Random, kind: type[msgspec.Struct], depth: int = 0) -> msgspec.Struct:
    """A valid value of a message's type."""
    hints = typing.get_type_hints(kind)
    fields = {
        one.name: random_value(rng, hints[one.name], depth + 1)
        for one in msgspec.structs.fields(kind)
        if one.required or rng.random() < 0.5
    }
    try:
        return kind(**fields)
    except (TypeError, ValueError):
        return m.Empty()


def random_value(rng: random.Random, kind: Any, depth: int) -> Any:
    """A value of a field's type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return rng.choice(arguments)
    if origin is tuple:
        return random_items(rng, arguments, depth)
    if arguments:  # a union, or a type with a limit
        return random_value(rng, arguments[0] if origin is typing.Annotated else rng.choice(arguments), depth)
    if issubclass(kind, msgspec.Struct):
        return random_struct(rng, kind, depth)
    simple: dict[Any, Callable[[], Any]] = {
        int: lambda: rng.choice(NUMBERS[:-1]),
        float: lambda: rng.choice([0.0, -1.5, 1e300, 3600.0]),
        bool: lambda: rng.random() < 0.5,
        str: lambda: rng.choice(TEXTS),
        bytes: lambda: rng.randbytes(rng.randrange(20)),
    }
    return simple[kind]() if kind in simple else None


def random_items(rng: random.Random, kinds: tuple[Any, ...], depth: int) -> tuple[Any, ...]:
    """A tuple: of any number of values of one type, or of one value of each."""
    if kinds[-1] is not Ellipsis:
        return tuple(random_value(rng, one, depth + 1) for one in kinds)
    return tuple(random_value(rng, kinds[0], depth + 1) for _ in range(rng.randrange(3) if depth < DEEP else 0))


def random_request(rng: random.Random, avoid: frozenset[str] = frozenset()) -> bytes:
    """A valid request of a random method, with valid parameters or those of another method."""
    method = rng.choice([one for one in METHODS if one.name not in avoid])
    kind = method.params if rng.random() < 0.9 else rng.choice(METHODS).params
    return pack(m.Request(id=rng.choice(NUMBERS[:-1]), method=method.name, params=pack(random_struct(rng, kind))))


def changed(rng: random.Random, data: bytes) -> bytes:
    """The message with one to four changes."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        data = rng.choice(CHANGES)(rng, data)
    return data


def flip_bit(rng: random.Random, data: bytes) -> bytes:
    place = rng.randrange(len(data)) if data else 0
    return data[:place] + bytes(byte ^ 1 << rng.randrange(8) for byte in data[place : place + 1]) + data[place + 1 :]


def cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def insert_odd(rng: random.Random, data: bytes) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice(ODD) + data[place + rng.choice((0, 1, 4)) :]


def repeat_part(rng: random.Random, data: bytes) -> bytes:
    start, length = rng.randrange(len(data) + 1), rng.randrange(1, 30)
    return data[:start] + data[start : start + length] * rng.randrange(2, 5) + data[start + length :]


def delete_part(rng: random.Random, data: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + data[start + rng.randrange(1, 10) :]


def change_field(rng: random.Random, data: bytes) -> bytes:
    """Decode the message, and replace, remove or add a field somewhere in it."""
    try:
        value = msgspec.msgpack.decode(data)
        changed_value = _with_other_field(rng, value)
        return msgspec.msgpack.encode(changed_value)
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError):
        return flip_bit(rng, data)


def _with_other_field(rng: random.Random, value: Any) -> Any:
    if isinstance(value, list) and value:
        place = rng.randrange(len(value))
        return [*value[:place], _with_other_field(rng, value[place]), *value[place + 1 :]]
    if not isinstance(value, dict) or not value:
        return rng.choice((None, True, -1, 2**64 - 1, 1.5, float("nan"), "text", b"bytes", [], {}, [[]], {"a": {}}))
    key = rng.choice(list(value))
    match rng.randrange(4):
        case 0:
            return {name: one for name, one in value.items() if name != key}
        case 1:
            return {**value, rng.choice(("evil", "role", "", "__class__", 1)): 1}
        case _:
            return {**value, key: _with_other_field(rng, value[key])}


CHANGES: Final = (flip_bit, cut, insert_odd, repeat_part, delete_part, change_field, change_field)


def packed_messages(rng: random.Random, number: int) -> Iterator[tuple[type[msgspec.Struct], bytes]]:
    """Messages of all types, one in ten of them unchanged; and some for the decoder of another type."""
    pool = [(kind, pack(random_struct(rng, kind))) for kind in TYPES for _ in range(20)]
    pool += [(m.Request, random_request(rng)) for _ in range(1000)]
    for count in range(number):
        if count % 1000 == 0:
            place = rng.randrange(len(pool))
            pool[place] = pool[place][0], pack(random_struct(rng, pool[place][0]))
        kind, data = rng.choice(pool)
        wanted = kind if rng.random() < 0.9 else rng.choice(TYPES)
        yield wanted, data if rng.random() < 0.1 else changed(rng, data)
