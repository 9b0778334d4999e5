"""Programs in a real terminal."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Callable

import pytest

from tests.support.waiting import until

needs_tmux = pytest.mark.skipif(
    shutil.which("tmux") is None, reason="no tmux on this machine; install it to see the dashboard in a real terminal"
)


class Terminal:
    """A separate tmux server with one window."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = env
        self._socket = f"hotdash-test-{secrets.token_hex(4)}"

    def tmux(self, *words: str) -> str:
        line = ["tmux", "-L", self._socket, "-f", os.devnull, *words]
        return subprocess.run(line, env=self._env, capture_output=True, text=True, timeout=120, check=False).stdout

    def start(self, *command: str, columns: int = 100, lines: int = 30) -> None:
        size = ("-x", str(columns), "-y", str(lines))
        self.tmux("new-session", "-d", *size, *command, ";", "set-option", "-g", "remain-on-exit", "on")

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p")

    def text(self) -> str:
        """The screen with the lines above it: the note about an ended program scrolls the first line away."""
        return self.tmux("capture-pane", "-p", "-S", "-")

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def until(self, condition: Callable[[str], bool], what: str, within: float = 180.0) -> None:
        until(lambda: condition(self.screen()), what, within=within, shown=self.screen)

    def ended(self) -> bool:
        return self.tmux("list-panes", "-F", "#{pane_dead}").strip() == "1"
