"""The dashboard: it folds what the link tells into one picture, shows it, and hands keys to deeds."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import psutil
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from hotdash.action_handlers import Deeds
from hotdash.actions import ACTIONS, BY_ID, Subject, twin_of
from hotdash.keymap import keymap_path, read_keymap
from hotdash.messages import ConnectionChanged, EventSeen, PastRead, SnapshotTaken, StateSeen
from hotdash.model.node_view import NodeView
from hotdash.model.units import size
from hotdash.model.view_state import ARMED_FOR, Desk, Picture, Selected
from hotdash.node_link import DELAYS, Link
from hotdash.screens.help import Help
from hotdash.screens.main import MainScreen
from hotdash.screens.operation import OperationScreen
from hotdash.themes import THEMES
from hotdash.views.base import NodeScreen
from node_runtime.protocol import messages as m
from node_runtime.protocol.run_directory import Address

TICK = 0.5
"""Seconds between two drawings of what only the clock changes: ages and countdowns."""


class HotdashApp(App[None]):
    """`HotdashApp(address).run()` opens the dashboard on a node; read-only unless told otherwise.

    `page` is the address of what the node serves, to be shown. `cookie_file` is only for the command lines that the
    dashboard shows; `keymap` replaces the operator's own keys.
    """

    TITLE = "hotdash"
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012  # Textual declares it so
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-high")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(action.keys, f"act('{action.id}')", action.title, id=action.id, show=False) for action in ACTIONS
    ]
    CSS = """
    Toast { width: 60; }
    """

    def __init__(
        self,
        address: Address,
        *,
        read_only: bool = True,
        page: str | None = None,
        cookie_file: Path | None = None,
        keymap: dict[str, str] | None = None,
        reconnect_delays: tuple[float, ...] = DELAYS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.address = address
        self.clock = clock
        self.node = NodeView(address.name)
        self.desk = Desk(page=page or "", keymap=read_keymap(keymap_path()) if keymap is None else keymap)
        self.link = Link(address, self.post_message, delays=reconnect_delays)
        self.deeds = Deeds(self)
        self._cookie_file = str(cookie_file) if cookie_file is not None else None
        self._armed_at_start = not read_only
        self._still: NodeView | None = None
        self._process = psutil.Process()

    def get_default_screen(self) -> Screen[None]:
        return MainScreen()

    def on_mount(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name
        self.set_keymap(self.desk.keymap)
        if self._armed_at_start:
            self.desk = replace(self.desk, armed_until=self.clock() + ARMED_FOR)
        self.set_interval(TICK, self._tick)
        self.set_interval(2.0, self._measure)
        if not self.is_headless:
            self._obey_signals()
        self.link.start()
        self._steer()

    def _obey_signals(self) -> None:
        """Leave in order, for the terminal has to be given back; an exception out of a handler would not do that."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.exit, None, 128 + number)

    async def on_unmount(self) -> None:
        await self.link.close()

    # -------------------------------------------------------------- what is heard

    def on_connection_changed(self, message: ConnectionChanged) -> None:
        self._fold(self.node.with_connection(message.connection))
        if message.connection.state == "live":
            for operation in self.node.unfinished():
                self.deeds.ask_after(operation.id)

    def on_snapshot_taken(self, message: SnapshotTaken) -> None:
        self._fold(self.node.with_snapshot(message.snapshot, self.clock()))
        self._steer()

    def on_event_seen(self, message: EventSeen) -> None:
        self._fold(self.node.with_event(message.event, self.clock()))
        if message.event.kind == "rehearsal" and self.desk.busy:
            self.busy(f"{message.event.text[:1].upper()}{message.event.text[1:]} …")
        operation = message.event.operation
        if operation is not None and operation.ended is not None and not operation.results:
            self.deeds.ask_after(operation.id)

    def on_past_read(self, message: PastRead) -> None:
        view = self.node.with_log(message.events)
        for operation in message.operations:
            view = view.with_operation(operation)
        self._fold(view)

    def on_state_seen(self, message: StateSeen) -> None:
        if message.state is not None:
            self._fold(self.node.with_state(message.key, message.state))
        else:
            self._fold(self.node.without_state(message.key, message.sentence))

    def hear(self, operation: m.Operation) -> None:
        """The node answered with an operation."""
        self._fold(self.node.with_operation(operation))

    def _fold(self, view: NodeView) -> None:
        self.node = view
        self.draw()

    # -------------------------------------------------------------- what is shown

    @property
    def picture(self) -> Picture:
        """This moment; the node as it was when the picture was held still."""
        node = self.node
        if self._still is not None:
            still = self._still
            moved_on = node.look is not None and (still.look is None or still.look.key != node.look.key)
            look = node.look if moved_on else still.look
            node = replace(still, connection=node.connection, heard=node.heard, look=look)
        return Picture(node, self.desk, self.clock())

    def draw(self) -> None:
        """Show this moment on every screen that shows the node."""
        if not self.is_running:
            return
        picture = self.picture
        with self.batch_update():
            for screen in self.screen_stack:
                if isinstance(screen, NodeScreen) and screen.is_mounted:
                    screen.show(picture)

    def on_screen_resume(self) -> None:
        self.call_after_refresh(self.draw)

    def _tick(self) -> None:
        if self.desk.armed_until is not None and not self.desk.armed(self.clock()):
            self.arm(False)
            self.say("Read-only again: the time is up.")
        self.draw()

    def _measure(self) -> None:
        with suppress(psutil.Error):
            cost = f"hotdash {self._process.cpu_percent():.0f} % {size(self._process.memory_info().rss)}"
            self.desk = replace(self.desk, cost=cost)

    def say(self, sentence: str, *, bad: bool = False) -> None:
        """A toast; what it says is data."""
        self.notify(sentence, markup=False, severity="error" if bad else "information", timeout=12 if bad else 6)

    def busy(self, sentence: str = "") -> None:
        """Show what the node is asked for now."""
        self.desk = replace(self.desk, busy=sentence)
        self.draw()

    # -------------------------------------------------------------- what is open

    @property
    def main(self) -> MainScreen:
        """The screen with the views."""
        screen = self.screen_stack[0]
        assert isinstance(screen, MainScreen)
        return screen

    @property
    def top(self) -> NodeScreen:
        """The uppermost screen that shows the node."""
        return next(screen for screen in reversed(self.screen_stack) if isinstance(screen, NodeScreen))

    def selected(self) -> Selected:
        """What an action would be about."""
        return self.top.selected()

    def subject(self, selected: Selected) -> Subject:
        """The same as a command line names it."""
        here = self.address
        node = here.name if here.record is not None else f"{here.name}:{here.port}"
        pid = selected.process.pid if selected.process is not None else None
        return Subject(node, self._cookie_file, pid=pid, vsn=selected.vsn, operation=selected.operation)

    def twin(self) -> str:
        """The command line that shows what is open, or does what is planned."""
        by_screen = {"plan": "plan", "operation": "view_upgrades"}
        action = by_screen.get(self.top.keys_of) or f"view_{self.desk.view}"
        selected = self.selected()
        if action == "view_releases" and selected.vsn is not None:
            action = "plan"
        return twin_of(action, self.subject(selected))

    def open_view(self, name: str) -> None:
        """Close what is above the views and show one of them."""
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.desk = replace(self.desk, view=name)
        self.main.open(name)
        self._steer()
        self.draw()

    def on_table_moved(self) -> None:
        self._steer()

    def _steer(self) -> None:
        """Tell the link what the open view needs; while the dashboard closes, its views lose their parts one by one."""
        if not self.is_running:
            return
        with suppress(StopIteration):
            if self.top.is_mounted:
                self.link.want(self.top.wants())

    async def action_open_operation(self) -> None:
        """The selected operation on a screen of its own."""
        operation = self.selected().operation
        if operation is not None:
            self.push_screen(OperationScreen(operation))

    # -------------------------------------------------------------- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In a dialog only the dialog's own keys count, and those that leave the dashboard."""
        if action in ("act", "command_palette") and self.screen.is_modal:
            return parameters == ("quit",)
        return super().check_action(action, parameters)

    def action_act(self, action_id: str) -> None:
        """Do what a key, a click or the palette asks for."""
        action = BY_ID[action_id]
        if action.role == "operator" and not self.picture.armed:
            key = self.desk.keymap.get("arm", "!")
            self.say(f"Read-only. {key} arms the dashboard; then it can {action.label}.", bad=True)
            return
        if action_id.startswith("view_"):
            self.open_view(action_id.removeprefix("view_"))
            return
        self.run_worker(self.deeds.do(action_id), name=action_id, group="deed", exclusive=True, exit_on_error=False)

    def arm(self, on: bool) -> None:
        """Allow the operator's actions for a while, or no longer."""
        self.desk = replace(self.desk, armed_until=self.clock() + ARMED_FOR if on else None)
        self.draw()

    def hold(self) -> None:
        """Hold the picture still, or let it go on."""
        self._still = self.node if self._still is None else None
        self.desk = replace(self.desk, paused=self._still is not None)
        self.draw()

    def help(self) -> None:
        """Every key."""
        self.push_screen(Help(self.desk.keymap))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette offers the registry, and nothing else."""
        for action in ACTIONS:
            if action.id not in ("palette", "back", "leave"):
                key = self.desk.keymap.get(action.id, action.keys).split(",")[0]
                name = f"{action.title}  {self.get_key_display(Binding(key, ''))}"
                yield SystemCommand(name, action.help, lambda name=action.id: self.action_act(name))

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A worker must not fail; when one does, say so instead of going down with it."""
        if event.state == WorkerState.ERROR:
            error = event.worker.error
            self.busy()
            self.say(f"hotdash failed at {event.worker.name!r}: {type(error).__name__}: {error}", bad=True)
