"""Scrolling text: a plan, a state, a difference, a log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.strip import Strip

from hotdash.model.styled_text import Line, text_of, wrap
from hotdash.moves import move_keys

from .export import ExportedRows
from .painting import LineScrollView


class ScrollingLines(LineScrollView):
    """Scrolling text with folded lines. If `tail`, the text follows new lines while it is scrolled to its end.

    `hang` is the column of the continuation lines.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(move_keys("move_up"), "scroll_up", id="move_up", show=False),
        Binding(move_keys("move_down"), "scroll_down", id="move_down", show=False),
        Binding(move_keys("page_up"), "page_up", id="page_up", show=False),
        Binding(move_keys("page_down"), "page_down", id="page_down", show=False),
        Binding(move_keys("first"), "scroll_home", id="first", show=False),
        Binding(move_keys("last"), "scroll_end", id="last", show=False),
    ]

    def __init__(
        self, *, tail: bool = False, hang: int | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._tail = tail
        self.follows = tail
        """Whether the text is scrolled to its end, and stays there when lines are added."""
        self._hang = hang
        self._given: tuple[Line, ...] = ()
        self._folded: list[Line] = []
        self._starts: list[int] = []

    def show(self, lines: Sequence[Line]) -> None:
        """Replace the lines; the scroll position stays."""
        given = tuple(lines)
        if given != self._given:
            self._given = given
            self._fold()

    def exported(self) -> ExportedRows:
        rows = tuple((text_of(one),) for one in self._given)
        return ExportedRows(("line",), rows, len(rows))

    def on_resize(self) -> None:
        self._fold()

    def _fold(self) -> None:
        """Fold the lines; a text without a size is folded when it gets one."""
        if not self.size.width:
            return
        bar = self.styles.scrollbar_size_vertical
        width = self.scrollable_content_region.width + (bar if self.show_vertical_scrollbar else 0)
        parts = self._parts(max(width, 8))
        if len(parts) > self.scrollable_content_region.height:  # the scrollbar will take its column only after this
            width -= bar
            parts = self._parts(max(width, 8))
        self._folded = [part for _, part in parts]
        self._starts = [number for number, _ in parts]
        # Short texts all have the height of the widget: another height costs a new layout of the screen.
        self.virtual_size = Size(width, max(len(self._folded), self.scrollable_content_region.height))
        if self.follows:
            self.scroll_end(animate=False, immediate=True, force=True)  # the scrollbar is shown only after this
        self.refresh_changed()

    def _parts(self, width: int) -> list[tuple[int, Line]]:
        return [(number, part) for number, line in enumerate(self._given) for part in wrap(line, width, self._hang)]

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self._tail and self.size.height:
            self.follows = new_value >= self.max_scroll_y

    def top_line(self) -> int:
        """Return the index, among the lines that `show` got, of the line at the top of the screen."""
        return self._starts[min(int(self.scroll_offset.y), len(self._starts) - 1)] if self._starts else 0

    def go_to_line(self, number: int) -> None:
        """Scroll until line `number` of those that `show` got is at the top, or until the end of the text."""
        self.scroll_to(y=self._starts.index(number), animate=False, immediate=True)

    def shown_at(self, y: int) -> Line:
        index = y + self.scroll_offset.y
        return self._folded[index] if index < len(self._folded) else ()

    def draw_line(self, y: int) -> Strip:
        return self.strip(self.shown_at(y), self.scrollable_content_region.width, self.rich_style)
