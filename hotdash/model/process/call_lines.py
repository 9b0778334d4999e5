"""Tracebacks and stacks as lines: the calls, outermost first, without the folders in which code is installed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from hotdash.model.styled_text import Line, Span, span

_INSTALLED: Final = re.compile(r"^/\S*/(?:src|site-packages|dist-packages|lib/python3\.\d+)/(?=\S+:\d+ )")
_CAUSES: Final = ("caused by ", "raised while handling ", "in the group: ")


def traceback_lines(trace: tuple[str, ...]) -> Iterator[Line]:
    """Yield a line for each call or cause of a traceback that a node reports."""
    for one in trace:
        yield (span(one, "bad"),) if one.startswith(_CAUSES) else (Span("  "), span(short_call(one)))


def short_call(call: str) -> str:
    """Return a call without the folder in which its application or library is installed."""
    return _INSTALLED.sub("", call)
