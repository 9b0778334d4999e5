"""The install of a release on the live node.

The new code is compiled, then executed in a copy of the node, then in the node. The processes are suspended, the script
switches the code, and the processes are resumed. A failure before the resume undoes the install. Processes get their
new states only at the resume. Until then, each process has its old state object, so to undo an install means to switch
the modules back and to call the undo functions.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec

from node_runtime.behaviours.upgrade.live_processes import Hold
from node_runtime.code import Batch, CodeServer, CompilationUnit, OldVersionHeld, SourceText, compile_apart
from node_runtime.processes.errors import is_being_cancelled
from node_runtime.processes.exit_reasons import describe_reason
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Blocker, Install, ProcessResult, Rollback
from node_runtime.releases import rehearsal
from node_runtime.releases.migration import MadeAhead
from node_runtime.releases.operation_progress import OperationProgress
from node_runtime.releases.planning import affected, conditions
from node_runtime.releases.planning.app_env import files_of_target
from node_runtime.releases.planning.lasting_blockers import lasting_blockers
from node_runtime.releases.planning.old_versions import held_blocker
from node_runtime.releases.planning.participants import participants
from node_runtime.releases.planning.transition import Transition

from .argument_conversion import ArgumentConversion
from .body_time_limit import body_time_limit
from .busy_processes import busy_processes_reported
from .endings import Aborted, Installed, PutBack
from .interpreter_settings import gc_paused, short_thread_switches
from .records_ahead import make_ahead, release_ahead
from .results import Pause, count_affected, make_results
from .switch import ConditionNotMet, Switch

logger = logging.getLogger("node_runtime")

POLL_SECONDS = 0.01
YIELD_TURNS = 4
"""Turns of the event loop that other processes get just before the suspend and after the resume."""
COLLECT_SECONDS = 5.0
"""While an install waits until nothing holds an old version, it collects garbage at this interval.

The last holder may be garbage.
"""
REHEARSAL_VALID_SECONDS = 5.0
"""While an install waits until blockers disappear, it rehearses again if its last rehearsal is older than this."""
SEARCH_AGAIN_SECONDS = 0.25
"""While an install waits until processes have handled values of replaced code, it searches again at this interval."""


class InstallListeners(msgspec.Struct, frozen=True):
    """The functions that an install calls.

    `on_rehearsal` gets the progress of the rehearsal. `check_admitted` raises `Aborted` if the target may not be
    installed any more: its key may be revoked while the install waits. `on_resumed` is called when the processes have
    been resumed in the target. A failure after that undoes nothing.
    """

    on_rehearsal: rehearsal.ProgressCallback
    check_admitted: Callable[[], None]
    on_resumed: Callable[[], None]


class Installation:
    """One install of the target release of a transition.

    The task `durable` writes the operation's intent to the disk. The install changes nothing before the task has ended.
    """

    def __init__(
        self,
        transition: Transition,
        code: CodeServer,
        *,
        progress: OperationProgress,
        options: Install | Rollback,
        durable: Awaitable[None],
        listeners: InstallListeners,
    ) -> None:
        self.transition = transition
        self.code = code
        self.progress = progress
        self.deadline = math.inf if math.isinf(options.wait) else time.monotonic() + options.wait
        self._options = options
        self._durable = durable
        self._listeners = listeners
        self._rehearsed_at = -math.inf
        self._supervisors: tuple[int, ...] | None = None
        """The pids of the supervisors whose arguments hold replaced code; None if no rehearsal has found them."""
        self._stopped = self._collected = 0.0
        self._to_be_stopped: frozenset[int] = frozenset()

    async def run(self) -> Installed:
        """Install the target.

        A failure before the point of no return raises `Aborted`; a later failure raises `PutBack`.
        """
        if reason := self.transition.restart_reason():
            raise Aborted(f"{reason}: this needs a restart of the node.")
        self.progress.abortable = True
        units = await self._compile()
        await asyncio.shield(self._durable)
        await self._check_bodies(units)
        batch = await self._execute(units)
        try:
            return await self._install(batch)
        except (Aborted, PutBack):
            raise
        except BaseException as error:
            if batch.status != "committed":
                raise
            # No known error leads here. If an unknown error does, the node must not be reported as unchanged.
            sentence = describe_reason(error)
            raise PutBack(sentence, 0.0, (), 0, "the code, because the error was not expected") from error
        finally:
            await participants().discard()
            if batch.status == "prepared":
                batch.discard()

    async def _compile(self) -> list[CompilationUnit]:
        """Read and compile the new code in threads, while the event loop continues."""
        self.progress.enter("preparing")
        self.progress.report()
        try:
            with short_thread_switches():
                texts = await asyncio.to_thread(self.code.read, self.transition.sources)
                await self._until_free(texts)
                return await asyncio.to_thread(self.code.compile_all, texts, compile_apart)
        except Refused as refused:
            raise Aborted(refused.sentence) from refused

    async def _until_free(self, code: Sequence[SourceText | CompilationUnit]) -> None:
        """Wait until nothing holds an old version of a module that the install replaces or removes."""
        while True:
            try:
                self._collected += await asyncio.to_thread(self.code.check_free, code, self.transition.removed)
                return
            except OldVersionHeld as held:
                await self._wait_until_free(held)

    async def _check_bodies(self, units: list[CompilationUnit]) -> None:
        """Execute the new code in a copy of the node, since a body may hang or end its OS process."""
        if not (units or self.transition.removed):
            return
        execute = partial(self.code.execute, units, self.transition.removed)
        listener = self._listeners.on_rehearsal
        end = await rehearsal.rehearse(self.transition, execute, self.code, listener, bodies_only=True)
        if end.refusal is not None:
            raise Aborted(f"{end.refusal.reason}.")
        if refusal := rehearsal.refusal(end.rehearsal, self._options.unrehearsed):
            raise Aborted(refusal)

    async def _execute(self, units: list[CompilationUnit]) -> Batch:
        """Execute the new code on the event loop's thread, which is stopped meanwhile."""
        await self._until_free(units)
        began = time.perf_counter()
        try:
            with (
                files_of_target(self.code, self.transition.left, self.transition.target),
                body_time_limit(self.transition.configuration.node.prepare),
            ):
                return self.code.execute(units, self.transition.removed)
        except Refused as refused:
            raise Aborted(refused.sentence) from refused
        finally:
            self._stopped = sum(unit.stopped for unit in units) + time.perf_counter() - began

    async def _wait_until_free(self, held: OldVersionHeld) -> None:
        """Wait until nothing seems to hold the old version, at most for `COLLECT_SECONDS`: its last holders may be
        garbage.

        After the deadline, raises `Aborted` with the holders of the old version.
        """
        if time.monotonic() >= self.deadline:
            blocker = held_blocker(held)
            raise Aborted(f"{blocker.reason}; {blocker.remedy}.")
        until = min(self.deadline, time.monotonic() + COLLECT_SECONDS)
        while self.code.is_old_code_held(held.module) and time.monotonic() < until:
            await self._wait(held.sentence)

    async def _install(self, batch: Batch) -> Installed:
        await let_others_run()
        lasting = lasting_blockers(self.transition, batch)
        if lasting:
            raise Aborted(_reasons(lasting))
        while True:
            self._to_be_stopped = affected.pids_of_stopped(self.transition.script)
            unready = list(conditions.unready_state_machines(self.transition, batch, self._to_be_stopped))
            if not unready:
                unready = await self._rehearse(batch)
            if not unready:
                await self._prepare_participants(batch)
                with gc_paused():
                    ahead = await make_ahead(self.transition, batch)
                try:
                    result = await self._switch(batch, ahead)
                finally:
                    participants().resume()
                    await release_ahead(ahead)
                if isinstance(result, Installed):
                    return result
                unready = result
            await self._wait(_reasons(unready))

    async def _rehearse(self, batch: Batch) -> list[Blocker]:
        """Rehearse on a copy of the live states, unless the last rehearsal is still valid.

        Return the temporary blockers: values of replaced code that processes are about to handle. Any other blocker
        raises `Aborted`.
        """
        if not rehearsal.is_due(self.transition) or time.monotonic() < self._rehearsed_at + REHEARSAL_VALID_SECONDS:
            return []
        self.progress.enter("rehearsing")
        self.progress.report()
        await let_others_run()
        ended = await rehearsal.rehearse(self.transition, batch, self.code, self._listeners.on_rehearsal)
        self._rehearsed_at = time.monotonic()
        self.progress.set_rehearsal(rehearsal.problems_only(ended.rehearsal))
        if refusal := rehearsal.refusal(ended.rehearsal, self._options.unrehearsed):
            raise Aborted(refusal)
        children = affected.with_steps(ended.children, self.transition.script)
        without_step, _ = affected.children_without_step(children, self.transition.script)
        if without_step:
            raise Aborted(_reasons(without_step))
        self._supervisors = None if ended.rehearsal.error else ended.live_values.supervisors
        found = ended.live_values.blockers
        if lasting := [one for one in found if not one.transient]:
            raise Aborted("; ".join(f"{one.reason}; {one.remedy}" for one in lasting))
        if found:
            self._rehearsed_at = -math.inf
            await asyncio.sleep(min(SEARCH_AGAIN_SECONDS, max(0.0, self.deadline - time.monotonic())))
        return list(found)

    async def _prepare_participants(self, batch: Batch) -> None:
        try:
            await participants().prepare(self.transition, batch)
        except Refused as refused:
            raise Aborted(f"{refused.sentence}.") from refused

    async def _wait(self, sentence: str) -> None:
        """Wait a moment before the next check of the blockers. After the deadline, raises `Aborted` with `sentence`."""
        if time.monotonic() >= self.deadline:
            raise Aborted(sentence)
        left = self.deadline - time.monotonic()
        entered = self.progress.enter("waiting")
        if self.progress.wait_for(sentence, None if math.isinf(left) else time.time() + left) or entered:
            self.progress.report()
        await asyncio.sleep(POLL_SECONDS)

    # ------------------------------------------------------------------ the pause

    async def _switch(self, batch: Batch, ahead: MadeAhead) -> Installed | list[Blocker]:
        """Suspend the processes, run the script, and resume. After a failure, everything is undone.

        If the script failed because of new blockers, return these blockers.
        """
        hold = Hold(self.progress.id)
        switch = Switch(self.transition, batch, self.code, hold, self.progress)
        switch.to_be_stopped = self._to_be_stopped
        switch.arguments = ArgumentConversion(self._supervisors)
        switch.ahead = ahead
        failure = await self._prepare(switch)
        with gc_paused():
            began = time.perf_counter()
            try:
                if failure is None:
                    await self._hold(hold)
                    self.progress.abortable = False
                    await switch.run()
            except BaseException as error:
                failure = error
            if failure is None:
                self._resume(switch, began)
            else:
                self.progress.abortable = False
                await switch.put_back()
            pause = Pause(began, time.perf_counter())
        participants().resume()
        if failure is None:
            participants().done()
        await let_others_run()
        results = await self._finish(switch, pause, succeeded=failure is None)
        if failure is None:
            return Installed(self._collected + self._stopped + pause.seconds, results, _count_affected(switch, pause))
        exact = switch.put_back_failed is None
        try:
            if is_being_cancelled() or (isinstance(failure, Aborted) and exact):
                raise failure
            if isinstance(failure, ConditionNotMet) and exact:
                self.progress.abortable = True
                return failure.blockers
            raise self._failed(switch, failure, pause, results) from failure
        finally:
            switch.forget_errors()
            failure = None  # the traceback refers to this frame

    async def _prepare(self, switch: Switch) -> BaseException | None:
        """Run the instructions before the point of no return, then let the participants pause. Return an error."""
        try:
            await switch.prepare()
            self._listeners.check_admitted()
            if self.transition.suspended:
                self.progress.enter("holding")
                self.progress.report()
            await participants().pause(self.transition)
            await let_others_run()
        except BaseException as error:
            return error
        return None

    def _resume(self, switch: Switch, began: float) -> None:
        """Resume the processes. An error raises `PutBack`, but undoes nothing: some processes may already run the new
        code.
        """
        try:
            switch.resume()
            self._listeners.on_resumed()
        except BaseException as error:
            switch.put_back_failed = "the processes, because some of them may run the new code already"
            raise self._failed(switch, error, Pause(began, time.perf_counter()), ()) from error

    async def _finish(self, switch: Switch, pause: Pause, *, succeeded: bool) -> tuple[ProcessResult, ...]:
        """End processes, and return the results. Errors are logged.

        After a success, the deferred exits happen. After a failure, the processes that the script has started end, and
        the children that it has ended start again.
        """
        try:
            await switch.end(succeeded=succeeded)
            if succeeded:
                self.progress.warn(await switch.environment.notify())
            return await make_results(switch, pause, put_back=not succeeded)
        except BaseException:
            if is_being_cancelled():
                raise
            logger.exception(
                "operation %s has ended, but the results of its processes could not be collected", self.progress.id
            )
            return ()

    async def _hold(self, hold: Hold) -> None:
        """Suspend all processes of the script, including new processes. Raises `Aborted` if that takes too long."""
        hold.since = time.perf_counter()
        deadline = hold.since + self.transition.hold_seconds
        modules = frozenset(self.transition.suspended)
        while modules and (busy := hold.hold_idle(modules)):
            left = max(0.0, deadline - time.perf_counter())
            with busy_processes_reported(busy, self.progress, left):
                answers = await asyncio.gather(*(hold.hold_busy(one, left) for one in busy), return_exceptions=True)
            errors = [answer for answer in answers if isinstance(answer, BaseException)]
            if errors:
                raise Aborted("; ".join(str(error) for error in errors)) from errors[0]

    def _failed(
        self, switch: Switch, error: BaseException, pause: Pause, results: tuple[ProcessResult, ...]
    ) -> Exception:
        sentence = ": ".join([*getattr(error, "__notes__", ()), describe_reason(error)])
        if not switch.past_point_of_no_return and switch.put_back_failed is None:
            undone = dict.fromkeys(switch.calls.undoable)
            self.progress.warn([f"{function} was applied and undone." for function in undone])
            return Aborted(sentence)
        if self._options.unrehearsed and (unchecked := switch.mutation_check.describe_unchecked()):
            sentence = f"{sentence}; {unchecked}"
        return PutBack(sentence, pause.seconds, results, _count_affected(switch, pause), switch.put_back_failed)


async def let_others_run() -> None:
    """Let all runnable processes run.

    Called between steps that stop the event loop, so that no process waits for several steps: after the bodies, before
    the fork of the rehearsal, just before the processes are suspended, and right after the resume.
    """
    for _ in range(YIELD_TURNS):
        await asyncio.sleep(0)


def _count_affected(switch: Switch, pause: Pause) -> int:
    """Return the number of affected processes. An error while they are counted is only logged, and gives 0."""
    try:
        return count_affected(switch, pause)
    except Exception:
        logger.exception("the processes that operation %s has affected could not be counted", switch.progress.id)
        return 0


def _reasons(blockers: list[Blocker]) -> str:
    return "; ".join(blocker.reason for blocker in blockers)
