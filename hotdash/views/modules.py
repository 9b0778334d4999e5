"""View 4: every module with its current and old version, and the processes that run the old version."""

from __future__ import annotations

from textual.app import ComposeResult

from hotdash.model.old_code_lines import draining_words, holder_lines, running_number, running_words
from hotdash.model.process_details import version
from hotdash.model.styled_text import Line, Span, line, span
from hotdash.model.units import age, plural
from hotdash.model.view_state import DataNeeds, Selection, ViewState
from hotdash.widgets.bars import StaticLines
from hotdash.widgets.table import Column, Row, Table
from hotdash.widgets.text_lines import ScrollingLines
from node_runtime.protocol import messages as m

from .base import View

_COLUMNS = (
    Column("module", min_width=16, max_width=60, grow=True),
    Column("current", max_width=24),
    Column("old", max_width=24, drop_order=1),
    Column("draining", max_width=24, drop_order=2),
    Column("processes", drop_order=3, align_right=True),
    Column("application", max_width=20, drop_order=4),
    Column("loaded", drop_order=5, align_right=True),
)


class Modules(View):
    """The table of the modules, and below it the selected module."""

    SCOPED_CSS = False  # the rules for small screens begin with a class of the screen
    DEFAULT_CSS = """
    Modules {
        & Table { height: 1fr; }
        & ScrollingLines { height: 7; padding: 0 1; border-top: solid $foreground 20%; }
    }
    .-low Modules ScrollingLines { height: 5; }
    """

    def __init__(self) -> None:
        super().__init__(id="modules")
        self._view_state: ViewState | None = None

    def compose(self) -> ComposeResult:
        yield StaticLines()
        yield Table(_COLUMNS, empty="The node has not reported any modules yet.")
        yield ScrollingLines()

    def show(self, view_state: ViewState) -> None:
        self._view_state = view_state
        modules = view_state.node.snapshot.modules if view_state.node.snapshot is not None else ()
        words = self.filtered.lower().split()
        kept = [
            one for one in modules if all(word in f"{one.name} {one.application} {one.vsn}".lower() for word in words)
        ]
        empty = "Nothing matches the filter." if words and modules else None
        self.query_one(StaticLines).show([_verdict(view_state)])
        self.query_one(Table).show([Row(one.name, _cells(one, view_state)) for one in kept], empty)
        self._show_module()

    def select(self, module: str) -> None:
        """Put the cursor on a module."""
        self.query_one(Table).select(module)

    def _show_module(self) -> None:
        snapshot = self._view_state.node.snapshot if self._view_state is not None else None
        if snapshot is None or self._view_state is None:
            return
        key = self.query_one(Table).key
        module = next((one for one in snapshot.modules if one.name == key), None)
        old = next((one for one in self._view_state.node.old_code if one.module == key), None)
        lines = _module_lines(module, old, self._view_state) if module is not None else []
        self.query_one(ScrollingLines).show(lines)

    def on_table_cursor_moved(self) -> None:
        """Show the module under the cursor."""
        self._show_module()

    async def on_table_row_chosen(self) -> None:
        """Open the selected module."""
        await self.run_action("app.act('open_module')")

    def selected(self) -> Selection:
        table = self.query_one(Table)
        return Selection(module=str(table.key)) if table.cursor_on_row else Selection()

    def needs(self) -> DataNeeds:
        return DataNeeds(snapshots=True, old_code=True)


def _verdict(view_state: ViewState) -> Line:
    snapshot = view_state.node.snapshot
    if snapshot is None:
        return ()
    old, draining = view_state.node.old_versions(), view_state.node.draining()
    if not old:
        return line(span(f"No old code: every process runs {snapshot.info.vsn}.", "ok"))
    if not draining:
        them = "it" if len(old) == 1 else "them"
        return line(span(f"{plural(len(old), 'old version')} loaded; no process or task runs {them}.", "muted"))
    runs = "runs" if running_number(draining) == 1 else "run"
    modules = plural(len(draining), "module")
    return line(span(f"{running_words(draining)} {runs} old code of {modules}.", "warn"))


def _cells(module: m.ModuleInfo, view_state: ViewState) -> tuple[Line, ...]:
    old: Line = (Span("·", "muted"),)
    drain: Line = ()
    if module.old_vsn:
        old = tuple(Span(span.text, "warn") for span in version(module.old_vsn, module.old_app_vsn))
        drain = (draining_words(module),)
    return (
        (span(module.name, "name"),),
        version(module.vsn, module.app_vsn),
        old,
        drain,
        (span(str(module.processes) if module.processes else "", "plain"),),
        (span(f"{module.application} {module.app_vsn}", "muted"),),
        (span(age(view_state.node_now - module.loaded), "muted"),),
    )


def _module_lines(module: m.ModuleInfo, old_code: m.OldCode | None, view: ViewState) -> list[Line]:
    """Return the module, then what keeps its old version, and at last the files: a low terminal shows a few lines."""
    names = view.node.titles()
    first = line(
        span(module.name, "name"), " ", span(module.vsn, "strong"),
        span(f"  {module.application} {module.app_vsn}"),
        span(f"  loaded {age(view.node_now - module.loaded)} ago", "muted"),
    )  # fmt: skip
    path = line(span("from ", "muted"), span(module.path), span(f"  sha256 {module.sha256[:12]}", "muted"))
    if module.old_vsn is None:
        return [first, path, line(span("No old version is loaded.", "muted"))]
    holders = holder_lines(old_code, names) if old_code is not None else []
    old_path = line(span("old version from ", "muted"), span(module.old_path or "?"))
    return [first, _old_line(module, names), *holders, path, old_path]


def _old_line(module: m.ModuleInfo, names: dict[int, str]) -> Line:
    old = span("old ", "muted"), span(module.old_vsn or "", "warn")
    if not module.old_pids and not module.old_tasks:
        return line(*old, span("  drained: no process or task runs it", "ok"))
    processes = [
        part for pid in module.old_pids for part in (span(names.get(pid, "?"), "name"), span(f" <{pid}>  ", "muted"))
    ]
    if module.old_tasks:
        processes.append(span(plural(module.old_tasks, "task"), "name"))
    return line(*old, span("  still run by ", "warn"), *processes)
