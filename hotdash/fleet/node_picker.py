"""The list of nodes from which the user chooses if `hotdash connect` gets no name."""

from __future__ import annotations

import time
from collections.abc import Hashable
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType

from hotdash.config.settings import Settings
from hotdash.model.releases.release_words import running_release
from hotdash.model.releases.worker_lines import workers_words
from hotdash.model.styled_text import Line, line, span
from hotdash.model.units import age, countdown
from hotdash.themes import THEMES, no_color, starting_theme
from hotdash.widgets.bars import StaticLines
from hotdash.widgets.table import Column, Row, Table

from .known_nodes import KnownNode, NodeReport, known_nodes
from .node_watch import NodeWatch

_COLUMNS = (
    Column("node", min_width=16, max_width=40, grow=True),
    Column("workers", max_width=12, drop_order=4, align_right=True),
    Column("release", max_width=24),
    Column("status", max_width=20),
    Column("health", max_width=10, drop_order=2),
    Column("restarts", drop_order=3, align_right=True),
    Column("last change", max_width=44, drop_order=1),
)


class NodePicker(App[tuple[KnownNode, ...]]):
    """The list of nodes. Its result is a tuple of the marked nodes or, if none is marked, of the chosen node.

    If the list is closed without a choice, the result is None. When the list changes, the cursor and the marks stay on
    their nodes.
    """

    TITLE = "hotdash"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,ctrl+q", "quit", show=False),
        Binding("w", "show_workers", show=False),
        Binding("space", "mark", show=False),
    ]
    CSS = """
    NodePicker { background: $background; }
    NodePicker Table { height: 1fr; }
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(ansi_color=True if no_color() else None)
        for theme in THEMES:
            self.register_theme(theme)
        self._settings = settings
        self._reports: dict[KnownNode, NodeReport] = {}
        self._watch = NodeWatch(self._list, self._receive)
        self._all_workers = False
        self._marked: list[KnownNode] = []
        self._known: list[KnownNode] = []

    def compose(self) -> ComposeResult:
        yield StaticLines(id="title")
        yield Table(_COLUMNS, id="nodes", empty="No node runs here: start one with `bin/<name> start`.")
        yield StaticLines(id="about")

    def on_mount(self) -> None:
        color_system = "truecolor" if self.is_headless else self.console.color_system
        self.theme = starting_theme(self._settings.theme, None, color_system)
        self.query_one("#title", StaticLines).show([line(span("Nodes", "strong"))])
        self.query_one(Table).focus()
        self._watch.start()

    async def on_unmount(self) -> None:
        await self._watch.close()

    def _list(self) -> list[KnownNode]:
        self._known = known_nodes(self._settings)
        self._show()
        return self._known

    def _receive(self, report: NodeReport) -> None:
        self._reports[report.node] = report
        self._show()

    def action_show_workers(self) -> None:
        """Switch between a list of all workers and a list of each node's worker 1, which leads the other workers."""
        self._all_workers = not self._all_workers
        self._show()

    def action_mark(self) -> None:
        """Mark the selected node, or unmark it. Enter opens all marked nodes."""
        key = self.query_one(Table).key
        if isinstance(key, KnownNode):
            if key in self._marked:
                self._marked.remove(key)
            else:
                self._marked.append(key)
            self._show()
            self.query_one(Table).action_move(1)

    def _show(self) -> None:
        shown = [node for node in self._known if self._all_workers or node.worker == 1]
        reports = [self._reports.get(node, NodeReport(node)) for node in shown]
        now = time.time()
        self.query_one(Table).show(
            [Row(report.node, node_cells(report, now, marked=report.node in self._marked)) for report in reports]
        )
        self._show_selected(self.query_one(Table).key)

    def _show_selected(self, key: Hashable) -> None:
        report = self._reports.get(key) if isinstance(key, KnownNode) else None
        several = any(node.worker > 1 for node in self._known)
        workers = (span("w", "name"), " only nodes  " if self._all_workers else " all workers  ") if several else ()
        opened = f" open the {len(self._marked)} marked  " if self._marked else " open  "
        mark = (span("space", "name"), " mark several  ") if len(self._known) > 1 else ()
        keys = line(span("enter", "name"), opened, *mark, *workers, span("esc", "name"), " quit")
        refused = [line(span(report.refused, "warn"))] if report is not None and report.refused else []
        self.query_one("#about", StaticLines).show([*refused, keys])

    def on_table_cursor_moved(self, message: Table.CursorMoved) -> None:
        """Show why the status of the selected node can't be requested."""
        self._show_selected(message.key)

    def on_table_row_chosen(self, message: Table.RowChosen) -> None:
        """Close the list; its result has the marked nodes, or the chosen node if none is marked."""
        if self._marked:
            self.exit(tuple(self._marked))
        elif isinstance(message.key, KnownNode):
            self.exit((message.key,))


def node_cells(report: NodeReport, now: float, *, marked: bool = False) -> tuple[Line, ...]:
    """Return the cells of a node's row."""
    name: Line = (*((span("● ", "warn"),) if marked else ()), span(report.node.name, "name"))
    if report.summary is None:
        words = span("can't be reached", "bad") if report.refused else span("…", "muted")
        return (name, (), (), (words,), (), (), ())
    info, vitals = report.summary.info, report.summary.vitals
    if info.development:
        name = (*name, span(" development", "warn"))
    running = running_release(report.summary.releases)
    status: Line = (span("permanent", "ok"),) if info.vsn == info.permanent else (span("current", "warn"),)
    if running is not None and running.probation_until is not None:
        status = (span(f"on probation {countdown(running.probation_until - vitals.at)}", "warn"),)
    health = running.health.verdict if running is not None and running.health is not None else ""
    change: Line = ()
    if report.change is not None:
        one = report.change
        done = one.outcome or one.phase
        change = (span(f"{one.to_vsn} {done} by {one.who}, {age(now - one.started)} ago", "muted"),)
    workers = workers_words(report.summary.workers)
    if report.node.worker > 1:
        workers = (span(f"worker {report.node.worker}", "muted"),)
    return (
        name,
        workers,
        (span(f"{info.release} {info.vsn}", "strong"),),
        status,
        (span(health, {"good": "ok", "bad": "bad"}.get(health, "muted")),),  # type: ignore[arg-type]  # tones
        (span(str(vitals.restarts), "warn" if vitals.restarts else "muted"),),
        change,
    )
