"""Makes the parser h11 refuse lines that another server may read differently.

By itself, h11 accepts a line feed without a carriage return as the end of a line, a header that continues in the next
line, and chunk headers with spaces or control characters. A front server may take each of these for something else.
"""

from __future__ import annotations

import re
from typing import Any, Final

import h11
from h11._receivebuffer import ReceiveBuffer

from .request_target import is_origin_form, origin_form

_LOOSE_LINE: Final = re.compile(rb"(?<!\r)\n|\n[ \t]")
"""A line feed alone, or the beginning of a continued line."""
_CHUNK_HEADER: Final = re.compile(  # an atomic group: before Python 3.11.5, a possessive one keeps a part of a match
    rb"[0-9A-Fa-f]{1,16}+(?:;(?>(?:[\t !#-~\x80-\xff]|\"[^\"\x00-\x08\x0a-\x1f]*+\")*))?\r\n"
)
_REQUEST_LINE: Final = re.compile(rb"([^ ]++) ([^ ]++) (HTTP/[0-9.]++)")
_MAX_LINE_END: Final = 3
"""The maximum number of earlier characters that may belong to a line end in a new piece of data."""


class StrictBuffer(ReceiveBuffer):
    """The bytes that h11 has received. It raises LocalProtocolError, which h11 reports as an error of the client."""

    def maybe_extract_lines(self) -> list[bytearray] | None:
        """Return the lines of a head or of trailers; None if they are incomplete."""
        end = self._data.find(b"\r\n\r\n", max(0, self._multiple_lines_search - _MAX_LINE_END))
        loose = _LOOSE_LINE.search(
            self._data,
            max(0, self._multiple_lines_search - _MAX_LINE_END),
            len(self._data) if end < 0 else end,
        )
        if loose is not None and not self._data.startswith(b"\r\n"):
            raise h11.LocalProtocolError("a line without its end, or a continued line")
        lines = super().maybe_extract_lines()
        if lines and (found := _REQUEST_LINE.fullmatch(lines[0])) is not None and not is_origin_form(found[2]):
            hosts = [bytes(line.partition(b":")[2]) for line in lines[1:] if line[:5].lower() == b"host:"]
            try:
                lines[0] = bytearray(b"%b %b %b" % (found[1], origin_form(found[1], found[2], hosts), found[3]))
            except ValueError as error:
                raise h11.LocalProtocolError(str(error)) from None
        return lines

    def maybe_extract_next_line(self) -> bytearray | None:
        """Return the header of a chunk; None if it is incomplete."""
        line = super().maybe_extract_next_line()
        if line is not None and _CHUNK_HEADER.fullmatch(line) is None:
            raise h11.LocalProtocolError("the header of a chunk is not valid")
        return line


def refuse_loose_lines(connection: Any) -> None:
    """Make an `h11.Connection` strict. To be called before it has received anything."""
    connection._receive_buffer = StrictBuffer()
