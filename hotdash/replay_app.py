"""The dashboard on a recording, with keys that pause the replay, move it and change its speed."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.cookie import Cookie
from node_runtime.protocol.run_directory import NodeAddress
from node_runtime.protocol.wire import MalformedMessage, unpack

from .app import DashboardOptions, HotdashApp
from .messages import Replayed, RequestAnswered
from .model.node_view import NodeView
from .model.units import countdown
from .recording.reader import Recording
from .recording.replay_clock import ReplayClock
from .recording.replay_link import ReplayLink

STEP_SECONDS = 10.0
"""Seconds by which one key press moves the replay."""

_OPERATION_ANSWERS = (methods.OPERATION.name, methods.COMMIT.name)


class ReplayApp(HotdashApp):
    """The dashboard on `recording`. To the views, the recording looks like a node."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "replay('pause')", "Pause or continue", priority=True),
        Binding("left_square_bracket", "replay('back')", "10 s back", priority=True),
        Binding("right_square_bracket", "replay('forward')", "10 s forward", priority=True),
        Binding("less_than_sign", "replay('slower')", "Slower", priority=True),
        Binding("greater_than_sign", "replay('faster')", "Faster", priority=True),
    ]

    def __init__(
        self, recording: Recording, options: DashboardOptions, source: Callable[[], float] = time.monotonic
    ) -> None:
        self.replay_clock = ReplayClock(recording.first, recording.last, source)
        self._applying = False
        self._note = recording.note
        open_link = partial(ReplayLink, recording, self.replay_clock)
        address = NodeAddress(recording.header.node, "recording", 0, Cookie("viewer", b"", b""))
        super().__init__(address, replace(options, open_link=open_link, clock=self.replay_clock.time))
        self._show_position()

    def on_mount(self) -> None:  # Textual also calls that of the base class
        if self._note:
            self.show_toast(self._note, bad=True)
        self.show_toast("space pauses, [ and ] move by 10 s, < and > change the speed.")

    async def on_replayed(self, message: Replayed) -> None:
        """Rebuild the display from all messages up to the present time of the replay."""
        self.node = NodeView(self.address.name)
        self._applying = True
        try:
            for at, passed in message.passed:
                self.clock = lambda at=at: at  # type: ignore[misc]  # the time of this message
                result = getattr(self, passed.handler_name)(passed)
                if inspect.isawaitable(result):
                    await result
        finally:
            self._applying = False
            self.clock = self.replay_clock.time
        self.draw()

    def on_request_answered(self, message: RequestAnswered) -> None:
        """Apply the operation in an answer, as the live dashboard did when it received the answer."""
        if message.method in _OPERATION_ANSWERS:
            with suppress(MalformedMessage):
                self.add_operation(unpack(message.result, m.Operation))

    def draw(self) -> None:
        if not self._applying:
            self._show_position()
            super().draw()

    def _show_position(self) -> None:
        clock = self.replay_clock
        mark = "■" if clock.at_end else "⏸" if clock.paused else "▶"
        position = f"{countdown(clock.time() - clock.first)}/{countdown(clock.last - clock.first)}"
        of_day = time.strftime("%H:%M:%S", time.localtime(clock.time()))
        replay = f"REPLAY {of_day}  {mark} {position}  {clock.speed:g}x"
        self.dashboard = replace(self.dashboard, replay=replay)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable the keys of the replay while the user types into a field or a dialog is open."""
        if action == "replay":
            return not isinstance(self.focused, Input) and not self.has_dialog
        return super().check_action(action, parameters)

    async def action_act(self, action_id: str) -> None:
        """Run an action, except `arm`: a replay can't be armed."""
        if action_id == "arm":
            self.show_toast("This is a recording: nothing can be changed, so there is nothing to arm.", bad=True)
        else:
            await super().action_act(action_id)

    def action_replay(self, what: str) -> None:
        """Pause or continue the replay, move it, or change its speed."""
        clock = self.replay_clock
        if what == "pause":
            clock.toggle_pause()
        elif what in ("faster", "slower"):
            clock.change_speed(1 if what == "faster" else -1)
        else:
            self.move_to(clock.time() + (STEP_SECONDS if what == "forward" else -STEP_SECONDS))
        self.draw()

    def move_to(self, at: float) -> None:
        """Show the time `at` of the recording."""
        assert isinstance(self.link, ReplayLink)
        self.link.move_to(at)
