"""The screen of one module: what keeps its old version, with stacks, and the difference or the source of its code."""

from __future__ import annotations

from textual.app import ComposeResult

from hotdash.actions import key_of
from hotdash.model.old_code_lines import holder_lines
from hotdash.model.process_tree import title_of
from hotdash.model.releases.source_lines import difference_lines, source_lines
from hotdash.model.styled_text import Line, line, span
from hotdash.model.view_state import DataNeeds, Selection, ViewState
from hotdash.views.base import NodeScreen
from hotdash.widgets.bars import StaticLines
from hotdash.widgets.text_lines import ScrollingLines
from node_runtime.protocol import messages as m


class ModuleScreen(NodeScreen):
    """Shows one module. `states` are the processes that run the old version, with their stacks."""

    DEFAULT_CSS = """
    ModuleScreen {
        & > StaticLines { padding: 0 1; max-height: 50%; }
        & > ScrollingLines { height: 1fr; padding: 0 1; border-top: solid $foreground 20%; }
    }
    """

    footer_name = "module"

    def __init__(self, source: m.ModuleSource, states: tuple[m.StateView, ...]) -> None:
        super().__init__()
        self._source = source
        self._states = states

    def body(self) -> ComposeResult:
        yield StaticLines()
        yield ScrollingLines(id="source")

    def on_mount(self) -> None:
        text = self.query_one("#source", ScrollingLines)
        lines: list[Line] = []
        if self._source.old is not None:
            lines += [line(span("difference: old → current", "strong"))]
            lines += [*difference_lines(self._source.old, self._source.current), ()]
        lines += [line(span("source of the current version", "strong")), *source_lines(self._source.current)]
        text.show(lines)
        text.focus()

    def draw(self, view_state: ViewState) -> None:
        """Draw what keeps the old version."""
        self.query_one(StaticLines).show(self._head(view_state))

    def _head(self, view_state: ViewState) -> list[Line]:
        module = self._source.module
        lines: list[Line] = [line(span(module, "name"), span(f"  on {view_state.node.name}", "muted"))]
        if self._source.drift:
            lines.append(line(span(self._source.drift, "bad")))
        if self._source.old is None:
            return [*lines, line(span("No old version is loaded.", "muted"))]
        names = view_state.node.titles()
        for state in self._states:
            lines.append(
                line(span(f"{title_of(state.process)} <{state.process.pid}>", "name"), " runs the old version")
            )
            lines += [line(span(f"    at {frame}", "muted")) for frame in state.stack]
        old = next((one for one in view_state.node.old_code if one.module == module), None)
        if old is not None:
            lines += holder_lines(old, names)
        key = key_of("purge", view_state.dashboard.keymap)
        return [*lines, line(span(key, "name"), " shows what a purge would end, and asks.")]

    def selected(self) -> Selection:
        return Selection(module=self._source.module)

    def needs(self) -> DataNeeds:
        return DataNeeds(snapshots=True, old_code=True)
