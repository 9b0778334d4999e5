"""The lines that widgets draw anew: a key of the cursor must cost no more than what it changes on the screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from textual.app import App, ComposeResult
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from hotdash.model.styled_text import line
from hotdash.widgets.bars import StaticLines
from hotdash.widgets.table import Column, Row, Table
from hotdash.widgets.text_lines import ScrollingLines


@pytest.fixture(autouse=True)
def drawn_when_looked_at() -> None:
    """Unlike for the other tests of the dashboard, each change is drawn here."""


class WatchedTable(Table):
    """A table that records which of its visible lines it draws."""

    drawn: tuple[int, ...] = ()

    def draw_line(self, y: int) -> Strip:
        self.drawn = (*self.drawn, y)
        return super().draw_line(y)


class OneWidget(App[None]):
    """An application with one widget, which counts the layouts of its screen."""

    layouts = 0

    def __init__(self, *widgets: Widget) -> None:
        super().__init__()
        self._widgets = widgets

    def compose(self) -> ComposeResult:
        yield from self._widgets

    async def painted(self) -> None:
        """Return when all changes so far are drawn."""
        done = asyncio.Event()
        self.screen.call_after_refresh(done.set)
        await done.wait()

    async def settled(self, count: Callable[[], object]) -> None:
        """Return when all changes so far are drawn, and drawing them no longer changes `count()`."""
        before: object = None
        while before != (now := count()):
            before = now
            await self.painted()

    def count_layouts(self) -> None:
        self.screen.screen_layout_refresh_signal.subscribe(self, self._count)

    def _count(self, _screen: Screen[object]) -> None:
        self.layouts += 1


def table_rows(*changed: int) -> list[Row]:
    return [Row(number, (line(f"row {number}{' changed' * (number in changed)}"),)) for number in range(1000)]


async def test_a_cursor_key_draws_only_the_line_that_loses_and_the_line_that_gets_the_cursor() -> None:
    table = WatchedTable([Column("name")])
    app = OneWidget(table)
    async with app.run_test(size=(40, 12)) as pilot:
        table.show(table_rows())
        table.focus()
        await app.settled(lambda: table.drawn)
        table.drawn = ()
        await pilot.press("down")
        await app.painted()
        assert sorted(table.drawn) == [1, 2]


async def test_a_refresh_draws_only_the_lines_that_have_changed() -> None:
    table = WatchedTable([Column("name", min_width=20)])
    app = OneWidget(table)
    async with app.run_test(size=(40, 12)):
        table.show(table_rows())
        await app.settled(lambda: table.drawn)
        table.show(table_rows(5))  # beside the scrollbar, which has appeared
        await app.settled(lambda: table.drawn)
        table.drawn = ()
        table.show(table_rows(3, 700))
        await app.painted()
        assert sorted(table.drawn) == [4, 6]
        table.action_edge(1)
        await app.painted()
        assert set(table.drawn) == set(range(12))


async def test_other_texts_of_the_same_height_need_no_layout() -> None:
    app = OneWidget(few := StaticLines(), text := ScrollingLines())
    async with app.run_test(size=(40, 12)):
        few.show([line("one"), line("two")])
        text.show([line("state")])
        app.count_layouts()
        await app.settled(lambda: app.layouts)
        app.layouts = 0
        few.show([line("three"), line("four")])
        text.show([line("another"), line("state")])
        await app.painted()
        assert app.layouts == 0
        few.show([line("three")])
        await app.painted()
        assert app.layouts > 0
        assert few.size.height == 1
