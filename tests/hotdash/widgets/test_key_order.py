"""Keys that are held until the keys before them have had their effect."""

from __future__ import annotations

import asyncio

from textual import events
from textual.app import ComposeResult
from textual.widgets import Static

from hotdash.widgets.key_order import KeyOrderApp


class SlowApp(KeyOrderApp):
    """An application whose end takes some turns of the event loop."""

    def compose(self) -> ComposeResult:
        yield Static("text")

    async def on_unmount(self) -> None:
        for _ in range(100):
            await asyncio.sleep(0)


async def test_keys_that_are_held_when_the_application_ends_are_dropped() -> None:
    app = SlowApp()
    async with app.run_test():
        for key in "abcdef":
            app.post_message(events.Key(key, key))
    assert not app.is_running
