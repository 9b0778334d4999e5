"""Decompresses a gzip file in small pieces, and never produces more bytes than expected."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from node_runtime.releases.files.tarball_limits import INPUT_BLOCK_BYTES, OUTPUT_BLOCK_BYTES

_GZIP_FORMAT = 31
"""zlib's `wbits` for a gzip stream with a window of any size. zlib checks the CRC and the size at the stream's end."""


class CorruptTarball(Exception):
    """The tarball differs from what the build writes. The message is a clause about it, such as "it is cut off"."""


class Decompressed:
    """The bytes of a gzip file that has one member and nothing after it.

    `allowed` is the number of bytes that may still be decompressed; if the file has more, `CorruptTarball` is raised.
    """

    def __init__(self, file: BinaryIO, allowed: int) -> None:
        self._file = file
        self._inflate = zlib.decompressobj(_GZIP_FORMAT)
        self._buffer = memoryview(b"")
        self.allowed = allowed

    def read(self, size: int) -> bytes:
        """Return exactly `size` bytes. Raises `CorruptTarball` if the file has fewer."""
        if size <= len(self._buffer):
            data, self._buffer = bytes(self._buffer[:size]), self._buffer[size:]
            return data
        return b"".join(self.pieces(size))

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Yield exactly `size` bytes in pieces. Raises `CorruptTarball` if the file has fewer."""
        while size > 0:
            if not self._buffer:
                self._buffer = memoryview(self._more())
                if not self._buffer:
                    raise CorruptTarball("it is cut off")
            piece, self._buffer = self._buffer[:size], self._buffer[size:]
            size -= len(piece)
            yield piece

    def check_end(self) -> None:
        """Raise `CorruptTarball` if anything follows the bytes that were read."""
        if self._buffer or self._more():
            raise CorruptTarball("it has more bytes than the files in its manifest")
        if self._inflate.unused_data or self._file.read(1):
            raise CorruptTarball("something follows the end of its archive")

    def _more(self) -> bytes:
        """Return the next bytes, or b"" at the end of the gzip member.

        Raises `CorruptTarball` if the end is missing.
        """
        try:
            while not self._inflate.eof:
                packed = self._inflate.unconsumed_tail or self._file.read(INPUT_BLOCK_BYTES)
                data = self._inflate.decompress(packed, OUTPUT_BLOCK_BYTES)
                self.allowed -= len(data)
                if self.allowed < 0:
                    raise CorruptTarball("it has more bytes than the files in its manifest")
                if data:
                    return data
                if not packed and not self._inflate.eof:
                    raise CorruptTarball("it is cut off")
        except zlib.error as error:
            raise CorruptTarball(f"it can't be decompressed ({error})") from None
        return b""
