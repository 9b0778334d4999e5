"""The probation: the time between an install and its commit. At the deadline, or on bad health, the node reverts.

To revert means to return to the permanent release, the one that boots after a restart.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from node_runtime.processes.runtime import runtime
from node_runtime.protocol.messages import Health, Operation

from . import rehearsal
from .files.schemas import ProbationSettings
from .health import HealthMonitor
from .store.release_store import ReleaseStore

logger: Final = logging.getLogger("node_runtime")

RETRY_SECONDS: Final = 10.0
"""Time between two attempts to revert."""
REVERT_WAIT_SECONDS: Final = 60.0
"""How long each attempt to revert waits for blockers that may pass by themselves."""
CLOCK_TOLERANCE_SECONDS: Final = 1.0
"""If the clock is changed by more than this, the displayed time of the deadline is corrected."""
LATE: Final = "the release was not committed in time"
"""The reason for a revert at the deadline."""
MAX_REVERT_ATTEMPTS: Final = 3
"""After this many failed attempts to revert, the node restarts and boots another release."""


def missing_way_back(vsn: str, permanent: str, left: str, store: ReleaseStore, operation: Operation) -> str | None:
    """Return a sentence that says why only a restart, and no install, leads back from `vsn` to `permanent`; else None.

    `operation` has installed release `vsn`; before, release `left` was running.
    """
    path, rehearsed = store.path(vsn, permanent), operation.rehearsal
    if path is None:
        why = f"no appup leads back to release {permanent}"
    elif rehearsed is not None and rehearsal.blocks_way_back(rehearsed, left, path):
        number = rehearsed.no_way_back
        why = f"in the rehearsal, the way back failed for {number} process{'es' * (number != 1)}"
    else:
        return None
    return (
        f"Release {vsn} has no way back: {why}. Unless it is committed, the node restarts into release {permanent}, "
        f"and all states are lost."
    )


class Probation:
    """Monitors the installed release until it is committed, reverted or replaced.

    `revert(why)` begins the revert. If reverting fails, `restart(why)` restarts the node. `bootable()` returns the
    releases that could boot after a restart; it blocks. `on_health` is called at each change of health.
    """

    def __init__(
        self,
        revert: Callable[[str], None],
        restart: Callable[[str], None],
        bootable: Callable[[], list[str]],
        on_health: Callable[[Health], None],
    ) -> None:
        self._until: float | None = None
        self._due = 0.0
        self._revert = revert
        self._restart = restart
        self._bootable = bootable
        self._on_health = on_health
        self._monitor: HealthMonitor | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._why: str | None = None
        self._failed_attempts = self._refusals = 0
        self._restarting: asyncio.Task[None] | None = None
        self._deadline = 0.0
        self.no_way_back: str | None = None
        """Why a revert will need a restart of the node, as a sentence; None if it may work without a restart."""

    @property
    def until(self) -> float | None:
        """The Unix time of the deadline; None without a deadline.

        If somebody sets the clock, this time changes by the same amount: the seconds until the deadline don't change.
        """
        until = self._until
        if until is not None:
            by_now = time.time() + self._due - time.monotonic()
            if abs(by_now - until) > CLOCK_TOLERANCE_SECONDS:
                self._until = until = by_now
        return until

    @property
    def health(self) -> Health | None:
        """The health of the release on probation; None if no release is on probation."""
        return None if self._monitor is None else self._monitor.health

    def begin(self, settings: ProbationSettings) -> None:
        """Begin the probation of a release. A deadline of 0 means no deadline."""
        self.end()
        self._monitor = HealthMonitor(settings, self._health_changed)
        self._deadline = settings.deadline
        self.restart_deadline()

    def restart_deadline(self) -> None:
        """Start the time until the deadline again. Called when all workers run the release.

        Before that, nobody could commit the release.
        """
        if self._monitor is None or self._deadline <= 0 or self._why not in (None, LATE):
            return
        self._cancel_timers()
        self._why, self._until = None, time.time() + self._deadline
        self._due = time.monotonic() + self._deadline
        self._schedule_revert(self._deadline, LATE)

    def end(self) -> None:
        """End the probation: the release was committed, reverted or replaced."""
        self._until = self._why = self.no_way_back = None
        self._failed_attempts = self._refusals = 0
        self._cancel_timers()
        if self._monitor is not None:
            self._monitor.end()
            self._monitor = None

    def report_way_back(self, missing: str | None) -> None:
        """Report at once, instead of at the deadline, that the release can't be reverted without a restart.

        `missing` is the sentence that says why. If it is None, there is a way back and nothing is reported.
        """
        if self._monitor is not None and missing is not None:
            self.no_way_back = missing
            logger.warning("%s", missing)

    def report_trouble(self, why: str) -> None:
        """Revert a release on probation because of trouble in another worker of the node; `why` is a clause."""
        if self._monitor is not None and self._why is None:
            self._begin_revert(why)

    def operation_ended(self, *, tried: bool) -> None:
        """An operation has ended: if a revert is due, try it again or, after too many attempts, restart the node.

        `tried` is whether that operation was itself a failed attempt to revert.
        """
        if self._why is None:
            return
        self._failed_attempts += tried
        if tried:
            self._refusals = 0  # the revert was accepted, so a later refusal has another cause
        if self._failed_attempts >= MAX_REVERT_ATTEMPTS:
            self.restart(self._why)
        else:
            self._schedule_revert(RETRY_SECONDS if tried else 0.0, self._why)

    def revert_refused(self, why: str) -> None:
        """After a refused revert, verify all files again and try once more; if that is refused too, restart the node.

        The files of the permanent release may have been unreadable only for a while.
        """
        self._refusals += 1
        self._restarting = runtime().loop.create_task(self._restart_if_bootable(why, retry=self._refusals == 1))

    def restart(self, why: str) -> None:
        """Restart the node, as the last resort. If no other release could boot, retry the revert later instead."""
        self._restarting = runtime().loop.create_task(self._restart_if_bootable(why, retry=False))

    async def _restart_if_bootable(self, why: str, *, retry: bool) -> None:
        bootable = await asyncio.to_thread(self._bootable)  # verifies the files
        if self._why is None:
            return  # the release was committed while `bootable` ran
        if bootable and retry:
            self._schedule_revert(0.0, self._why)
        elif bootable:
            self._restart(why)
        else:
            logger.critical(
                "no other release could boot after a restart, so the node keeps running this release and retries the "
                "revert in %g s; reason for the revert: %s",
                RETRY_SECONDS,
                why,
            )
            self._refusals = 0
            self._schedule_revert(RETRY_SECONDS, self._why)

    def _health_changed(self, health: Health) -> None:
        if health.verdict == "bad" and self._why is None:
            self._begin_revert(health.finding)
        self._on_health(health)

    def _cancel_timers(self) -> None:
        while self._timers:
            self._timers.pop().cancel()

    def _schedule_revert(self, seconds: float, why: str) -> None:
        self._timers.append(runtime().loop.call_later(seconds, self._begin_revert, why))

    def _begin_revert(self, why: str) -> None:
        self._why = self._why or why
        self._revert(self._why)
