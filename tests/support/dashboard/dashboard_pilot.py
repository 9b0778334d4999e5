"""An open dashboard as a person uses it: the screen and the keys."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import pytest
from textual.pilot import Pilot

from hotdash.app import HotdashApp
from tests.support.waiting import eventually


@dataclass
class DashboardUser:
    """An open dashboard and the keyboard in front of it."""

    app: HotdashApp
    pilot: Pilot[None]

    def frame(self) -> str:
        """The screen as lines of text. Only this method uses Textual's internal compositor."""
        return "\n".join(strip.text.rstrip() for strip in self.app.screen._compositor.render_strips())

    def toasts(self) -> list[str]:
        """The texts of the notifications."""
        return [notification.message for notification in self.app._notifications]

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def type(self, text: str) -> None:
        await self.pilot.press(*("full_stop" if character == "." else character for character in text))

    async def sees(self, *texts: str) -> None:
        """Wait until all of these are on the screen."""
        try:
            await eventually(lambda: all(text in self.frame() for text in texts))
        except pytest.fail.Exception:
            missing = [text for text in texts if text not in self.frame()]
            pytest.fail(f"{missing} not on the screen:\n{self.frame()}\n{self.toasts()}")

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
    await user.sees("Install 1986.a → 1986.b")
