"""The health of a release on probation: crashes, restarts, logged errors, event loop lag, applications' health checks.

The runtime counts crashes and restarts, so that no settings of `logging` can hide them. Errors that the release itself
logs are read from the log: an error counts only if it reaches the root logger.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Callable, Iterator
from copy import copy
from typing import Final

from node_runtime.application import Application
from node_runtime.behaviours.application_controller import applications
from node_runtime.behaviours.code_references import resolve_reference
from node_runtime.processes.crash_report import COUNTED, failures
from node_runtime.processes.errors import is_being_cancelled
from node_runtime.processes.exit_reasons import describe_reason
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.messages import Health, HealthVerdict

from .files.schemas import ProbationSettings

HEALTH_TIMEOUT_SECONDS: Final = 5.0
"""Time limit of the `health` method of an application."""
CHECK_INTERVAL_SECONDS: Final = 1.0
"""Longest time between two checks. Short limits of the probation shorten it, down to `MIN_CHECK_INTERVAL_SECONDS`."""
MIN_CHECK_INTERVAL_SECONDS: Final = 0.05
BAD_CHECKS_IN_A_ROW: Final = 3
"""Health is bad after this many successive checks with a late event loop, or with an unhealthy application."""
MAX_QUIET_FACTOR: Final = 10
"""Good health needs a time without trouble. Failures lengthen this time to at most so many times the setting `healthy`.
"""

HealthAnswer = tuple[bool | None, str]


class HealthMonitor(logging.Handler):
    """Monitors the health of the node until `end` is called.

    Calls `on_change` when the verdict or its reason changes.
    """

    def __init__(self, limits: ProbationSettings, on_change: Callable[[Health], None]) -> None:
        super().__init__(logging.WARNING)
        self._limits = limits
        self._on_change = on_change
        self._failures = failures()
        self._before = copy(self._failures)
        self._ended_before = len(self._failures.endings)
        self._logged = 0
        self._lag = 0.0
        self._late_checks = self._unhealthy_checks = 0
        self._last_trouble = self._last_failure = time.monotonic()
        self._quiet_needed = limits.healthy
        self.health = self._health("unknown", "the release was just installed")
        logging.getLogger().addHandler(self)
        self._task = runtime().loop.create_task(self._monitor())

    def end(self) -> None:
        """Stop monitoring."""
        logging.getLogger().removeHandler(self)
        self._task.cancel()

    def emit(self, record: logging.LogRecord) -> None:
        """Count a log record that reports an error. May be called in any thread."""
        if record.levelno >= logging.ERROR and not hasattr(record, COUNTED):
            self._logged += 1

    @property
    def _crashes(self) -> int:
        return self._failures.crashes - self._before.crashes

    @property
    def _errors(self) -> int:
        return self._logged + self._crashes

    @property
    def _restarts(self) -> int:
        return self._failures.restarts - self._before.restarts

    # ------------------------------------------------------------------ checks

    async def _monitor(self) -> None:
        interval = max(
            MIN_CHECK_INTERVAL_SECONDS, min(CHECK_INTERVAL_SECONDS, self._limits.healthy / 4, self._limits.lag)
        )
        while True:
            counted = self._restarts, self._crashes, self._logged
            due = time.monotonic() + interval
            await asyncio.sleep(interval)
            lag = time.monotonic() - due
            self._listen()
            answers = [
                answer
                for answer in [await _ask_application(*app) for app in _applications_with_health()]
                if answer[0] is not True
            ]
            if counted[:2] != (self._restarts, self._crashes):
                self._expect_next_failure()
            self._judge(lag, answers, more=counted != (self._restarts, self._crashes, self._logged))

    def _listen(self) -> None:
        """Add this handler to the root logger again, if the release has removed it."""
        root = logging.getLogger()
        if self not in root.handlers:
            root.addHandler(self)

    def _expect_next_failure(self) -> None:
        """After a failure, require a longer time without failures for good health: twice the time between the last two.

        At most `healthy` times `MAX_QUIET_FACTOR` is required.
        """
        now = time.monotonic()
        between, self._last_failure = now - self._last_failure, now
        longest = self._limits.healthy * MAX_QUIET_FACTOR
        self._quiet_needed = max(self._quiet_needed, min(between * 2, longest))

    def _judge(self, lag: float, answers: list[HealthAnswer], *, more: bool) -> None:
        now, limits = time.monotonic(), self._limits
        self._lag = max(self._lag, lag)
        self._late_checks = self._late_checks + 1 if lag > limits.lag else 0
        unhealthy = [sentence for answer, sentence in answers if answer is False]
        self._unhealthy_checks = self._unhealthy_checks + 1 if unhealthy else 0
        if more or answers or self._late_checks or self._failures.unfinished_restarts:
            self._last_trouble = now
        quiet = now - max(self._last_trouble, self._failures.retry_due)
        if violation := next(self._violations(unhealthy), None):
            self._report("bad", violation)
        elif answers:
            self._report("unknown", answers[0][1])
        elif quiet >= self._quiet_needed:
            self._report("good", f"no trouble for {round(self._quiet_needed, 1):g} s")
        else:
            self._report("unknown", f"needs {round(self._quiet_needed, 1):g} s without trouble")

    def _violations(self, unhealthy: list[str]) -> Iterator[str]:
        limits = self._limits
        if endings := self._failures.endings[self._ended_before :]:
            yield endings[0]
        if self._restarts > limits.restarts:
            yield f"{self._restarts} restarts of processes (limit {limits.restarts})"
        if self._errors > limits.errors:
            counted = "errors and crashes" if self._crashes else "errors logged"
            yield f"{self._errors} {counted} (limit {limits.errors})"
        if self._late_checks >= BAD_CHECKS_IN_A_ROW:
            yield f"the event loop was up to {self._lag:.1f} s late (limit {limits.lag:g} s)"
        if self._unhealthy_checks >= BAD_CHECKS_IN_A_ROW:
            yield unhealthy[0]

    def _report(self, verdict: HealthVerdict, finding: str) -> None:
        before, self.health = self.health, self._health(verdict, finding)
        if (before.verdict, before.finding) != (self.health.verdict, self.health.finding):
            self._on_change(self.health)

    def _health(self, verdict: HealthVerdict, finding: str) -> Health:
        return Health(
            verdict=verdict,
            finding=finding,
            restarts=self._restarts,
            errors=self._errors,
            lag=self._lag,
            at=time.time(),
        )


def _applications_with_health() -> list[tuple[str, str]]:
    """Return the name and callback class of each running application that has a callback class."""
    return [(name, one.spec.mod) for name, one in applications().running.items() if one.spec.mod is not None]


async def _ask_application(name: str, mod: str) -> HealthAnswer:
    """Call an application's health check. Return the answer (None: unknown), and a sentence for any answer but True."""
    try:
        cls = resolve_reference(mod)
        if cls.health is Application.health:
            return True, ""
        async with asyncio.timeout(HEALTH_TIMEOUT_SECONDS):
            result = cls().health()
            answer = await result if inspect.isawaitable(result) else result
    except TimeoutError:
        late = f"its health check did not answer within {HEALTH_TIMEOUT_SECONDS:g} s"
        return None, f"the health of {name} is unknown: {late}"
    except BaseException as error:
        if is_being_cancelled():
            raise
        return None, f"the health of {name} is unknown: {describe_reason(error)}"
    if answer is None:
        return None, f"the health of {name} is unknown: its health check returned None"
    if answer is True or answer is False:
        return answer, f"{name} reports bad health"
    return (
        None,
        f"the health of {name} is unknown: its health check returned {type(answer).__name__}, not True, False or None",
    )
