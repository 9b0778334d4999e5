"""The dashboard application: applies the link's messages to the state, draws the state, and runs the keys' actions."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import ClassVar

import psutil
from rich.console import RenderableType
from textual import events
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.run_directory import NodeAddress

from . import collector_pause
from .action_commands import CommandSubject
from .action_handlers import AT_ONCE, ActionHandlers
from .actions import (
    ACTIONS,
    BY_ID,
    OPERATOR_REMEDY,
    VIEWER_REFUSAL,
    command_line_of,
    key_of,
    open_process_first,
    palette_entries,
    refusal_of,
)
from .config.memory import MemoryFile, ViewMemory
from .dashboard_options import DashboardOptions
from .event_reception import EventReception
from .keymap import keymap_path, read_keymap
from .link import Link
from .messages import (
    ConnectionChanged,
    EventReceived,
    HistoryReceived,
    SnapshotReceived,
)
from .model.node_view import NodeView
from .model.units import size
from .model.view_state import ARMED_SECONDS, DashboardState, Selection, ViewState
from .node_app import NodeApp
from .node_link import NodeLink
from .recording.recorded_link import RecordedLink
from .recording.recorder import Recorder
from .screens.help import HelpDialog
from .screens.main import MainScreen
from .screens.operation import OperationScreen
from .themes import THEMES, check_theme, no_color, starting_theme
from .views.base import NodeScreen

__all__ = ["DashboardOptions", "HotdashApp"]  # both are needed to open the dashboard

REDRAW_SECONDS = 0.5
"""Seconds after which ages and countdowns are drawn again."""


class HotdashApp(NodeApp):
    """The dashboard on the node at `address`; `run()` opens it."""

    TITLE = "hotdash"
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012  # as Textual declares it
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-high")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(action.keys, f"act('{action.id}')", action.title, id=action.id, show=False) for action in ACTIONS
    ]
    CSS = """
    Toast { width: 60; }
    Input > .input--placeholder, Input > .input--suggestion { color: $foreground 72%; }
    """

    def __init__(self, address: NodeAddress, options: DashboardOptions) -> None:
        super().__init__(NodeView(address.name), ansi_color=True if no_color() else None)
        for theme in THEMES:
            self.register_theme(theme)
        self._settings = options.settings
        self._memory = MemoryFile(options.memory if options.settings.remember else None)
        self._theme_at_start = ""
        check_theme(self._settings.theme, self.available_themes)
        self.address = address
        self.clock = options.clock
        keymap = read_keymap(keymap_path()) if options.keymap is None else options.keymap
        self.dashboard = DashboardState(page=options.page or "", keymap=keymap)
        self.link = self._open_link(options)
        self.handlers = ActionHandlers(self)
        self.reception = EventReception(self)
        self._cookie_file = str(options.cookie_file) if options.cookie_file is not None else None
        self._armed_at_start = not options.read_only
        self._paused_node: NodeView | None = None
        self._process = psutil.Process()

    def get_default_screen(self) -> Screen[None]:
        return MainScreen(self._remembered())

    def on_mount(self) -> None:
        color_system = "truecolor" if self.is_headless else self.console.color_system
        remembered = self._memory.theme(self.available_themes)
        self.theme = self._theme_at_start = starting_theme(self._settings.theme, remembered, color_system)
        self.set_keymap(self.dashboard.keymap)
        if self._armed_at_start:
            self.dashboard = replace(self.dashboard, armed_until=self.clock() + ARMED_SECONDS)
        self.set_interval(REDRAW_SECONDS, self._tick)
        self.set_interval(2.0, self._measure_cost)
        self.set_timer(collector_pause.PAUSE_SECONDS, collector_pause.end_pause)
        if not self.is_headless:
            self._handle_signals()
        self.link.start()
        self._update_needs()

    def _handle_signals(self) -> None:
        """On a signal, make Textual exit, because Textual then restores the terminal.

        An exception raised by a signal handler would end the process without restoring the terminal.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.exit, None, 128 + number)

    async def on_unmount(self) -> None:
        await self.link.close()

    def _open_link(self, options: DashboardOptions) -> Link:
        open_link = options.open_link or partial(NodeLink, self.address, delays=options.reconnect_delays)
        if options.record is None:
            return open_link(self.post_message)
        self.dashboard = replace(self.dashboard, recording="● REC")
        recorder = Recorder(options.record, self.clock, self._end_recording)
        return RecordedLink(open_link, recorder, self.post_message)

    def _end_recording(self, sentence: str) -> None:
        self.dashboard = replace(self.dashboard, recording="")
        self.show_toast(sentence, bad=True)

    def go_to_node(self, step: int) -> None:
        """Show the open node that is `step` tabs after the shown one. Raises Refused if only one node is open."""
        raise Refused(
            f"Only {self.node.name} is open; `hotdash connect {self.node.name} OTHER` opens several nodes.",
            ExitCode.USAGE,
        )

    # -------------------------------------------------------------- settings and memory

    def _remembered(self) -> dict[str, ViewMemory]:
        return self._memory.views(self.address.name, self._settings.columns)

    def remember(self) -> None:
        """Write the theme and what the views remember into the memory file."""
        theme = self.theme if self.theme != self._theme_at_start else None
        self._memory.write(self.address.name, theme, self.main_screen.memory())

    def exit(self, result: None = None, return_code: int = 0, message: RenderableType | None = None) -> None:
        if self.is_running and self.main_screen.is_mounted:
            self.remember()
        super().exit(result, return_code, message)

    # -------------------------------------------------------------- messages of the link

    def on_connection_changed(self, message: ConnectionChanged) -> None:
        self.apply(self.node.with_connection(message.connection))
        if message.connection.state == "live":
            for operation in self.node.unfinished():
                self.read_operation(operation.id)

    def on_snapshot_received(self, message: SnapshotReceived) -> None:
        if message.snapshot.info.role == "viewer" and self.dashboard.armed_until is not None:
            self.dashboard = replace(self.dashboard, armed_until=None)
            self.show_toast(f"{VIEWER_REFUSAL} The dashboard stays read-only. {OPERATOR_REMEDY}", bad=True)
        self.apply(self.node.with_snapshot(message.snapshot, self.clock()))
        self._update_needs()

    def on_event_received(self, message: EventReceived) -> None:
        self.reception.receive(message.event)

    def read_operation(self, operation: str) -> None:
        """Request an operation from the node, because no event had its results.

        In a replay, do nothing, because the recording also has the node's answer.
        """
        if self.link.live:
            self.handlers.refresh_operation(operation)

    def on_history_received(self, message: HistoryReceived) -> None:
        view = self.node.with_log(message.events)
        for operation in message.operations:
            view = view.with_operation(operation)
        self.apply(view)

    def add_operation(self, operation: m.Operation) -> None:
        """Draw the node with a new or updated operation that the node has returned."""
        self.apply(self.node.with_operation(operation))

    # -------------------------------------------------------------- drawing

    @property
    def view_state(self) -> ViewState:
        """The state to draw now.

        While the display is paused, this state shows the node as it was when the pause began. Only the
        connection and a newly selected process are current.
        """
        node = self.node
        if self._paused_node is not None:
            paused = self._paused_node
            moved_on = node.sample is not None and (paused.sample is None or paused.sample.key != node.sample.key)
            sample = node.sample if moved_on else paused.sample
            node = replace(paused, connection=node.connection, last_heard=node.last_heard, sample=sample)
        return ViewState(node, self.dashboard, self.clock())

    def draw(self) -> None:
        """Draw the state on every screen that shows the node."""
        if not self.is_running:
            return
        view_state = self.view_state
        with self.batch_update():
            for screen in self.screen_stack:
                if isinstance(screen, NodeScreen) and screen.is_mounted:
                    screen.show(view_state)

    def on_screen_resume(self) -> None:
        self.call_after_refresh(self.draw)

    def _tick(self) -> None:
        if self.dashboard.armed_until is not None and not self.dashboard.armed(self.clock()):
            self.arm(False)
            self.show_toast("Read-only again: the time for which the dashboard was armed has passed.")
        self.draw()

    def _measure_cost(self) -> None:
        with suppress(psutil.Error):
            cost = f"hotdash {self._process.cpu_percent():.0f} % {size(self._process.memory_info().rss)}"
            self.dashboard = replace(self.dashboard, cost=cost)

    def show_toast(self, sentence: str, *, bad: bool = False) -> None:
        """Show a toast; `sentence` is data, not markup."""
        self.notify(sentence, markup=False, severity="error" if bad else "information", timeout=12 if bad else 6)

    def set_busy(self, sentence: str = "") -> None:
        """Show `sentence`, which names the work that the dashboard waits for; without a sentence, show nothing."""
        self.dashboard = replace(self.dashboard, busy=sentence)
        self.draw()

    # -------------------------------------------------------------- screens and selection

    @property
    def main_screen(self) -> MainScreen:
        """The screen with the views."""
        screen = self.screen_stack[0]
        assert isinstance(screen, MainScreen)
        return screen

    @property
    def has_dialog(self) -> bool:
        """Whether a dialog is open. A dashboard that is closing has no screen."""
        return self.is_running and self.screen.is_modal

    @property
    def top_screen(self) -> NodeScreen:
        """The topmost screen that shows the node."""
        return next(screen for screen in reversed(self.screen_stack) if isinstance(screen, NodeScreen))

    def selected(self) -> Selection:
        """Return the selection that an action would apply to."""
        return self.top_screen.selected()

    def subject(self, selected: Selection) -> CommandSubject:
        """Return the selection as the arguments of a command line."""
        address = self.address
        node = address.name if address.record is not None else f"{address.name}:{address.port}"
        pid = selected.process.pid if selected.process is not None else None
        return CommandSubject(
            node, self._cookie_file, pid=pid, vsn=selected.vsn, operation=selected.operation, module=selected.module
        )

    def command_line(self, selected: Selection) -> str:
        """Return the command line that prints `selected`; without a selection, what the open view or screen shows."""
        action_by_screen = {
            "plan": "plan",
            "operation": "view_upgrades",
            "process": "open_process",
            "ended process": "open_process",
        }
        action = action_by_screen.get(self.top_screen.footer_name) or f"view_{self.dashboard.view}"
        if action == "view_releases" and selected.vsn is not None:
            action = "plan"
        if action == "view_processes" and selected.process is not None:
            action = "open_process"
        return command_line_of(action, self.subject(selected))

    async def open_view(self, name: str) -> None:
        """Close every screen above the views, and open the view `name`."""
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.dashboard = replace(self.dashboard, view=name)
        await self.main_screen.open(name)
        self._update_needs()
        self.draw()

    def on_table_cursor_moved(self) -> None:
        self._update_needs()
        if self.is_running and self.top_screen.is_mounted:
            self.top_screen.show_keys(self.view_state)

    def on_window_table_window_moved(self) -> None:
        self._update_needs()

    def _update_needs(self) -> None:
        """Tell the link which data the open view needs; do nothing while the dashboard closes."""
        if not self.is_running:
            return
        with suppress(StopIteration):
            if self.top_screen.is_mounted:
                self.link.set_needs(self.top_screen.needs())

    async def action_open_operation(self) -> None:
        """Open the selected operation on its own screen."""
        operation = self.selected().operation
        if operation is not None:
            self.push_screen(OperationScreen(operation))

    # -------------------------------------------------------------- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a dialog is open, disable all actions except `quit`."""
        if action in ("act", "command_palette") and self.has_dialog:
            return parameters == ("quit",)
        return super().check_action(action, parameters)

    def on_key(self, event: events.Key) -> None:
        self.handlers.explain_unused_key(event.key)

    async def action_act(self, action_id: str) -> None:
        """Run the action of a key, a click or the palette."""
        action = BY_ID[action_id]
        state = self.view_state
        refusal = refusal_of(action, state.role, armed=state.armed, keymap=self.dashboard.keymap)
        if refusal:
            elsewhere = action.views == ("process",) and self.top_screen.footer_name not in ("process", "ended process")
            if elsewhere and state.role != "viewer":  # arming would not be enough
                refusal = open_process_first(self.dashboard.keymap)
            self.show_toast(refusal, bad=True)
            return
        if action_id.startswith("view_"):
            await self.open_view(action_id.removeprefix("view_"))
            return
        if action_id in AT_ONCE:
            await self.handlers.run(action_id)
            return
        # An action that only concerns the screen, such as the help, doesn't end a plan that is being made.
        group = f"{action.role}'s action"
        self.run_worker(self.handlers.run(action_id), name=action_id, group=group, exclusive=True, exit_on_error=False)

    def action_help_quit(self) -> None:
        """Say which key quits, because ctrl+c doesn't quit."""
        self.show_toast(f"Press {key_of('quit', self.dashboard.keymap)} to quit hotdash.")

    def arm(self, on: bool) -> None:
        """Allow the operator's actions for ARMED_SECONDS, or forbid them again."""
        self.dashboard = replace(self.dashboard, armed_until=self.clock() + ARMED_SECONDS if on else None)
        self.draw()

    def toggle_pause(self) -> None:
        """Pause the display, or resume it."""
        self._paused_node = self.node if self._paused_node is None else None
        self.dashboard = replace(self.dashboard, paused=self._paused_node is not None)
        self.draw()

    def suspend_or_explain(self) -> None:
        """Suspend hotdash, so that the shell continues; where this isn't possible, say so."""
        if self._driver is not None and self._driver.can_suspend:
            self.action_suspend_process()
        else:
            self.show_toast("hotdash can't be suspended here: no shell has started it.", bad=True)

    def show_help(self) -> None:
        """Open the dialog with every key."""
        self.push_screen(HelpDialog(self.dashboard.keymap, in_replay=bool(self.dashboard.replay)))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Yield the actions of the registry, and nothing else, for the palette."""
        for title, text, action_id in palette_entries(self.dashboard.keymap, self.view_state.role):
            yield SystemCommand(title, text, partial(self.action_act, action_id))

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show the failure of a worker as a toast; by default, Textual would exit."""
        if event.state == WorkerState.ERROR:
            error = event.worker.error
            self.set_busy()
            self.show_toast(f"{event.worker.name!r} failed in hotdash: {type(error).__name__}: {error}", bad=True)
