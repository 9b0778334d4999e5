r"""Escapes characters that act on a terminal or hide something. The node and its clients both use it.

Such characters are the control characters (C0, DEL, C1), those that change the direction of writing, those without a
width, the separators of lines and paragraphs, single surrogates, and all that Unicode has not assigned.
"""

from __future__ import annotations

import re
from typing import Final

_SUSPECT: Final = re.compile(r"[^\n\x20-\x7e]")


def escape(text: str) -> str:
    """Return `text` with every character that is not printable written as in a string literal."""
    if str.isprintable(text):
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def escape_json(text: str) -> str:
    r"""Return a JSON text with every character that is not printable written as `\uXXXX`, except line feeds.

    The result decodes to the same value, because JSON has no unprintable characters except line feeds outside of
    strings.
    """
    return _SUSPECT.sub(lambda found: _as_json(found[0]), text)


def _as_json(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
