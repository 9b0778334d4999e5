r"""Escapes characters that act on a terminal or hide something. Nodes and their clients use this module.

These characters are control characters (C0, DEL, C1), characters that change the writing direction, characters without
a width, line and paragraph separators, single surrogates, and characters that Unicode has not assigned.
"""

from __future__ import annotations

import codecs
import io
import re
from typing import Final, TextIO

_SUSPECT: Final = re.compile(r"[^\n\x20-\x7e]")
_HANDLER: Final = "hotdash.escape"
"""The name of the error handler that is registered with the module `codecs`."""


def escape(text: str) -> str:
    """Return `text` with every unprintable character written as an escape sequence of a string literal."""
    if str.isprintable(text):
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def escape_json(text: str) -> str:
    r"""Return a JSON text in which every unprintable character, except line feeds, is written as `\uXXXX`.

    The result decodes to the same value, because JSON has no other unprintable characters than line feeds outside of
    strings.
    """
    return _SUSPECT.sub(lambda found: _as_json(found[0]), text)


def escape_unencodable(*streams: TextIO | None) -> None:
    r"""Make streams write `\uXXXX` for a character that their encoding lacks, instead of raising UnicodeEncodeError.

    In JSON, the escape sequence means the same character.
    """
    codecs.register_error(_HANDLER, _replace_unencodable)
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):  # None if the descriptor was closed when Python started
            stream.reconfigure(errors=_HANDLER)


def _replace_unencodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_escape_for_json, error.object[error.start : error.end])), error.end


def _as_json(character: str) -> str:
    return character if character.isprintable() else _escape_for_json(character)


def _escape_for_json(character: str) -> str:
    code = ord(character)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
