"""Scrolling text in a small widget."""

from __future__ import annotations

from textual.app import App, ComposeResult

from hotdash.model.styled_text import line
from hotdash.widgets.text_lines import ScrollingLines
from tests.support.waiting import eventually


class TextApp(App[None]):
    """An application with nothing but a text."""

    def compose(self) -> ComposeResult:
        yield ScrollingLines()


def rows(app: App[None]) -> list[str]:
    return [strip.text for strip in app.screen._compositor.render_strips()]


async def test_a_text_that_is_not_laid_out_yet_is_not_folded_into_a_few_cells() -> None:
    app = TextApp()
    async with app.run_test(size=(40, 6)) as pilot:
        text = app.query_one(ScrollingLines)
        text.remove()
        hidden = ScrollingLines()
        hidden.display = False
        await app.mount(hidden)
        await pilot.pause()
        hidden.show([line("one text that fits into a line")])
        assert hidden.virtual_size.height == 0
        hidden.display = True
        await eventually(lambda: [row.rstrip() for row in rows(app)[:2]] == ["one text that fits into a line", ""])


async def test_lines_are_folded_beside_the_scrollbar_that_they_cause() -> None:
    full = "word " * 7 + "ends."  # as wide as the screen without a scrollbar
    app = TextApp()
    async with app.run_test(size=(40, 6)) as pilot:
        text = app.query_one(ScrollingLines)
        text.show([line(full)] * 3)
        await pilot.pause()
        assert [row.rstrip() for row in rows(app)[:3]] == [full] * 3
        text.show([line(full)] * 20)
        await pilot.pause()
        assert "…" not in "".join(rows(app))
        assert sum("ends." in row for row in rows(app)) == 3
        text.show([line(full)] * 3)
        await pilot.pause()
        assert [row.rstrip() for row in rows(app)[:3]] == [full] * 3
