"""Scrolling text: a plan, a state, a difference, a log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.strip import Strip

from hotdash.model.styled_text import Line, wrap

from .painting import LineScrollView


class ScrollingLines(LineScrollView):
    """Scrolling text with folded lines. If `tail`, the text follows new lines while it is scrolled to its end.

    `hang` is the column of the continuation lines.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", show=False),
        Binding("k", "scroll_up", show=False),
        Binding("g", "scroll_home", show=False),
        Binding("G", "scroll_end", show=False),
        Binding("ctrl+d", "page_down", show=False),
        Binding("ctrl+u", "page_up", show=False),
    ]

    def __init__(
        self, *, tail: bool = False, hang: int | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._tail = tail
        self._hang = hang
        self._given: tuple[Line, ...] = ()
        self._folded: list[Line] = []

    def show(self, lines: Sequence[Line]) -> None:
        """Replace the lines; the scroll position stays."""
        given = tuple(lines)
        if given != self._given:
            self._given = given
            self._fold()

    def on_resize(self) -> None:
        self._fold()

    def _fold(self) -> None:
        at_end = self._tail and self.scroll_offset.y >= self.max_scroll_y
        width = max(self.scrollable_content_region.width, 8)
        self._folded = [part for line in self._given for part in wrap(line, width, self._hang)]
        self.virtual_size = Size(width, len(self._folded))
        if at_end:
            self.scroll_end(animate=False, immediate=True)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        index = y + self.scroll_offset.y
        line: Line = self._folded[index] if index < len(self._folded) else ()
        return self.strip(line, width, self.rich_style)
