"""How a release on probation does: restarts, errors in the log, the event loop, and the applications' own word."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Callable, Iterator
from typing import Final

from node_runtime.application import Application
from node_runtime.behaviours.application_controller import applications
from node_runtime.behaviours.starting import resolve
from node_runtime.behaviours.supervision.supervisor_reports import SupervisorReport
from node_runtime.processes.errors import is_cancelled
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.messages import Health, Verdict

from .files.schemas import Probation as Limits

ASKING_SECONDS: Final = 5.0
"""How long an application may think about its health."""
LOOK_SECONDS: Final = 1.0
"""Between two looks; fewer where the limits are shorter, but not fewer than `SHORTEST`."""
SHORTEST: Final = 0.05
IN_A_ROW: Final = 3
"""How many looks in a row have to find a late event loop, or an application that says no."""

Answer = tuple[bool | None, str]


class Watching(logging.Handler):
    """Looks at the health from the install on until `end`; `tell` hears of every change in what is found."""

    def __init__(self, limits: Limits, tell: Callable[[Health], None]) -> None:
        super().__init__(logging.WARNING)
        self._limits = limits
        self._tell = tell
        self._restarts = self._errors = 0
        self._lag = 0.0
        self._late = self._unwell = 0
        self._troubled = time.monotonic()
        self.health = self._found("unknown", "it has only just been installed")
        logging.getLogger().addHandler(self)
        self._task = runtime().loop.create_task(self._watch())

    def end(self) -> None:
        """Look no more."""
        logging.getLogger().removeHandler(self)
        self._task.cancel()

    def emit(self, record: logging.LogRecord) -> None:
        """Count one log record; in any thread."""
        report = getattr(record, "report", None)
        if isinstance(report, SupervisorReport):
            self._restarts += report.restart != "temporary" and report.context in {"child_terminated", "start_error"}
        elif record.levelno >= logging.ERROR:
            self._errors += 1

    # ------------------------------------------------------------------ looking

    async def _watch(self) -> None:
        between = max(SHORTEST, min(LOOK_SECONDS, self._limits.healthy / 4, self._limits.lag))
        while True:
            counted = self._restarts, self._errors
            due = time.monotonic() + between
            await asyncio.sleep(between)
            lag = time.monotonic() - due
            answers = [answer for answer in [await _asked(*one) for one in _who_can_tell()] if answer[0] is not True]
            self._judge(lag, answers, more=counted != (self._restarts, self._errors))

    def _judge(self, lag: float, answers: list[Answer], *, more: bool) -> None:
        now, limits = time.monotonic(), self._limits
        self._lag = max(self._lag, lag)
        self._late = self._late + 1 if lag > limits.lag else 0
        unwell = [said for answer, said in answers if answer is False]
        self._unwell = self._unwell + 1 if unwell else 0
        if more or answers or self._late:
            self._troubled = now
        quiet = now - self._troubled
        if bad := next(self._too_much(unwell), None):
            self._say("bad", bad)
        elif answers:
            self._say("unknown", answers[0][1])
        elif quiet >= limits.healthy:
            self._say("good", f"nothing has gone wrong for {limits.healthy:g} s")
        else:
            self._say("unknown", f"nothing may go wrong for {limits.healthy:g} s")

    def _too_much(self, unwell: list[str]) -> Iterator[str]:
        limits = self._limits
        if self._restarts > limits.restarts:
            yield f"{self._restarts} processes ended and had to be restarted, {limits.restarts} may"
        if self._errors > limits.errors:
            yield f"{self._errors} errors were logged, {limits.errors} may be"
        if self._late >= IN_A_ROW:
            yield f"the event loop is {self._lag:.1f} s late, {limits.lag:g} s are allowed"
        if self._unwell >= IN_A_ROW:
            yield unwell[0]

    def _say(self, verdict: Verdict, finding: str) -> None:
        before, self.health = self.health, self._found(verdict, finding)
        if (before.verdict, before.finding) != (self.health.verdict, self.health.finding):
            self._tell(self.health)

    def _found(self, verdict: Verdict, finding: str) -> Health:
        return Health(
            verdict=verdict,
            finding=finding,
            restarts=self._restarts,
            errors=self._errors,
            lag=self._lag,
            at=time.time(),
        )


def _who_can_tell() -> list[tuple[str, str]]:
    """The running applications whose callbacks say how they are: name and callback class."""
    return [(name, one.spec.mod) for name, one in applications().running.items() if one.spec.mod is not None]


async def _asked(name: str, mod: str) -> Answer:
    """What an application says of its health: True, False, or None for who can't tell, and that in words."""
    try:
        cls = resolve(mod)
        if cls.health is Application.health:
            return True, ""
        async with asyncio.timeout(ASKING_SECONDS):
            said = cls().health()
            answer = await said if inspect.isawaitable(said) else said
    except TimeoutError:
        return None, f"{name} can't tell its health: it did not answer within {ASKING_SECONDS:g} s"
    except BaseException as error:
        if is_cancelled():
            raise
        return None, f"{name} can't tell its health: {type(error).__name__}: {error}"
    if answer is None:
        return None, f"{name} can't tell its health"
    if answer is True or answer is False:
        return answer, f"{name} says that it isn't well"
    return None, f"{name} can't tell its health: {type(answer).__name__} is neither True, False nor None"
