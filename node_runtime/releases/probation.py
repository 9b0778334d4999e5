"""The probation: the time between an install and its commit. At its deadline, or on bad health, the node reverts.

To revert is to go back to the permanent release, the one that boots.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from node_runtime.processes.runtime import runtime
from node_runtime.protocol.messages import Health

from .files.schemas import ProbationSettings
from .health import HealthMonitor

logger: Final = logging.getLogger("node_runtime")

RETRY_SECONDS: Final = 10.0
"""Time between two attempts to revert."""
REVERT_WAIT_SECONDS: Final = 60.0
"""How long each attempt to revert waits for blockers that may pass by themselves."""
MAX_REVERT_ATTEMPTS: Final = 3
"""After this many failed attempts to revert, the node restarts and boots another release."""


class Probation:
    """Monitors the installed release until it is committed, reverted or replaced.

    `revert(why)` begins the revert. `restart(why)` restarts the node; it is called if reverting
    fails. `bootable()` blocks, and returns the releases that could boot. `on_health` is called at
    each change of health.
    """

    def __init__(
        self,
        revert: Callable[[str], None],
        restart: Callable[[str], None],
        bootable: Callable[[], list[str]],
        on_health: Callable[[Health], None],
    ) -> None:
        self.until: float | None = None
        self._revert = revert
        self._restart = restart
        self._bootable = bootable
        self._on_health = on_health
        self._monitor: HealthMonitor | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._why: str | None = None
        self._failed_attempts = 0
        self._restarting: asyncio.Task[None] | None = None

    @property
    def health(self) -> Health | None:
        """The health of the release on probation, or None."""
        return None if self._monitor is None else self._monitor.health

    def begin(self, settings: ProbationSettings) -> None:
        """Begin the probation of a release. A deadline of 0 means no deadline."""
        self.end()
        self._monitor = HealthMonitor(settings, self._health_changed)
        if settings.deadline > 0:
            self.until = time.time() + settings.deadline
            self._schedule_revert(settings.deadline, "the release was not committed in time")

    def end(self) -> None:
        """End the probation: the release was committed, reverted or replaced."""
        self.until = self._why = None
        self._failed_attempts = 0
        while self._timers:
            self._timers.pop().cancel()
        if self._monitor is not None:
            self._monitor.end()
            self._monitor = None

    def operation_ended(self, *, tried: bool) -> None:
        """Retry a due revert when an operation has ended; after too many attempts, restart.

        `tried` is whether that operation was itself a failed attempt to revert.
        """
        if self._why is None:
            return
        self._failed_attempts += tried
        if self._failed_attempts >= MAX_REVERT_ATTEMPTS:
            self.restart(self._why)
        else:
            self._schedule_revert(RETRY_SECONDS if tried else 0.0, self._why)

    def restart(self, why: str) -> None:
        """Restart the node, as the last resort. If no other release could boot, retry the revert later instead."""
        self._restarting = runtime().loop.create_task(self._restart_if_bootable(why))

    async def _restart_if_bootable(self, why: str) -> None:
        bootable = await asyncio.to_thread(self._bootable)
        if self._why is None:
            return  # the release was committed while `bootable` ran
        if bootable:
            self._restart(why)
        else:
            logger.critical(
                "no other release could boot after a restart, so the node keeps running this release and retries the "
                "revert in %g s; reason for the revert: %s",
                RETRY_SECONDS,
                why,
            )
            self._schedule_revert(RETRY_SECONDS, self._why)

    def _health_changed(self, health: Health) -> None:
        if health.verdict == "bad" and self._why is None:
            self._begin_revert(health.finding)
        self._on_health(health)

    def _schedule_revert(self, seconds: float, why: str) -> None:
        self._timers.append(runtime().loop.call_later(seconds, self._begin_revert, why))

    def _begin_revert(self, why: str) -> None:
        self._why = self._why or why
        self._revert(self._why)
