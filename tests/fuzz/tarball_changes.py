"""Changed tarballs: of the gzip file, of the archive and its headers, of the manifest, and of the TOML files."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from typing import Any, Final

from tests.support.hostile_tarballs import GROUPS, GoodRelease
from tests.support.hostile_tarballs.raw_tar import BLOCK, FIELDS, Member, archive, compressed

from .messages import TEXTS, flip_bit

CHEAP: Final = ("fields of headers", "names of members", "links, devices and sparse files", "order and truncation")
"""The groups of the corpus that are changed further; the others have large or slow tarballs."""
VALUES: Final[tuple[Any, ...]] = (
    None, True, 0, -1, 1, 2**63, 1.5, float("inf"), "", "..", "/", "0" * 64, [], {}, [[]], {"a": 1}, *TEXTS,
)  # fmt: skip
FIELD_VALUES: Final = (b"", b"\0", b" ", b"7" * 11, b"-1", b"\x80" + b"\xff" * 11, b"\xff" * 12, b"../x", b"x" * 100)
TOML_PARTS: Final = (
    "=", "[", "]", "{", "}", '"', "'", "\n", ".", ",", "#", '"""', "[[up]]\n", "9" * 30, "inf", "nan", "1979-05-27",
    "true", "\\u0000", "\x00", "\x1b", "\u202e", "é", "from = '*'\n", "from = '>=1,<2'\n", "{ regex = 'a' }", "0x",
)  # fmt: skip


def tarballs(rng: random.Random, good: GoodRelease, number: int) -> Iterator[bytes]:
    """Tarballs with one to three changes each."""
    members, whole = good.members(), good.tarball()
    plain = gzip.decompress(whole)
    files = Member(b"", archive(members[1:], end=b""))
    corpus = [case for group in CHEAP for case in GROUPS[group]]
    for _ in range(number):
        match rng.choices(("file", "archive", "header", "manifest", "toml", "corpus"), (15, 20, 20, 25, 15, 5))[0]:
            case "file":
                yield bytes_changed(rng, whole)
            case "archive":
                yield packed(rng, blocks_changed(rng, plain))
            case "header":
                yield packed(rng, archive(header_changed(rng, members)))
            case "manifest":
                manifest = good.member(good.manifest_path, manifest_changed(rng, good))
                yield packed(rng, archive([manifest, files]))
            case "toml":
                yield packed(rng, archive(toml_changed(rng, good, members)))
            case _:
                yield bytes_changed(rng, rng.choice(corpus).build(good))


def packed(rng: random.Random, data: bytes) -> bytes:
    """The gzip file; most of them are not compressed, because that takes longer than to read them."""
    return compressed(data, 1 if rng.random() < 0.1 else 0)


def bytes_changed(rng: random.Random, data: bytes) -> bytes:
    """A flipped bit, a cut, or bytes inserted, doubled or deleted."""
    place, length = rng.randrange(len(data) + 1), rng.randrange(1, 100)
    match rng.randrange(5):
        case 0 | 1:
            return flip_bit(rng, data)
        case 2:
            return data[:place]
        case 3:
            return data[:place] + rng.randbytes(length) + data[place:]
        case _:
            return data[:place] + data[place + length :]


def blocks_changed(rng: random.Random, data: bytes) -> bytes:
    """A block of the archive deleted, doubled, zeroed, moved, or with one bit changed."""
    count = len(data) // BLOCK
    start, other = (rng.randrange(count) * BLOCK for _ in range(2))
    block = data[start : start + BLOCK]
    match rng.randrange(6):
        case 0:
            return data[:start] + data[start + BLOCK :]
        case 1:
            return data[:start] + block + data[start:]
        case 2:
            return data[:start] + bytes(BLOCK) + data[start + BLOCK :]
        case 3:
            return data[:other] + block + data[other:]
        case 4:
            return data[:start] + flip_bit(rng, block) + data[start + BLOCK :]
        case _:
            return data + rng.choice((bytes(BLOCK), rng.randbytes(BLOCK), block))


def header_changed(rng: random.Random, members: list[Member]) -> list[Member]:
    """One field of one member's header is another one; or the members change places."""
    place = rng.randrange(len(members))
    if rng.random() < 0.1:
        return rng.sample(members, len(members) - rng.randrange(2))
    name = rng.choice(tuple(FIELDS))
    start, end = FIELDS[name]
    value = rng.choice(FIELD_VALUES) if rng.random() < 0.5 else flip_bit(rng, members[place].field(name))
    return [*members[:place], members[place].with_field(name, value[: end - start]), *members[place + 1 :]]


def manifest_changed(rng: random.Random, good: GoodRelease) -> bytes:
    """One value somewhere in the manifest is another one, is missing, or is there in addition; or its bytes change."""
    if rng.random() < 0.3:
        return bytes_changed(rng, json.dumps(good.manifest, sort_keys=True).encode())
    return json.dumps(value_changed(rng, good.manifest), sort_keys=True).encode()


def value_changed(rng: random.Random, value: Any) -> Any:
    """The data with one change at a random depth."""
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = rng.randrange(len(value))
        return [*value[:place], value_changed(rng, value[place]), *value[place + 1 :]]
    if not isinstance(value, dict) or not value or rng.random() < 0.05:
        return text_changed(rng, value) if isinstance(value, str) and rng.random() < 0.5 else rng.choice(VALUES)
    key = rng.choice(list(value))
    match rng.randrange(8):
        case 0:
            return {name: one for name, one in value.items() if name != key}
        case 1:
            return {**value, rng.choice(TEXTS): value[key]}
        case 2:
            return {text_changed(rng, name) if name == key else name: one for name, one in value.items()}
        case _:
            return {**value, key: value_changed(rng, value[key])}


def text_changed(rng: random.Random, text: str) -> str:
    """The text with a part inserted, or without a character."""
    place = rng.randrange(len(text) + 1)
    return text[:place] + rng.choice((*TEXTS, "/", "..", "\\", "A")) + text[place + rng.randrange(2) :]


def toml_changed(rng: random.Random, good: GoodRelease, members: list[Member]) -> list[Member]:
    """One of the TOML files is another one; the manifest has its hash."""
    path = rng.choice(sorted(good.toml_files.values()))
    text = good.files[path].decode()
    for _ in range(rng.randrange(1, 4)):
        place = rng.randrange(len(text) + 1)
        text = text[:place] + rng.choice(TOML_PARTS) * rng.choice((1, 1, 1, 60)) + text[place + rng.randrange(3) :]
    data = text.encode("utf-8", "surrogateescape")
    changed = good.with_file(path, data)
    manifest = good.member(good.manifest_path, json.dumps(changed.manifest, sort_keys=True).encode())
    files = zip(good.files, members[1:], strict=True)
    return [manifest, *(good.member(path, data) if one == path else member for one, member in files)]
