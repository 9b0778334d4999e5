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
_OWNER_AND_GROUP: Final = b"0000000\0" * 2
_TIME: Final = b"%011o\0" % 0
_TYPE_OFFSET: Final = 156
_REST: Final = (bytes(_NAME_BYTES) + _MAGIC).ljust(BLOCK_BYTES - _TYPE_OFFSET - 1, b"\0")
"""The fields after the type: no target of a link, the format, and no names of owner and group."""
_SUM_OF_REST: Final = sum(_REST) + sum(b" " * 8)
"""The part of the checksum that is the same for all headers. The checksum itself counts as eight blanks."""
_SIZE_FIELD: Final = slice(124, 136)


def member_header(path: str, size: int, mode: int) -> bytes:
    """Return the blocks that precede the content of a file in the archive."""
    name = path.encode("ascii", "replace")
    header = _header_block(name[:_NAME_BYTES], size, mode, FILE_TYPE)
    if path.isascii() and len(name) <= _NAME_BYTES:
        return header
    record = _pax_record(path)
    return _header_block(_PAX_NAME, len(record), 0, PAX_TYPE) + record + padding(len(record)) + header


def header_bytes(path: str) -> int:
    """Return the number of bytes of `member_header` for a file at `path`."""
    if path.isascii() and len(path) <= _NAME_BYTES:
        return BLOCK_BYTES
    return len(member_header(path, 0, 0))


def padding(size: int) -> bytes:
    """Return the zeros after a file of `size` bytes, which fill its last block."""
    return bytes(-size % BLOCK_BYTES)


def archive_end(size: int) -> bytes:
    """Return the zeros that end an archive. `size` is the total size of its members, with headers and padding."""
    return bytes(2 * BLOCK_BYTES + -(size + 2 * BLOCK_BYTES) % RECORD_BYTES)


def header_type(block: bytes) -> bytes:
    """Return the type of the member that a header block begins, such as `FILE_TYPE`. The type may be one that is not
    allowed.
    """
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
    numbers = b"".join((b"%07o\0" % mode, _OWNER_AND_GROUP, b"%011o\0" % size, _TIME))
    checksum = sum(name) + sum(numbers) + sum(kind) + _SUM_OF_REST
    return b"%b%b%06o\0 %b%b" % (name.ljust(_NAME_BYTES, b"\0"), numbers, checksum, kind, _REST)


def _pax_record(path: str) -> bytes:
    """Return the record `<length> path=<path>`. The length includes its own digits."""
    rest = b" path=" + path.encode() + b"\n"
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest
