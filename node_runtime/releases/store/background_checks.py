"""Runs slow checks in a separate thread, so that the code that requests a check doesn't wait for it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.regular_file import ShortOfResources

logger = logging.getLogger("node_runtime")


class BackgroundChecks:
    """Calls `check(name)` once for each requested name, one name after the other. A check may raise `Refused`.

    A check that lacks descriptors, memory or a thread has found nothing, so the next request repeats it.
    """

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
        try:
            threading.Thread(target=self._run, name="node_runtime.releases.checks", daemon=True).start()
        except RuntimeError:  # the system has no thread left
            with self._lock:
                self._is_running = False
                self._known.difference_update(self._waiting)
                self._waiting.clear()

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
            try:
                self._check(name)
            except (ShortOfResources, MemoryError):
                self.forget(name)
            except Refused:
                continue  # the check has recorded it
            except Exception:
                logger.exception("the check of release %s has failed", name)
