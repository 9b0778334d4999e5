"""Carrying a relup out on the live node: prepare, hold, switch in one turn, resume; or put everything back.

Nothing runs on a new state before all of them are there: processes are given theirs last. So until then putting back
is switching the namespaces back and running the undos, and the states are the very objects that they were.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from node_runtime.behaviours.upgrade.live_processes import Hold
from node_runtime.code import Batch, CodeServer, OldVersionHeld
from node_runtime.processes.errors import is_cancelled
from node_runtime.processes.exit_reasons import describe_reason
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Blocker, ProcessResult
from node_runtime.releases import rehearsal
from node_runtime.releases.operation_progress import Progress
from node_runtime.releases.planning import conditions
from node_runtime.releases.planning.transition import Transition

from .results import Pause, make_results, touched
from .switch import Switch, Unready

logger = logging.getLogger("node_runtime")

TICK = 0.01
SWITCH_SECONDS = 0.0002
TURNS = 4
"""How many turns of the event loop it takes until those who are due have come as far as they get without a wait."""
FRESH = 5.0
"""Seconds for which a rehearsal counts while the install waits for a safe moment."""


@dataclass(frozen=True, slots=True)
class Installed:
    """The target runs. `pause` is the time in seconds from the first hold to the last resume.

    `touched` is how many processes it was about; `results` tells of some of them.
    """

    pause: float
    results: tuple[ProcessResult, ...]
    touched: int


class Aborted(Exception):
    """Nothing was touched; the sentence says why."""


class PutBack(Exception):
    """It failed and was undone; `incomplete` says what could not be, if anything."""

    def __init__(
        self, sentence: str, pause: float, results: tuple[ProcessResult, ...], touched: int, incomplete: str | None
    ) -> None:
        super().__init__(sentence)
        self.pause = pause
        self.results = results
        self.touched = touched
        self.incomplete = incomplete


class Installation:
    """One way through a transition. `wait` is how many seconds transient blockers may take; nothing is touched before
    the operation's intent is `durable`.

    `unrehearsed`: processes whose code_change can't be rehearsed don't stand in the way. `rehearsing` is told how far
    the rehearsal is, and `resumed` when the target runs, which nothing that comes after that takes back.
    """

    def __init__(
        self,
        transition: Transition,
        code: CodeServer,
        progress: Progress,
        wait: float,
        unrehearsed: bool,
        rehearsing: rehearsal.Hear,
        durable: Awaitable[None],
        resumed: Callable[[], None],
    ) -> None:
        self.transition = transition
        self.code = code
        self.progress = progress
        self.deadline = math.inf if math.isinf(wait) else time.monotonic() + wait
        self._unrehearsed = unrehearsed
        self._rehearsing = rehearsing
        self._durable = durable
        self._resumed = resumed
        self._rehearsed = -math.inf

    async def run(self) -> Installed:
        """Raises `Aborted`, or `PutBack` for a failure after the point of no return."""
        if reason := self.transition.restart_reason():
            raise Aborted(f"{reason}: this needs a restart of the node.")
        batch = await self._prepared()
        try:
            await self._durable
            return await self._with(batch)
        finally:
            if batch.status == "prepared":
                batch.discard()

    async def _prepared(self) -> Batch:
        self.progress.enter("preparing")
        self.progress.report()
        while True:
            try:
                with polite_threads():
                    return await asyncio.to_thread(self.code.prepare, self.transition.sources, self.transition.removed)
            except OldVersionHeld as held:
                await self._wait(held.sentence)
                while self.code.held_old(held.module):
                    await self._wait(held.sentence)
            except Refused as refused:
                raise Aborted(refused.sentence) from refused

    async def _with(self, batch: Batch) -> Installed:
        lasting = conditions.lasting(self.transition, batch)
        if lasting:
            raise Aborted(_sentence(lasting))
        while True:
            unready = list(conditions.unready_states(self.transition, batch))
            if not unready:
                await self._rehearse(batch)
                ended = await self._carry_out(batch)
                if isinstance(ended, Installed):
                    return ended
                unready = ended
            await self._wait(_sentence(unready))

    async def _rehearse(self, batch: Batch) -> None:
        """Run every code_change on a copy of the states as they are now, unless that was done just before."""
        if not rehearsal.is_due(self.transition) or time.monotonic() < self._rehearsed + FRESH:
            return
        self.progress.enter("rehearsing")
        self.progress.report()
        went = (await rehearsal.rehearse(self.transition, batch, self.code, self._rehearsing)).rehearsal
        self._rehearsed = time.monotonic()
        self.progress.set_rehearsal(rehearsal.problems_only(went))
        if refusal := rehearsal.refusal(went, self._unrehearsed):
            raise Aborted(refusal)

    async def _wait(self, sentence: str) -> None:
        """Look again a moment later, or give up with the sentence if the time is over."""
        if time.monotonic() >= self.deadline:
            raise Aborted(sentence)
        if self.progress.enter("waiting"):
            self.progress.report()
        await asyncio.sleep(TICK)

    # ------------------------------------------------------------------ the pause

    async def _carry_out(self, batch: Batch) -> Installed | list[Blocker]:
        """Hold, run the script and resume, or put everything back; or say what stands in the way for now."""
        if self.transition.suspended:
            self.progress.enter("holding")
            self.progress.report()
        await others()
        with uncollected():
            began = time.perf_counter()
            hold = Hold(self.progress.id)
            try:
                await self._hold(hold)
                switch = Switch(self.transition, batch, self.code, hold, self.progress)
            except BaseException:
                hold.release()
                raise
            failure: BaseException | None = None
            try:
                await switch.run()
            except BaseException as error:
                await switch.put_back()
                pause = Pause(began, time.perf_counter())
                failure = error
            else:
                self.progress.enter("resuming")
                switch.resume()
                pause = Pause(began, time.perf_counter())
                self._resumed()
        await others()
        results = await self._ended(switch, pause, succeeded=failure is None)
        if failure is None:
            return Installed(pause.seconds, results, touched(switch, pause))
        exact = switch.put_back_failed is None
        if is_cancelled():
            raise failure
        if isinstance(failure, Unready) and exact:
            return failure.blockers
        raise self._failed(switch, failure, pause, results) from failure

    async def _ended(self, switch: Switch, pause: Pause, *, succeeded: bool) -> tuple[ProcessResult, ...]:
        """What takes its time when everybody runs again; what fails of it changes nothing of what was done."""
        try:
            await switch.end(succeeded=succeeded)
            if succeeded:
                await switch.surroundings.tell()
            return await make_results(switch, pause, put_back=not succeeded)
        except BaseException:
            if is_cancelled():
                raise
            logger.exception("operation %s can't tell what it did to each process", self.progress.id)
            return ()

    async def _hold(self, hold: Hold) -> None:
        """Hold everybody whom the script suspends, those born meanwhile too, under one deadline. Raises `Aborted`."""
        deadline = hold.since + self.transition.hold_seconds
        modules = frozenset(self.transition.suspended)
        while modules and (busy := hold.hold_idle(modules)):
            left = max(0.0, deadline - time.perf_counter())
            answers = await asyncio.gather(*(hold.hold_busy(one, left) for one in busy), return_exceptions=True)
            errors = [answer for answer in answers if isinstance(answer, BaseException)]
            if errors:
                raise Aborted("; ".join(str(error) for error in errors)) from errors[0]

    def _failed(
        self, switch: Switch, error: BaseException, pause: Pause, results: tuple[ProcessResult, ...]
    ) -> Exception:
        sentence = ": ".join([*getattr(error, "__notes__", ()), describe_reason(error)])
        if not switch.past_bar and switch.put_back_failed is None:
            return Aborted(sentence)
        if self._unrehearsed and (unchecked := switch.unchecked()):
            sentence = f"{sentence}; {unchecked}"
        return PutBack(sentence, pause.seconds, results, touched(switch, pause), switch.put_back_failed)


async def others() -> None:
    """Before the pause, and after it before anything else is done: let everybody else go first."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


@contextmanager
def polite_threads() -> Iterator[None]:
    """Let the event loop have the interpreter soon while a thread computes: by default that takes 5 ms each time."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(min(interval, SWITCH_SECONDS))
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


@contextmanager
def uncollected() -> Iterator[None]:
    """Let the garbage collector stay away: what is made meanwhile is going to live.

    Afterwards it counts as old, without a collection that looks at all of it. A program that has frozen objects itself
    keeps them frozen.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            if not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def _sentence(blockers: list[Blocker]) -> str:
    return "; ".join(blocker.reason for blocker in blockers)
