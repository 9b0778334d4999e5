"""Writes a response whose body is complete: its head and its body at once, without coroutines.

uvicorn takes a response as two messages, and writes the head and the body one after the other. This module writes the
same bytes. A response that it doesn't know how to write is left to uvicorn.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

try:
    from uvicorn.protocols.http import httptools_impl
except ImportError:  # the release has no httptools
    httptools_impl = None  # type: ignore[assignment]

Header = tuple[bytes, bytes]

SENT_AT_ONCE: Final = Response.__call__
"""The method that sends a response whose whole body is known."""
LEFT_TO_UVICORN: Final = frozenset({b"connection", b"content-length", b"transfer-encoding"})
"""The headers that change how a response is sent. Only the length of the body itself is written here."""
MAX_LINES_KEPT: Final = 256

_content_types: Final[dict[Header, bytes]] = {}
"""The lines of the content types that were written until now; there are at most `MAX_LINES_KEPT`."""


class _DefaultLines:
    """The lines of the headers that uvicorn adds to all responses within one second; None if uvicorn must add them."""

    __slots__ = ("_headers", "_lines")

    def __init__(self) -> None:
        self._headers: list[Header] = []
        self._lines: bytes | None = b""

    def of(self, headers: list[Header]) -> bytes | None:
        if self._headers is not headers:
            lines = [_line(header) for header in headers]
            self._headers = headers
            self._lines = None if None in lines else b"".join(line for line in lines if line)
        return self._lines


_default_lines: Final = _DefaultLines()


def is_complete(response: object) -> bool:
    """Return whether a response needs nothing except that its head and its body are written."""
    return isinstance(response, Response) and type(response).__call__ is SENT_AT_ONCE and response.background is None


def write_whole(cycle: Any, response: Response) -> bool:
    """Write a complete response to a request, and return True; `cycle` is uvicorn's object for the request.

    Returns False, and does nothing, if uvicorn has to write the response.
    """
    if httptools_impl is None or type(cycle) is not httptools_impl.RequestResponseCycle:
        return False
    if (
        cycle.response_started
        or cycle.disconnected
        or cycle.waiting_for_100_continue
        or cycle.access_log
        or cycle.flow.write_paused
        or not cycle.keep_alive
        or cycle.scope["method"] == "HEAD"
    ):
        return False
    parts = _parts(cycle.default_headers, response)
    if parts is None:
        return False
    cycle.response_started = True
    cycle.transport.write(b"".join(parts))
    cycle.response_complete = True
    cycle.message_event.set()
    cycle.on_response()
    return True


def _parts(default_headers: list[Header], response: Response) -> list[bytes] | None:
    body, lines = response.body, _default_lines.of(default_headers)
    status = httptools_impl.STATUS_LINE.get(response.status_code)
    if status is None or lines is None or type(body) is not bytes:
        return None
    parts, has_length = [status, lines], False
    for header in response.raw_headers:
        line = _content_types.get(header)
        if line is None:
            name, value = header
            if name == b"content-length" and not has_length and value == b"%d" % len(body):
                has_length = True
                line = b"content-length: %b\r\n" % value
            else:
                line = _line(header)
        if line is None:
            return None
        parts.append(line)
    if not has_length:
        return None
    parts.append(b"\r\n")
    parts.append(body)
    return parts


def _line(header: Header) -> bytes | None:
    """Return the line of a header; None if only uvicorn can write it, or has to refuse it."""
    name, value = header
    if type(name) is not bytes or type(value) is not bytes:
        return None
    if httptools_impl.HEADER_RE.search(name) or httptools_impl.HEADER_VALUE_RE.search(value):
        return None
    lower = name.lower()
    if lower in LEFT_TO_UVICORN:
        return None
    line = b"%b: %b\r\n" % (lower, value)
    if name == b"content-type" and len(_content_types) < MAX_LINES_KEPT:
        _content_types[header] = line
    return line
