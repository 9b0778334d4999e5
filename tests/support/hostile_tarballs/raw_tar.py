"""Tar archives as bytes: each field of a header can have any value, also one that no tar program would write."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

BLOCK: Final = 512
RECORD: Final = 20 * BLOCK
"""The size of an archive is a multiple of this."""
END: Final = bytes(2 * BLOCK)
"""The least end of an archive."""
FIELDS: Final = {
    "name": (0, 100),
    "mode": (100, 108),
    "uid": (108, 116),
    "gid": (116, 124),
    "size": (124, 136),
    "mtime": (136, 148),
    "checksum": (148, 156),
    "typeflag": (156, 157),
    "linkname": (157, 257),
    "magic": (257, 263),
    "version": (263, 265),
    "uname": (265, 297),
    "gname": (297, 329),
    "devmajor": (329, 337),
    "devminor": (337, 345),
    "prefix": (345, 500),
    "unused": (500, 512),
}
"""The first and the last offset of each field of a ustar header."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an archive: the block of its header, and its content, which need not agree with the header."""

    header: bytes
    data: bytes = b""

    def field(self, name: str) -> bytes:
        """The value of a header's field, with its padding."""
        start, end = FIELDS[name]
        return self.header[start:end]

    def with_field(self, name: str, value: bytes) -> Member:
        """The member with another value in one field, and a checksum that is right for it."""
        start, end = FIELDS[name]
        assert len(value) <= end - start, name
        changed = self.header[:start] + value.ljust(end - start, b"\0") + self.header[end:]
        return Member(changed if name == "checksum" else sealed(changed), self.data)

    def named(self, name: bytes) -> Member:
        """The member with another name, which may be too long for the field: then it is cut."""
        return self.with_field("prefix", b"").with_field("name", name[:100])

    def containing(self, data: bytes) -> Member:
        """The member with another content, and the size of that content."""
        return replace(self, data=data).with_field("size", octal(len(data), 12))

    def encoded(self) -> bytes:
        """The header and the content, padded to whole blocks."""
        return self.header + self.data + bytes(-len(self.data) % BLOCK)


def sealed(header: bytes) -> bytes:
    """The header with the right checksum."""
    start, end = FIELDS["checksum"]
    total = sum(header[:start]) + 8 * ord(" ") + sum(header[end:])
    return header[:start] + b"%06o\0 " % total + header[end:]


def octal(number: int, width: int) -> bytes:
    """A number as most fields have it: octal digits and a NUL."""
    return b"%0*o\0" % (width - 1, number)


def base_256(number: int, width: int) -> bytes:
    """A number as GNU writes those that are too large for octal digits, or negative."""
    if number >= 0:
        return b"\x80" + number.to_bytes(width - 1, "big")
    return b"\xff" + (number + (1 << 8 * (width - 1))).to_bytes(width - 1, "big")


def pax_record(key: bytes, value: bytes) -> bytes:
    """A record of a PAX header: its length, a key and a value."""
    body = b" " + key + b"=" + value + b"\n"
    length = len(body) + len(str(len(body)))
    return str(length + (len(str(length)) + len(body) != length)).encode() + body


def archive(members: Iterable[Member], end: bytes | None = None) -> bytes:
    """The archive of these members, with zeros up to a whole record at its end unless `end` says otherwise."""
    data = b"".join(member.encoded() for member in members)
    return data + (END + bytes(-(len(data) + len(END)) % RECORD) if end is None else end)


def compressed(data: bytes, level: int = 1) -> bytes:
    """The data as a gzip file without time and name, as a build writes it."""
    return gzip.compress(data, level, mtime=0)


def compressed_with_zeros(head: bytes, zeros: int, tail: bytes = b"") -> bytes:
    """A gzip file of `head`, `zeros` zero bytes and `tail`. The zeros cost neither memory nor much time to write.

    Its checksum is right. `zeros` is a multiple of 1 MiB.
    """
    mebibyte = bytes(1 << 20)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    first = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    unit = packer.compress(mebibyte) + packer.flush(zlib.Z_FULL_FLUSH)
    last = packer.compress(tail) + packer.flush()
    checksum = zlib.crc32(head)
    for _ in range(zeros >> 20):
        checksum = zlib.crc32(mebibyte, checksum)
    checksum = zlib.crc32(tail, checksum)
    size = (len(head) + zeros + len(tail)) & 0xFFFFFFFF
    header = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    return header + first + unit * (zeros >> 20) + last + struct.pack("<II", checksum, size)
