"""An application that handles one key at a time, so that text typed quickly goes where it was meant to go.

Textual passes each key to the widget that has the focus when the key arrives. The key then passes through the queues of
several widgets before its binding runs. Keys that arrive meanwhile would still go to the old widget: if `/state` is
typed quickly, the letters would run the bindings of a table instead of going into the field that `/` opens.

So a key is held until the key before it has had its effect. To find out when that is, the application sends a marker
through the same queues after the key. A second marker then follows the messages that the key's binding has posted, such
as `Input.Submitted`.
"""

from __future__ import annotations

import os
import time
from collections import deque
from typing import Final

from textual import events, on
from textual.app import App
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget

MARKERS: Final = 2
CHECK_SECONDS: Final = 0.02
LONGEST_SECONDS: Final = 5.0
"""A key whose markers don't return within this time no longer holds the keys after it."""


class KeyOrderApp(App[None]):
    """An application that handles a key only after the key before it has had its effect."""

    class KeyPassed(Message):
        """The marker that follows a key."""

        def __init__(self, left: int) -> None:
            self.left = left
            super().__init__()

    _marker: KeyPassed | None = None
    _marked: Widget | None = None
    _sent = 0.0
    _check: Timer | None = None

    def __init__(self, *, ansi_color: bool | None = None) -> None:
        if os.environ.get("NO_COLOR") == "":
            # Textual takes an empty NO_COLOR for set: text is black on black in a terminal with few colours.
            del os.environ["NO_COLOR"]
        super().__init__(ansi_color=ansi_color)
        self._held: deque[events.Key | events.Paste] = deque()

    async def on_event(self, event: events.Event) -> None:
        """Hold a key or a pasted text until the earlier keys and texts have had their effect."""
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
        elif self._marker is None and not self._held:
            await self._handle(event)
        else:
            self._held.append(event)
            if self._check is None:
                self._check = self.set_interval(CHECK_SECONDS, self._release_if_stuck)

    async def _handle(self, event: events.Key | events.Paste) -> None:
        await super().on_event(event)
        self._sent = time.monotonic()
        self._send_marker(MARKERS)

    def _send_marker(self, left: int) -> None:
        """Send a marker through the queues that a key takes now; send none if the focused widget is being removed."""
        if not self.screen_stack:  # the application ends, and has closed its screens
            self._marker = None
            self._held.clear()
            return
        self._marked = self.focused or self.screen
        self._marker = self.KeyPassed(left)
        if not self._marked.post_message(self._marker):
            self._marker = None

    @on(KeyPassed)
    async def _marker_returned(self, marker: KeyPassed) -> None:
        if marker is not self._marker:
            return
        if marker.left > 1:
            self._send_marker(marker.left - 1)
        else:
            self._marker = None
        await self._release()

    async def _release(self) -> None:
        while self._marker is None and self._held:
            await self._handle(self._held.popleft())
        if not self._held and self._check is not None:
            self._check.stop()
            self._check = None

    async def _release_if_stuck(self) -> None:
        """Handle the held keys if the marker can't return (its widget was removed) or has not returned in time."""
        removed = self._marked is not None and not self._marked.is_attached
        if self._marker is not None and (removed or time.monotonic() - self._sent > LONGEST_SECONDS):
            self._marker = None
        await self._release()
