"""Runs slow checks in a separate thread, so that the code that requests a check doesn't wait for it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from node_runtime.protocol.exit_codes import Refused


class BackgroundChecks:
    """Calls `check(name)` once for each requested name, one name after the other. A check may raise `Refused`."""

    def __init__(self, check: Callable[[str], None]) -> None:
        self._check = check
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._waiting: deque[str] = deque()
        self._is_running = False

    def request(self, name: str) -> None:
        """Request a check of `name`, unless it was requested before. Returns at once; may be called in any thread."""
        with self._lock:
            if name in self._known:
                return
            self._known.add(name)
            self._waiting.append(name)
            if self._is_running:
                return
            self._is_running = True
        threading.Thread(target=self._run, name="node_runtime.releases.checks", daemon=True).start()

    def forget(self, name: str) -> None:
        """Forget that `name` was requested, so that its check can be requested again."""
        with self._lock:
            self._known.discard(name)

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_running = False
                    return
                name = self._waiting.popleft()
            with suppress(Refused):
                self._check(name)
