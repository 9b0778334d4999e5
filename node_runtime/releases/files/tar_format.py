"""The form of tar archive that a release's tarball has: the build writes it, and a node reads no other form.

A member is a plain file. Its header follows from its path, size and mode: owner, group and time are zero. A path that
is not ASCII or is longer than 100 characters is in a pax header before the member's header. The archive ends with at
least 1,024 zero bytes, up to a multiple of 10,240 bytes. Therefore equal files give equal archives. A reader doesn't
interpret a header: it computes the expected header and compares it with the header in the archive.
"""

from __future__ import annotations

from typing import Final

BLOCK_BYTES: Final = 512
"""Headers and contents fill whole blocks of this size."""
RECORD_BYTES: Final = 20 * BLOCK_BYTES
"""The size of an archive is a multiple of this."""
FILE_TYPE: Final = b"0"
PAX_TYPE: Final = b"x"
_NAME_BYTES: Final = 100
_PAX_NAME: Final = b"././@PaxHeader"
_MAGIC: Final = b"ustar\x0000"
_TYPE_OFFSET: Final = 156
_SIZE_FIELD: Final = slice(124, 136)


def member_header(path: str, size: int, mode: int) -> bytes:
    """Return the blocks that precede the content of a file in the archive."""
    name = path.encode("ascii", "replace")
    header = _header_block(name[:_NAME_BYTES], size, mode, FILE_TYPE)
    if path.isascii() and len(name) <= _NAME_BYTES:
        return header
    record = _pax_record(path)
    return _header_block(_PAX_NAME, len(record), 0, PAX_TYPE) + record + padding(len(record)) + header


def padding(size: int) -> bytes:
    """Return the zeros after a file of `size` bytes, which fill its last block."""
    return bytes(-size % BLOCK_BYTES)


def archive_end(size: int) -> bytes:
    """Return the zeros that end an archive. `size` is the total size of its members, with headers and padding."""
    return bytes(2 * BLOCK_BYTES + -(size + 2 * BLOCK_BYTES) % RECORD_BYTES)


def header_type(block: bytes) -> bytes:
    """Return the type of the member that a header block begins: `FILE_TYPE`, `PAX_TYPE`, or one that is not allowed."""
    return block[_TYPE_OFFSET : _TYPE_OFFSET + 1]


def header_name(block: bytes) -> str | None:
    """Return the name in a header block; None if it is not ASCII. The rest of the block is not checked here."""
    name = block[:_NAME_BYTES].rstrip(b"\0")
    return name.decode() if name.isascii() else None


def header_size(block: bytes) -> int | None:
    """Return the size in a header block; None if it is not eleven octal digits and a zero byte."""
    digits, end = block[_SIZE_FIELD][:-1], block[_SIZE_FIELD][-1:]
    return int(digits, 8) if end == b"\0" and not digits.strip(b"01234567") else None


def pax_path(record: bytes) -> str | None:
    """Return the path in the content of a pax header; None unless the content is exactly one path."""
    try:
        path = record.partition(b"=")[2][:-1].decode()
    except UnicodeDecodeError:
        return None
    return path if _pax_record(path) == record else None


def _header_block(name: bytes, size: int, mode: int, kind: bytes) -> bytes:
    fields = (
        name.ljust(_NAME_BYTES, b"\0"),
        b"%07o\0" % mode,
        b"0000000\0" * 2,  # owner and group
        b"%011o\0" % size,
        b"%011o\0" % 0,  # time of the last change
        b" " * 8,  # the checksum field has blanks while the checksum is computed
        kind + bytes(_NAME_BYTES) + _MAGIC,
    )
    block = b"".join(fields).ljust(BLOCK_BYTES, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _pax_record(path: str) -> bytes:
    """Return the record `<length> path=<path>`. The length includes its own digits."""
    rest = b" path=" + path.encode() + b"\n"
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest
