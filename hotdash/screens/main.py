"""The main screen, with the numbered views."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from textual import on
from textual.app import ComposeResult
from textual.widgets import ContentSwitcher, Input

from hotdash.config.memory import ViewMemory
from hotdash.model.view_state import DataNeeds, Selection, ViewState
from hotdash.views.base import NodeScreen, View
from hotdash.views.events import EventList, Events, Logs
from hotdash.views.modules import Modules
from hotdash.views.overview import Overview
from hotdash.views.processes import Processes
from hotdash.views.releases import Releases
from hotdash.views.upgrades import Upgrades
from hotdash.widgets.bars import Tabs, VitalsBar
from hotdash.widgets.filter_input import FilterInput
from hotdash.widgets.painting import LineScrollView
from hotdash.widgets.table import Table
from hotdash.widgets.window_table import WindowTable

_VIEWS: Mapping[str, Callable[[], View]] = {
    "overview": Overview,
    "processes": Processes,
    "modules": Modules,
    "releases": Releases,
    "upgrades": Upgrades,
    "events": Events,
    "logs": Logs,
}


class MainScreen(NodeScreen):
    """The tabs, the vitals, the open view, and the filter field while it is used. Only the open view is drawn.

    A view is made when it is first opened: making all views at once takes most of the time until the first picture.
    """

    DEFAULT_CSS = """
    MainScreen {
        & > ContentSwitcher { height: 1fr; }
        & > #filter { display: none; background: $foreground 10%; padding: 0 1; }
        & > #filter.-shown { display: block; }
        &.-narrow Processes ProcessPanel { display: none; }
        &.-stale ContentSwitcher, &.-stale VitalsBar { opacity: 50%; }
    }
    """

    def __init__(self, remembered: Mapping[str, ViewMemory] = MappingProxyType({})) -> None:
        super().__init__()
        self._remembered = remembered
        self._view_state: ViewState | None = None

    def body(self) -> ComposeResult:
        yield Tabs()
        yield VitalsBar()
        with ContentSwitcher(initial="overview"):
            yield Overview()
        yield FilterInput(id="filter", compact=True)

    def on_mount(self) -> None:
        self._restore(self.view)
        self._focus()

    def _restore(self, view: View) -> None:
        if (memory := self._remembered.get(str(view.id))) is not None:
            view.restore(memory)

    @property
    def view(self) -> View:
        """The open view."""
        switcher = self.query_one(ContentSwitcher)
        return switcher.query_one(f"#{switcher.current}", View)

    async def made(self, name: str) -> View:
        """Return the view `name`, which is made now if it was never opened."""
        switcher = self.query_one(ContentSwitcher)
        if not switcher.query(f"#{name}"):
            view = _VIEWS[name]()
            view.display = False
            await switcher.mount(view)
            self._restore(view)
        return switcher.query_one(f"#{name}", View)

    async def open(self, name: str) -> None:
        """Switch to another view."""
        await self.made(name)
        self.query_one(ContentSwitcher).current = name
        self._show_filter(open_it=False)
        self._focus()

    def _focus(self) -> None:
        self.set_focus(self.view.query(LineScrollView).first())

    def show(self, view_state: ViewState) -> None:
        self.footer_name = view_state.dashboard.view
        super().show(view_state)

    def draw(self, view_state: ViewState) -> None:
        self._view_state = view_state
        self.set_class(view_state.node.snapshot is not None and not view_state.fresh, "-stale")
        self.query_one(Tabs).show(view_state)
        self.query_one(VitalsBar).show(view_state)
        self.view.show(view_state)

    def selected(self) -> Selection:
        return self.view.selected()

    def needs(self) -> DataNeeds:
        return self.view.needs()

    def unmark(self) -> None:
        """Unmark all processes."""
        for processes in self.query(Processes):
            processes.unmark()

    def memory(self) -> dict[str, ViewMemory]:
        """Return what each view remembers for the next start, such as names of columns, by the name of the view."""
        memories = {**self._remembered, **{str(view.id): view.memory() for view in self.query(View)}}
        return {name: memory for name, memory in memories.items() if any(memory.values())}

    # -------------------------------------------------------------- the filter

    def open_filter(self) -> None:
        """Open the filter field."""
        self._show_filter(open_it=True)
        self.set_focus(self.query_one("#filter"))

    def _show_filter(self, *, open_it: bool) -> None:
        field = self.query_one("#filter", Input)
        field.placeholder = f"filter: {self.view.filter_hint}"
        field.set_class(open_it or bool(self.view.filtered), "-shown")
        with field.prevent(Input.Changed):
            field.value = self.view.filtered

    @on(Input.Changed, "#filter")
    def _filter(self, changed: Input.Changed) -> None:
        self.view.filtered = changed.value.strip()
        if self._view_state is not None:
            self.view.show(self._view_state)
        for table in self.view.query(Table):
            table.leave_hidden_row()
        self.post_message(WindowTable.WindowMoved())

    @on(Input.Submitted, "#filter")
    def _filtered(self) -> None:
        self._show_filter(open_it=False)
        self._focus()

    def action_clear_filter(self) -> None:
        """Remove the filter."""
        self.clear_filter()

    def clear_filter(self) -> bool:
        """Remove the filter and close its field; return whether there was one."""
        field = self.query_one("#filter", Input)
        if isinstance(self.view, EventList) and self.view.close_search():
            return True
        if not field.has_class("-shown"):
            return False
        self.view.filtered = ""
        self._show_filter(open_it=False)
        self._focus()
        self.post_message(WindowTable.WindowMoved())
        if self._view_state is not None:
            self.view.show(self._view_state)
        return True
