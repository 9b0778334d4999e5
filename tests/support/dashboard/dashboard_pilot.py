"""An open dashboard as a person uses it: the screen and the keys."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

import pytest
from textual import events
from textual.pilot import Pilot

from hotdash.app import HotdashApp
from tests.support.waiting import eventually

LOOK_SECONDS: Final = 0.04
"""The pause between two looks at the screen: each look draws all of it, which takes longer than what is waited for."""
REDRAW_SECONDS: Final = 0.5
"""After this time, a look draws a screen also if Textual has reported no change of it."""
SCREEN_SECONDS: Final = 90.0
"""The longest wait for a text, also on a machine with much else to do."""
KEY_NAMES: Final = {
    ".": "full_stop",
    "_": "underscore",
    "/": "slash",
    ":": "colon",
    "\r": "enter",
    "\x1b": "escape",
    "\x06": "ctrl+f",
}
"""Textual's names of the keys whose name is not their character."""


class DrawnChanges:
    """The number of times that Textual would have drawn changes of a screen."""

    count = 0


@dataclass
class DashboardUser:
    """An open dashboard and the keyboard in front of it."""

    app: HotdashApp
    pilot: Pilot[None]
    _seen: tuple[object, int, str] = (None, 0, "")
    """The screen that was drawn last, the number of changes before that, and its text."""
    _seen_at: float = 0.0

    def frame(self) -> str:
        """The screen as lines of text. Only this method uses Textual's internal compositor."""
        return "\n".join(strip.text.rstrip() for strip in self.app.screen._compositor.render_strips())

    def toasts(self) -> list[str]:
        """The texts of the notifications."""
        return [notification.message for notification in self.app._notifications]

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def type(self, text: str) -> None:
        """Type a text as fast as a paste: without the pilot's pauses of 40 ms and more after each key."""
        for character in text:
            self.app.post_message(events.Key(KEY_NAMES.get(character, character), character))
        await self.pilot.pause()

    async def sees(self, *texts: str) -> None:
        """Wait until all of these are on the screen."""
        try:
            await eventually(lambda: not self.missing(texts), pause=LOOK_SECONDS, within=SCREEN_SECONDS)
        except pytest.fail.Exception:
            pytest.fail(f"{self.missing(texts)} not on the screen:\n{self.frame()}\n{self.toasts()}")

    def missing(self, texts: tuple[str, ...]) -> list[str]:
        """Those of the texts that are not on the screen. A screen without changes is not drawn again."""
        screen, changes, frame = self._seen
        is_old = time.monotonic() - self._seen_at > REDRAW_SECONDS
        if screen is not self.app.screen or changes != DrawnChanges.count or is_old:
            self._seen_at, changes = time.monotonic(), DrawnChanges.count
            frame = self.frame()
            self._seen = (self.app.screen, changes, frame)
        return [text for text in texts if text not in frame]

    async def is_notified(self, text: str) -> None:
        """Wait until a notification has this text."""
        await eventually(lambda: any(text in toast for toast in self.toasts()), what=f"the toast {text!r}")


Open = Callable[..., AbstractAsyncContextManager[DashboardUser]]
"""Opens a dashboard: `async with opened() as user`."""


async def upgrade_to_b(user: DashboardUser) -> None:
    """Go to the operation's screen, with an operator's keys."""
    await user.press("5", "down", "U")
    await user.sees("Type 1986.b to proceed")
    await user.type("1986.b")
    await user.press("enter", "enter")
    await user.sees("Upgrade 1986.a → 1986.b")
