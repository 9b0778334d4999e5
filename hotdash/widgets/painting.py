"""Drawing of styled lines: a colour for each tone (such as "warn"), and the base class of the scrolling widgets."""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar, get_args

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.geometry import Region
from textual.scroll_view import ScrollView
from textual.strip import Strip

from hotdash.model.styled_text import Line, Tone

from .export import ExportedRows

_STYLES: dict[Tone, str] = {
    "plain": "",
    "name": "$text-primary",
    "muted": "$foreground 72%",
    "ok": "$text-success",
    "warn": "$text-warning",
    "bad": "$text-error",
    "strong": "bold",
}


def content(*lines: Line) -> Content:
    """Return lines as Textual content, never parsed as markup."""
    return Content("\n").join(Content.assemble(*((span.text, _STYLES[span.tone]) for span in line)) for line in lines)


class LineScrollView(ScrollView, can_focus=True):
    """A scrolling widget that draws lines in the theme's colours, and only those that differ from what it drew last."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"tone--{tone}" for tone in get_args(Tone)}

    DEFAULT_CSS = """
    LineScrollView {
        background: transparent;
        color: $foreground;
        scrollbar-size-vertical: 1;
        overflow-x: hidden;
        & > .tone--name { color: $text-primary; }
        & > .tone--muted { color: $foreground 72%; }
        & > .tone--ok { color: $text-success; }
        & > .tone--warn { color: $text-warning; }
        & > .tone--bad { color: $text-error; }
        & > .tone--strong { text-style: bold; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._drawn: dict[int, Hashable] = {}

    def exported(self) -> ExportedRows:
        """Return the content for a file."""
        raise NotImplementedError

    def shown_at(self, y: int) -> Hashable:
        """Return what the visible line `y` shows now: lines with equal values look the same."""
        raise NotImplementedError

    def draw_line(self, y: int) -> Strip:
        """Draw the visible line `y`."""
        raise NotImplementedError

    def render_line(self, y: int) -> Strip:
        self._drawn[y] = self._look(y)
        return self.draw_line(y)

    def refresh_changed(self) -> None:
        """Draw the visible lines whose content has changed since they were last drawn."""
        changed = [y for y in range(self.size.height) if y not in self._drawn or self._drawn[y] != self._look(y)]
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    def _look(self, y: int) -> Hashable:
        return self.scrollable_content_region.width, self.shown_at(y)

    def paint(self, line: Line, width: int, background: Style) -> list[Segment]:
        """Return the line in exactly `width` cells on `background`; a longer line ends in an ellipsis."""
        segments: list[Segment] = []
        left = width
        for span in line:
            style = self._tone(span.tone) + Style(bgcolor=background.bgcolor)
            cells = cell_len(span.text)
            if cells > left:
                segments.append(Segment(set_cell_size(span.text, max(left - 1, 0)) + "…" * (left > 0), style))
                return segments
            segments.append(Segment(span.text, style))
            left -= cells
        segments.append(Segment(" " * left, background))
        return segments

    def strip(self, line: Line, width: int, background: Style) -> Strip:
        """Return the line as a strip for Textual."""
        return Strip(self.paint(line, width, background), width)

    def _tone(self, tone: Tone) -> Style:
        return self.get_component_rich_style(f"tone--{tone}")
