"""An outline as a widget: its lines can be closed and opened, and a line can lead to the process that it names."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from hotdash.model.process.outline import Folding, OutlineNode, OutlineRow, Path, filtered, flatten, parents_of, walk
from hotdash.model.styled_text import wrap
from hotdash.moves import move_keys

from .table import Column, Row, Table


class Outline(Table):
    """The lines of an outline with a cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(move_keys("toggle_row"), "open_or_close", id="toggle_row", show=False),
        Binding(move_keys("close_row"), "close", id="close_row", show=False),
        Binding(move_keys("open_row"), "open", id="open_row", show=False),
        Binding(move_keys("open_all"), "open_all", id="open_all", show=False),
    ]

    class Jump(Message):
        """The operator has chosen a line that names the process with this pid."""

        def __init__(self, pid: int) -> None:
            super().__init__()
            self.pid = pid

    def __init__(self, title: str, *, id: str, empty: str) -> None:
        super().__init__((Column(title, min_width=10, max_width=20, grow=True),), id=id, empty=empty)
        self.nodes: tuple[OutlineNode, ...] = ()
        self.wanted = ""
        self.folding = Folding()
        self._nodes_by_path: dict[Hashable, OutlineNode] = {}

    def show_outline(self, nodes: Sequence[OutlineNode], wanted: str = "") -> None:
        """Draw these lines; with `wanted`, only lines with all its words, and the lines above and below them."""
        same = nodes is self.nodes or tuple(nodes) == self.nodes
        if same and wanted == self.wanted and self._nodes_by_path:
            return
        self.nodes, self.wanted = tuple(nodes), wanted
        self._draw()

    def _draw(self) -> None:
        rows = flatten(filtered(self.nodes, self.wanted), self.folding)
        shown = [(one, row.node) for row in rows for one in self._folded(row)]
        self._nodes_by_path = {one.key: node for one, node in shown}
        self.show([one for one, _node in shown], "Nothing matches." if self.wanted else None)
        if rows and not self.cursor_on_row:
            self.select(rows[0].node.path)

    def _folded(self, row: OutlineRow) -> list[Row]:
        """Return the rows of a line: one, or several for a line that folds and is longer than the outline is wide."""
        lines = wrap(row.line, self.scrollable_content_region.width - 2) if row.node.folds else [row.line]
        path: Hashable = row.node.path
        return [Row((path, number) if number else path, (one,)) for number, one in enumerate(lines)]

    def on_resize(self) -> None:  # Textual also calls that of the base class
        if self.nodes:
            self._draw()

    def forget(self) -> None:
        """Put the cursor on the first line, and forget what was opened and closed: another process is shown."""
        self.folding, self.key = Folding(), None
        self._nodes_by_path = {}
        self.scroll_home(animate=False)

    def reveal(self, path: Path) -> None:
        """Put the cursor on the line at `path`, and open the lines above it, so that it is shown."""
        for parent in parents_of(self.nodes, path):
            self.folding = self.folding.with_open(parent)
        self._draw()
        self.select(path)

    def matches(self, words: Sequence[str]) -> list[Path]:
        """Return the paths of all lines, including hidden ones, that contain these words, which are in lower case."""
        return [node.path for node in walk(self.nodes) if node.matches(words)]

    def action_open_or_close(self) -> None:
        """Open the line, or close it."""
        node = self._nodes_by_path.get(self.key)
        if node is not None and node.children:
            open_now = self.folding.shows_below(node)
            self._fold(self.folding.with_closed(node.path) if open_now else self.folding.with_open(node.path))

    def action_close(self) -> None:
        """Close the line; if nothing below it is shown, go to the line above it."""
        node = self._nodes_by_path.get(self.key)
        if node is None:
            return
        if node.children and self.folding.shows_below(node):
            self._fold(self.folding.with_closed(node.path))
        elif parents := parents_of(self.nodes, node.path):
            self.select(parents[-1])

    def action_open(self) -> None:
        """Open the line."""
        node = self._nodes_by_path.get(self.key)
        if node is not None and node.children:
            self._fold(self.folding.with_open(node.path))

    def action_open_all(self) -> None:
        """Open every line."""
        self._fold(Folding(opened=frozenset(node.path for node in walk(self.nodes) if node.children)))

    def _fold(self, folding: Folding) -> None:
        self.folding = folding
        self._draw()

    def action_choose(self) -> None:
        """Go to the process that the line names; if the line names none, open or close it."""
        node = self._nodes_by_path.get(self.key)
        if node is not None and node.jump is not None:
            self.post_message(self.Jump(node.jump))
        else:
            self.action_open_or_close()
