"""View 3: one process in depth. The screen requests the process from the node once a second."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import ClassVar, Final, NoReturn

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widgets import Input

from hotdash.actions import key_of
from hotdash.model.process.facts import fact_lines
from hotdash.model.process.outline import OutlineNode, Path
from hotdash.model.process.state_outline import state_outline
from hotdash.model.process.surroundings import surroundings
from hotdash.model.process.visits import Look, Visits
from hotdash.model.selection import ProcessKey
from hotdash.model.styled_text import Line, line, span
from hotdash.model.view_state import DataNeeds, Selection, ViewState
from hotdash.moves import move_keys
from hotdash.views.base import NodeScreen
from hotdash.widgets.bars import StaticLines
from hotdash.widgets.filter_input import FilterInput
from hotdash.widgets.outline import Outline
from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages.inspection import SUCCESSOR_REMEDY

POLL_SECONDS: Final = 1.0

ReadProcess = Callable[[int], Awaitable[m.ProcessView]]
"""Reads the process with this pid from the node. Raises Refused."""
FindProcess = Callable[[str], Awaitable[int | None]]
"""Finds the pid of the process with this name. Raises Refused."""


class ProcessScreen(NodeScreen):
    """Shows the present process of `visits`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(move_keys("search"), "search", id="search", show=False),
        Binding(move_keys("next_match"), "go_to_match(1)", id="next_match", show=False),
        Binding(move_keys("previous_match"), "go_to_match(-1)", id="previous_match", show=False),
        Binding("tab", "other_outline", show=False),
        Binding("shift+tab", "other_outline", show=False),
    ]

    DEFAULT_CSS = """
    ProcessScreen {
        & > StaticLines { padding: 0 1 1 1; }
        & > #panes { layout: horizontal; height: 1fr; }
        & #panes Outline { width: 1fr; height: 1fr; }
        & #around { border-left: vkey $foreground 20%; }
        & > FilterInput { display: none; background: $foreground 10%; padding: 0 1; }
        & > FilterInput.-shown { display: block; }
    }
    ProcessScreen.-narrow {
        & > #panes { layout: vertical; }
        & #around { border-left: none; border-top: solid $foreground 20%; }
    }
    ProcessScreen.-low > StaticLines { padding: 0 1; }
    """

    footer_name = "process"

    def __init__(self, visits: Visits, read: ReadProcess, find: FindProcess) -> None:
        super().__init__()
        self.visits = visits
        self._read = read
        self._find = find
        self._poll_due = asyncio.Event()
        self._view_state: ViewState | None = None
        self.view: m.ProcessView | None = None
        self.before: Look | None = None
        self._state: tuple[OutlineNode, ...] = ()  # made once for each view, since a state may have thousands of parts
        self._name: str | None = None
        self.ended = ""
        """The sentence with which the node says that the present process has ended; empty while it lives."""
        self._successor: OutlineNode | None = None
        self._filtered = ""
        self._searched: list[str] = []

    def body(self) -> ComposeResult:
        yield StaticLines()
        with Container(id="panes"):
            yield Outline("state", id="state", empty="state …")
            yield Outline("around it", id="around", empty="")
        yield FilterInput(id="filter", placeholder="filter: every word must match", compact=True)
        yield FilterInput(
            id="search", placeholder="search; n and N go to the next and the previous match", compact=True
        )

    def on_mount(self) -> None:
        self.query_one("#state").focus()
        self.run_worker(self._poll(), name="the process", group="poll", exit_on_error=False)

    # -------------------------------------------------------------- reading

    async def _poll(self) -> NoReturn:
        while True:
            self._poll_due.clear()
            if (key := self.visits.present) is not None:
                await self._read_once(key)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._poll_due.wait()

    async def _read_once(self, key: ProcessKey) -> None:
        try:
            view = await self._read(key.pid)
        except Refused as refusal:
            await self._end(key, refusal.sentence)
            return
        if key != self.visits.present or (self._view_state is not None and self._view_state.dashboard.paused):
            return
        if view.boot_id != key.boot_id:
            await self._end(key, f"<{key.pid}> ended with an earlier boot of the node.")
            return
        self.view, self.ended, self._successor = view, "", None
        self._name, self.footer_name = view.process.name, "process"
        self.before = self.visits.see(Look(view.state, view.at))
        self._state = state_outline(view, self.before)
        self._draw()

    async def _end(self, key: ProcessKey, sentence: str) -> None:
        """Keep the last view of a process that has ended, and look for its successor."""
        if key != self.visits.present:
            return
        self.ended, self.footer_name = sentence, "ended process"
        name, pid = self._name, None
        if name is not None:
            with suppress(Refused):
                pid = await self._find(name)
        if key == self.visits.present:
            self._successor = None if pid is None or name is None else _successor(name, pid)
            self._draw()

    def refresh_now(self) -> None:
        """Request the process from the node now."""
        self._poll_due.set()

    # -------------------------------------------------------------- visiting

    def go_to(self, pid: int) -> None:
        """Show the process `pid` of the same boot."""
        present = self.visits.present
        if present is not None and pid != present.pid:
            self.visits.visit(ProcessKey(present.boot_id, pid))
            self._begin()

    def go(self, by: int) -> bool:
        """Go to the process that was visited before (-1) or after (1) this one; return False if there is none.

        If no process was visited after this one, and this one has ended, (1) goes to its successor.
        """
        if self.visits.go(by):
            self._begin()
            return True
        if by < 0 or self._successor is None or self._successor.jump is None:
            return False
        self.go_to(self._successor.jump)
        return True

    def mark(self) -> None:
        """From now on, show what changes in comparison with the present state."""
        self.visits.leave()
        self.refresh_now()

    def _begin(self) -> None:
        self.view, self.before, self.ended, self._successor = None, None, "", None
        self._name, self.footer_name = None, "process"
        for outline in self.query(Outline):
            outline.forget()
        self._draw()
        self.refresh_now()

    @on(Outline.Jump)
    def _jump(self, message: Outline.Jump) -> None:
        self.go_to(message.pid)

    def on_unmount(self) -> None:
        """End the visit, so that the next visit shows what has changed meanwhile."""
        self.visits.leave()

    # -------------------------------------------------------------- drawing

    def draw(self, view_state: ViewState) -> None:
        self._view_state = view_state
        known = (
            None
            if self._name is not None or self.visits.present is None
            else view_state.node.process(self.visits.present)
        )
        if known is not None:  # the process may end before the node has sent it
            self._name = known.name
        self._draw()

    def _draw(self) -> None:
        state = self._view_state
        if state is None or not self.is_mounted:
            return
        self.query_one(StaticLines).show(self._head(state))
        if self.view is None:
            self.query_one("#state", Outline).show_outline(())
            self.query_one("#around", Outline).show_outline(() if self._successor is None else (self._successor,))
            return
        self.query_one("#state", Outline).show_outline(self._state, self._filtered)
        around = surroundings(self.view, state.node_now)
        self.query_one("#around", Outline).show_outline(
            around if self._successor is None else (self._successor, *around), self._filtered
        )

    def _head(self, state: ViewState) -> list[Line]:
        key, keymap = self.visits.present, state.dashboard.keymap
        ways = [
            f"{key_of(action, keymap)} {number}"
            for action, number in (("previous_process", self.visits.ahead(-1)), ("next_process", self.visits.ahead(1)))
            if number
        ]
        trail = (span(f"visited before and after: {'  '.join(ways)}", "muted"),) if ways else ()
        lines: list[Line] = []
        if self.ended:
            what = self.ended if self._successor is None else self.ended.removesuffix(f" {SUCCESSOR_REMEDY}")
            last = " Below is its last view." if self.view is not None else ""
            lines.append(line(span(f"✖ {what}{last}", "bad")))
        if self._successor is not None:
            lines.append(line(span(key_of("next_process", keymap), "name"), " opens ", *self._successor.line[1:]))
        if self.view is not None:
            lines += fact_lines(self.view, state.node_now)
            if "an operator" in self.view.suspended_by and not self.ended and state.role != "viewer":
                lines.append(line(span(key_of("suspend_process", keymap), "name"), " resumes it."))
        elif key is not None and not self.ended:
            lines.append(line(span(f"<{key.pid}> …", "muted")))
        return [*lines, trail] if trail else lines

    # -------------------------------------------------------------- filter and search

    def open_filter(self) -> None:
        """Open the field that filters both outlines."""
        self.set_focus(self.query_one("#filter").add_class("-shown"))

    @on(Input.Changed, "#filter")
    def _filter(self, changed: Input.Changed) -> None:
        self._filtered = changed.value.strip()
        self._draw()

    @on(Input.Submitted, "#filter")
    def _filter_entered(self) -> None:
        self.query_one("#filter").set_class(bool(self._filtered), "-shown")
        self._focus_outline()

    def action_search(self) -> None:
        """Open the search field."""
        self.set_focus(self.query_one("#search").add_class("-shown"))

    @on(Input.Submitted, "#search")
    def _search(self, submitted: Input.Submitted) -> None:
        self._searched = submitted.value.lower().split()
        self.query_one("#search").remove_class("-shown")
        self._focus_outline()
        self.action_go_to_match(1)

    def clear_filter(self) -> bool:
        """Close the fields and remove filter and search; return whether there was one."""
        fields = [field for field in self.query(FilterInput) if field.has_class("-shown")]
        there = bool(fields or self._searched)
        self._searched = []
        for field in self.query(FilterInput):
            field.remove_class("-shown")
            field.value = ""
        if there:
            self._focus_outline()
        return there

    def action_clear_filter(self) -> None:
        """Close the fields."""
        self.clear_filter()

    def _focus_outline(self) -> None:
        self.set_focus(self.query_one("#state"))

    def action_other_outline(self) -> None:
        """Go from one outline to the other."""
        self.query_one("#around" if self.query_one("#state").has_focus else "#state").focus()

    def action_go_to_match(self, direction: int) -> None:
        """Go to the next (1) or the previous (-1) match in both outlines, and open the lines above the match."""
        if not self._searched:
            return
        found: list[tuple[Outline, Path]] = [
            (outline, path) for outline in self.query(Outline) for path in outline.matches(self._searched)
        ]
        if not found:
            self.app.notify(f"Nothing here contains {' '.join(self._searched)!r}.", markup=False)
            return
        at = next((n for n, (outline, path) in enumerate(found) if outline.has_focus and outline.key == path), None)
        target = (0 if direction > 0 else -1) if at is None else (at + direction) % len(found)
        outline, path = found[target]
        outline.focus()
        outline.reveal(path)

    # -------------------------------------------------------------- for the actions

    def selected(self) -> Selection:
        return Selection(process=self.visits.present)

    def needs(self) -> DataNeeds:
        return DataNeeds(snapshots=True)


def _successor(name: str, pid: int) -> OutlineNode:
    return OutlineNode(
        ("successor",), (span("→ ", "muted"), span(name, "strong"), span(f" <{pid}>  its successor", "ok")), jump=pid
    )
