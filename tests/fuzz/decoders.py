"""Feeds changed messages to the decoders of the control protocol, in this process."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from node_runtime.protocol import messages as m
from node_runtime.protocol.methods import METHODS
from node_runtime.protocol.wire import MalformedMessage, pack, unpack

from .campaign import Campaign, WronglyAccepted
from .messages import packed_messages

PARAMS = {method.name: method.params for method in METHODS}


def decode(message: tuple[type[msgspec.Struct], bytes]) -> None:
    """Decode a message; raises WronglyAccepted if the value is not exactly what the bytes say."""
    kind, data = message
    try:
        value = unpack(data, kind)
    except MalformedMessage:
        return
    check_accepted(kind, value, data)
    if isinstance(value, m.Request) and value.method in PARAMS:
        decode((PARAMS[value.method], value.params))


def check_accepted(kind: type[msgspec.Struct], value: msgspec.Struct, data: bytes) -> None:
    """Compare a decoded value with the bytes: the same again after packing, and no field that the type doesn't have."""
    if comparable(unpack(pack(value), kind)) != comparable(value):
        raise WronglyAccepted(f"{kind.__name__} is another one after packing")
    plain = msgspec.msgpack.decode(data)
    unknown = set(plain) - {one.encode_name for one in msgspec.structs.fields(kind)}
    if unknown:
        raise WronglyAccepted(f"{kind.__name__} has the unknown fields {unknown}")


def comparable(value: Any) -> str:
    """A text that is equal for equal values, also for those with numbers that are not equal to themselves."""
    return repr(value)


def fuzz_decoders(number: int, seed: int) -> Campaign:
    """The result for `number` messages."""
    campaign = Campaign("messages, decoded in process")
    campaign.feed(packed_messages(random.Random(seed), number), number, decode)
    return campaign
