"""The tabs of a dashboard on several nodes, and the line that shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .styled_text import Line, Tone, span, width_of

TAB_GAP: Final = " "
"""The characters between two tabs, each of which also has a blank on both sides."""


@dataclass(frozen=True, slots=True)
class NodeTab:
    """The tab of one node. `words` are about its release, or say that the node can't be reached."""

    name: str
    words: str = "…"
    tone: Tone = "muted"


def tab_parts(tabs: tuple[NodeTab, ...], width: int) -> list[Line]:
    """Return the name and the words of each tab. If they don't fit into `width` cells, leave out the words.

    If the names don't fit either, leave out their hosts.
    """
    named: list[Line] = [(span(tab.name),) for tab in tabs]
    full: list[Line] = [(*name, *_words(tab)) for name, tab in zip(named, tabs, strict=True)]
    for parts in (full, named):
        if sum(width_of(part) + len(TAB_GAP) + 2 for part in parts) <= width:
            return parts
    return [(span(tab.name.partition("@")[0]),) for tab in tabs]


def _words(tab: NodeTab) -> Line:
    return (span("  "), span(tab.words, tab.tone)) if tab.words else ()
