"""Carrying a relup out on the live node: prepare, hold, switch in one turn, resume; or put everything back.

Nothing runs on a new state before all of them are there: processes are given theirs last. So until then putting back
is switching the namespaces back and running the undos, and the states are the very objects that they were.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from node_runtime.behaviours import hot
from node_runtime.code import Batch, CodeServer, OldVersionHeld
from node_runtime.processes.errors import NoProcess
from node_runtime.processes.pid import Pid
from node_runtime.processes.process import Process
from node_runtime.protocol.exits import Refused
from node_runtime.protocol.messages import Blocker, ProcessResult

from . import conditions
from .progress import Progress
from .surroundings import follow_sources
from .switch import Switch, Unready
from .transition import Transition

TICK = 0.01


@dataclass(frozen=True, slots=True)
class Installed:
    """The target runs. `pause` is the time in seconds from the first hold to the last resume."""

    pause: float
    results: tuple[ProcessResult, ...]


class Aborted(Exception):
    """Nothing was touched; the sentence says why."""


class PutBack(Exception):
    """It failed and was undone; `incomplete` says what could not be, if anything."""

    def __init__(self, sentence: str, pause: float, results: tuple[ProcessResult, ...], incomplete: str | None) -> None:
        super().__init__(sentence)
        self.pause = pause
        self.results = results
        self.incomplete = incomplete


class Installation:
    """One way through a transition. `wait` is how many seconds transient blockers may take."""

    def __init__(self, transition: Transition, code: CodeServer, progress: Progress, wait: float) -> None:
        self.transition = transition
        self.code = code
        self.progress = progress
        self.deadline = math.inf if math.isinf(wait) else time.monotonic() + wait
        self._held: dict[int, Process] = {}
        self._pause_began = 0.0

    async def run(self) -> Installed:
        """Raises `Aborted`, or `PutBack` for a failure after the point of no return."""
        if reason := self.transition.restart_reason():
            raise Aborted(f"{reason}: this needs a restart of the node.")
        batch = await self._prepared()
        try:
            return await self._with(batch)
        finally:
            if batch.status == "prepared":
                batch.discard()

    async def _prepared(self) -> Batch:
        self.progress.enter("preparing")
        self.progress.tell()
        while True:
            try:
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
                try:
                    await self._hold()
                    unready = list(conditions.unready_states(self.transition, batch))
                    if not unready:
                        return await self._switch(batch)
                except Unready as changed:
                    unready = changed.blockers
                finally:
                    self._release()
            await self._wait(_sentence(unready))

    async def _wait(self, sentence: str) -> None:
        """Look again a moment later, or give up with the sentence if the time is over."""
        if time.monotonic() >= self.deadline:
            raise Aborted(sentence)
        if self.progress.enter("waiting"):
            self.progress.tell()
        await asyncio.sleep(TICK)

    # ------------------------------------------------------------------ holding

    async def _hold(self) -> None:
        """Hold everybody whom the script suspends, those born meanwhile too, under one deadline. Raises `Aborted`."""
        if not self.transition.suspended:
            self._pause_began = time.perf_counter()
            return
        self.progress.enter("holding")
        self.progress.tell()
        self._pause_began = time.perf_counter()
        deadline = self._pause_began + self.transition.hold_seconds
        while missing := self._not_held():
            busy = [process for process in missing if process.status == "running"]
            for process in missing:
                if process.status != "running":
                    await self._hold_one(process, deadline)
            answers = await asyncio.gather(
                *(self._hold_one(process, deadline) for process in busy), return_exceptions=True
            )
            errors = [answer for answer in answers if isinstance(answer, BaseException)]
            if errors:
                raise Aborted("; ".join(str(error) for error in errors)) from errors[0]

    def _not_held(self) -> list[Process]:
        users = [process for module in self.transition.suspended for process in conditions.users(module)]
        return [process for process in users if process.pid not in self._held]

    async def _hold_one(self, process: Process, deadline: float) -> None:
        try:
            left = max(0.0, deadline - time.perf_counter())
            await hot.hold(process.pid, owner=self.progress.id, timeout=left)
        except NoProcess:
            return
        except hot.NotHeld as not_held:
            raise Aborted(str(not_held)) from not_held
        self._held[process.pid] = process

    def _release(self, born: Sequence[int] = ()) -> None:
        for pid in (*self._held, *born):
            hot.release(Pid(pid), owner=self.progress.id)
        self._held.clear()

    # ------------------------------------------------------------------ the turn

    async def _switch(self, batch: Batch) -> Installed:
        """Run the script and resume everybody, or put everything back and then resume."""
        switch = Switch(self.transition, batch, self.code, self._held, self.progress)
        try:
            await switch.run()
            follow_sources(self.code, self.transition.left, self.transition.target)
        except BaseException as error:
            await switch.put_back()
            self._release(switch.born)
            exact = switch.put_back_failed is None
            if isinstance(error, asyncio.CancelledError) or (isinstance(error, Unready) and exact):
                raise
            raise self._failed(switch, error) from error
        self.progress.enter("resuming")
        self._release(switch.born)
        pause = time.perf_counter() - self._pause_began
        await switch.surroundings.tell()
        return Installed(pause, switch.results())

    def _failed(self, switch: Switch, error: BaseException) -> Exception:
        sentence = ": ".join([*getattr(error, "__notes__", ()), f"{type(error).__name__}: {error}"])
        if not switch.past_bar and switch.put_back_failed is None:
            return Aborted(sentence)
        if unchecked := switch.unchecked():
            sentence = f"{sentence}; {unchecked}"
        pause = time.perf_counter() - self._pause_began
        return PutBack(sentence, pause, switch.results(put_back=True), switch.put_back_failed)


def _sentence(blockers: list[Blocker]) -> str:
    return "; ".join(blocker.reason for blocker in blockers)
