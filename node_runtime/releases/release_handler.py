"""The node's release handler: what operators ask of releases, one operation at a time. Follows OTP's release_handler.

It lives on the event loop's thread. An operation belongs to the node and goes on when whoever asked is gone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from node_runtime.behaviours.supervision.child_table import Specifications
from node_runtime.code import CodeServer
from node_runtime.processes.errors import describe_reason
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.messages import (
    Blocker,
    Commit,
    Health,
    Install,
    Operation,
    Plan,
    ProcessResult,
    ReleaseInfo,
    Rollback,
)

from . import operation_outcome, probation
from .install.app_env import environment_in_force
from .install.installation import Installation, InstallOptions
from .operation_history import IN_ORDER, History, LastLife
from .operation_progress import Progress
from .planning.plan import make_plan, no_plan
from .planning.transition import Transition, make_transition
from .probation import Probation
from .rehearsal import News
from .relup.translation import NoPath
from .store.release_store import Shelf
from .store.verify import REMEDY

logger = logging.getLogger("node_runtime")

TELLING_SECONDS = 0.5
"""How long a node that has to be restarted stays, for those who follow the operation to read its end."""


class ReleaseHandler:
    """The releases of the node in `root`, which was booted with release `vsn`.

    `vsn` is what runs, `permanent` what would boot. `generation` counts what makes a plan stale: installs, commits, and
    changes of child specifications.
    """

    def __init__(self, root: Path, vsn: str, code: CodeServer, last: LastLife = IN_ORDER) -> None:
        self.root = root
        self.vsn = vsn
        self._changes = 1
        self._code = code
        self._shelf = Shelf(root)
        self._history = History(root / "var" / "history", self.permanent, vsn, last)
        self._blame(last)
        self.phases: Callable[[str], None] = lambda phase: None
        """Told the phase of the running operation when it begins, and "" at its end."""
        self._running: Progress | None = None
        self._removed: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._probation = Probation(self._go_back, self._restart, self._shelf.whole, self._healthy)
        self.rehearsals = News()
        self._listeners: list[Callable[[Operation], None]] = []
        self._watchers: list[Callable[[str, Health], None]] = []

    # ------------------------------------------------------------------ looking

    @property
    def permanent(self) -> str:
        """The release that boots."""
        return self._shelf.permanent

    @property
    def generation(self) -> int:
        """How often the node was changed in what a plan counts on."""
        return self._changes + runtime().part(Specifications).changes

    def releases(self) -> tuple[ReleaseInfo, ...]:
        """The releases of the node's directory, in the order of their arrival. May be called in any thread."""
        return tuple(map(self._on_probation, self._shelf.infos(self.vsn)))

    def _on_probation(self, release: ReleaseInfo) -> ReleaseInfo:
        if release.vsn != self.vsn:
            return release
        until, health = self._probation.until, self._probation.health
        return msgspec.structs.replace(release, probation_until=until, health=health)

    async def plan(self, vsn: str) -> Plan:
        """What going to `vsn` would do. Raises `Refused` for an unknown release, and while the node changes."""
        held = self._shelf.known(vsn)
        if vsn == self.vsn:
            return no_plan(self.vsn, vsn, self.generation)
        self._check_free()
        try:
            await asyncio.to_thread(self._shelf.catalog.verify, vsn)
            transition = self._transition(vsn)
        except Refused as refused:
            reason, remedy = refused.sentence.rstrip("."), "correct that"
            if isinstance(refused, NoPath):
                remedy = f"stage a release with such a way; {self._shelf.ways(self.vsn, vsn)}"
            elif reason.endswith(REMEDY):
                reason, remedy = reason.removesuffix(f"; {REMEDY}"), REMEDY
            return no_plan(self.vsn, vsn, self.generation, Blocker(reason=reason, remedy=remedy))
        rehearsing = self.rehearsals.callback(vsn)
        made = await make_plan(transition, self._code, self.generation, self._goes_back(vsn), rehearsing)
        if held.failed is not None:
            warning = f"{vsn} failed here before: {held.failed.rstrip('.')}. It takes --again to try it once more."
            made = msgspec.structs.replace(made, warnings=(warning, *made.warnings))
        return made

    def operation(self, id: str | None = None) -> Operation:
        """The operation of that id, or the newest one. Raises `Refused`."""
        known = self.operations()
        for operation in reversed(known):
            if id is None or operation.id == id:
                return operation
        raise Refused(f"There is no operation {id}." if id else "There has been no operation on this node yet.")

    def operations(self, limit: int = 100) -> tuple[Operation, ...]:
        """Past operations and the running one, newest last. May be called in any thread."""
        running, past = self._running, self._history.operations
        if running is not None:
            past = [*(one for one in past if one.id != running.id), running.operation]
        return tuple(past[-limit:]) if limit > 0 else ()

    def subscribe(self, listener: Callable[[Operation], None]) -> Callable[[], None]:
        """Have every phase and every end of an operation told to `listener`, on the event loop.

        Returns what ends that.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def watch(self, listener: Callable[[str, Health], None]) -> Callable[[], None]:
        """Have every change in the health of the release that is on probation told to `listener`, on the event loop.

        Returns what ends that.
        """
        self._watchers.append(listener)
        return lambda: self._watchers.remove(listener)

    # ------------------------------------------------------------------ changing what is here

    def stage(self, tarball: Path) -> ReleaseInfo:
        """Verify and unpack a release. Blocks, and may be called in any thread. Raises `Refused`."""
        return self._on_probation(self._shelf.info(self._shelf.stage(tarball), self.vsn))

    async def remove(self, vsn: str) -> None:
        """Forget a release and delete what no other one needs. Raises `Refused` for the current and the permanent."""
        self._shelf.known(vsn)
        self._check_free()
        if vsn == self.vsn:
            raise Refused(f"Release {vsn} is current: go to another one first.")
        if self.vsn != self.permanent and vsn in (self._shelf.path(self.vsn, self.permanent) or ())[:-1]:
            way = f"The way back from {self.vsn} to {self.permanent} leads by {vsn}"
            raise Refused(f"{way}: commit or roll back first.")
        self._removed = vsn
        try:
            await asyncio.to_thread(self._shelf.remove, vsn)
        finally:
            self._removed = None
            self._probation.ended(tried=False)

    # ------------------------------------------------------------------ operations

    def install(self, request: Install, who: str) -> str:
        """Begin to go to a release; returns the operation's id. Raises `Refused` for what can't begin.

        Whatever is found out later, the operation says: a blocker that doesn't pass in time aborts it.
        """
        held = self._shelf.known(request.vsn)
        self._check_free()
        if request.vsn == self.vsn:
            raise Refused(f"{self.vsn} is current already.")
        if held.failed is not None and not request.again:
            raise Refused(
                f"{request.vsn} failed here before: {held.failed.rstrip('.')}. Say --again to try it once more, or "
                f"build the correction under a new vsn."
            )
        try:
            transition = self._transition(request.vsn)
        except NoPath as no_path:
            ways = self._shelf.ways(self.vsn, request.vsn)
            raise Refused(f"{no_path.sentence} {ways[:1].upper()}{ways[1:]}.") from None
        if request.direction not in (None, transition.direction):
            other = "upgrade" if transition.direction == "up" else "downgrade"
            raise Refused(f"From {self.vsn} the way to {request.vsn} leads {transition.direction}: use {other}.")
        if request.plan_id is not None and request.plan_id != transition.plan_id(self.generation):
            raise Refused("The plan is stale: the node has changed since it was made. Look at a new plan.")
        return self._begin("install", [request.vsn], who, request, request.plan_id)

    def rollback(self, request: Rollback, who: str) -> str:
        """Begin to go back to the permanent release; returns the operation's id. Raises `Refused`.

        Where no way leads there at once it goes by others, one after the other.
        """
        self._check_free()
        if self.vsn == self.permanent:
            raise Refused(f"There is nothing to roll back: {self.vsn} is permanent.")
        hops = self._shelf.path(self.vsn, self.permanent)
        if hops is None:
            if (damage := self._shelf.catalog.damage(self.permanent)) is not None:
                raise Refused(damage)
            self._transition(self.permanent)  # says what is missing
            raise Refused(f"No way leads from {self.vsn} to {self.permanent}.")
        return self._begin("revert", hops, who, request, None)

    async def commit(self, request: Commit, who: str) -> Operation:
        """Make the current release permanent, durably. Old code that nobody runs is dropped. Raises `Refused`."""
        self._check_free()
        if self.vsn == self.permanent:
            raise Refused(f"There is nothing to commit: {self.vsn} is permanent already.")
        self._running = progress = Progress(
            "commit", self.permanent, self.vsn, who, self._told, self.phases, reason=request.reason
        )
        progress.enter("committing")
        try:
            await asyncio.to_thread(self._history.begin, progress.operation)
            await asyncio.to_thread(self._shelf.commit, self.vsn)
        except Refused as damaged:
            operation = progress.finish("aborted", error=damaged.sentence.rstrip("."))
        except Exception as error:
            logger.exception("commit %s", progress.id)
            said = f"The commit record could not be written: {describe_reason(error)}"
            operation = progress.finish("aborted", error=said)
            if self.permanent == self.vsn:
                said = f"The commit record is written, but may not survive a power cut: {describe_reason(error)}"
                operation = progress.finish("committed", error=said)
        else:
            operation = progress.finish("committed")
        if operation.outcome == "committed":
            self._probation.end()
            self._changes += 1
            await asyncio.to_thread(self._code.sweep)
        await self._ended(operation)
        if operation.outcome != "committed":
            raise Refused(f"{operation.error}.", operation=operation.id)
        return operation

    async def fell_back(self, why: str) -> None:
        """This release booted since the permanent one did not, for `why`: from now on this one is permanent."""
        fallen = self.permanent
        logger.critical("%s is permanent now: %s", self.vsn, why)
        progress = Progress("fallback", fallen, self.vsn, "parent", self._told, self.phases)
        try:
            await asyncio.to_thread(self._shelf.replace, fallen, self.vsn, why)
        except OSError:  # it serves all the same; the next boot comes by here again
            logger.exception("the commit record can't be written")
        await self._ended(progress.finish("restarted", error=why))

    def _blame(self, last: LastLife) -> None:
        """What ran, or was to run, when the node ended through its own fault has failed."""
        lost = self._history.lost
        if lost is not None and last.own_fault and lost in self._shelf.record.releases:
            with suppress(OSError):
                self._shelf.mark(lost, last.why)

    def halts(self, why: str) -> None:
        """The node is about to end because of `why`. What is on probation has failed with that."""
        if self.vsn != self.permanent:
            with suppress(OSError):
                self._shelf.mark(self.vsn, why)

    async def stop(self) -> None:
        """The node stops: cancel what is under way. It will be reported as interrupted at the next boot."""
        self._probation.end()
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    # ------------------------------------------------------------------ one operation

    def _begin(
        self,
        kind: Literal["install", "revert"],
        hops: list[str],
        who: str,
        request: Install | Rollback,
        plan_id: str | None,
    ) -> str:
        self._running = progress = Progress(
            kind, self.vsn, hops[-1], who, self._told, self.phases, reason=request.reason, plan_id=plan_id
        )
        self._task = runtime().loop.create_task(self._carry_out(progress, hops, request))
        return progress.id

    async def _carry_out(self, progress: Progress, hops: list[str], request: Install | Rollback) -> None:
        durable = asyncio.create_task(self._intend(progress.operation))
        try:
            operation = await self._gone(progress, hops, request, durable)
        except BaseException as error:
            if self._stopping:
                raise
            operation = operation_outcome.ended_by(error, progress)
        await asyncio.gather(durable, return_exceptions=True)
        operation = operation_outcome.as_far_as(operation, self.vsn, self._probation.until)
        await self._mark(operation)
        await self._ended(operation)
        if operation.outcome == "partly put back":
            runtime().later(TELLING_SECONDS, runtime().on_halt, operation.error)

    async def _gone(
        self, progress: Progress, hops: list[str], request: Install | Rollback, durable: asyncio.Task[None]
    ) -> Operation:
        """Go from release to release; the last one is where the operation leads.

        The intent becomes `durable` while new code is prepared, before anything is touched.
        """
        pause, touched = 0.0, 0
        results: tuple[ProcessResult, ...] = ()
        for vsn in hops:
            transition = self._transition(vsn)
            await asyncio.to_thread(self._shelf.catalog.verify, vsn)
            rehearsing = self.rehearsals.callback(vsn)
            installed = await Installation(
                transition,
                self._code,
                progress,
                InstallOptions(request.wait, request.unrehearsed),
                rehearsing,
                durable,
                partial(self._runs, transition),
            ).run()
            pause, touched = pause + installed.pause, touched + installed.touched
            results = (*results, *installed.results)
        return progress.finish(
            "installed" if progress.operation.kind == "install" else "reverted",
            pause=pause,
            probation_until=self._probation.until,
            results=results,
            touched=touched,
        )

    def _runs(self, transition: Transition) -> None:
        """From this turn on the target of a transition runs."""
        self.vsn = transition.target.vsn
        self._changes += 1
        self._probation.end()
        if self.vsn != self.permanent:
            self._probation.begin(transition.configuration.node.probation)

    async def _intend(self, operation: Operation) -> None:
        """Make the intent durable. Raises `Refused` where the disk doesn't take it; a way back needs no disk."""
        try:
            await asyncio.to_thread(self._history.begin, operation)
        except OSError as error:
            if operation.kind != "revert":
                raise Refused(f"The intent can't be written down: {error}; make room first.") from None
            logger.exception("the intent of operation %s can't be written down", operation.id)

    async def _mark(self, operation: Operation) -> None:
        """A release that has failed takes a word to be tried again."""
        failed = operation_outcome.failed(operation, self.vsn, self.permanent)
        if failed is not None:
            try:
                await asyncio.to_thread(self._shelf.mark, failed, str(operation.error or operation.reason))
            except OSError:
                logger.exception("the commit record can't be written")

    async def _ended(self, operation: Operation) -> None:
        try:
            await asyncio.to_thread(self._history.end, operation)
        except OSError:
            logger.exception("the history of operations can't be written")
        self._running = self._task = None
        self.phases("")
        self._told(operation)
        self._probation.ended(tried=operation.who == operation_outcome.PROBATION)

    # ------------------------------------------------------------------ probation

    def _go_back(self, why: str) -> None:
        """Begin the way back, unless something else is under way: then it is begun when that has ended."""
        if self._running is not None or self._removed is not None:
            return
        logger.warning("%s is on probation and goes back: %s", self.vsn, why)
        try:
            self.rollback(Rollback(wait=probation.PATIENCE, reason=why, unrehearsed=True), operation_outcome.PROBATION)
        except Refused as refused:
            self._probation.restart(f"{why}, and it has no way back: {refused.sentence}")

    def _restart(self, why: str) -> None:
        """Only a restart goes back."""
        if self._running is not None or self._removed is not None:
            return
        self._probation.end()
        self.halts(why)
        runtime().on_halt(f"{self.vsn} is on probation and can't go back by its own way: {why}")

    def _healthy(self, health: Health) -> None:
        level = logging.WARNING if health.verdict == "bad" else logging.INFO
        logger.log(level, "%s is on probation, its health is %s: %s", self.vsn, health.verdict, health.finding)
        for watcher in tuple(self._watchers):
            watcher(self.vsn, health)

    # ------------------------------------------------------------------ small parts

    def _transition(self, vsn: str) -> Transition:
        catalog = self._shelf.catalog
        return make_transition(catalog, self.vsn, vsn, environment_in_force(catalog.release(self.vsn)))

    def _goes_back(self, vsn: str) -> bool:
        """Whether a rollback from `vsn` has a way."""
        return vsn == self.permanent or self._shelf.path(vsn, self.permanent) is not None

    def _check_free(self) -> None:
        if self._removed is not None:
            raise Refused(f"Release {self._removed} is being removed: wait until that has ended.")
        if self._running is not None:
            one = self._running.operation
            what = {"install": "installs", "revert": "goes back to", "commit": "commits"}.get(one.kind, "boots")
            raise Refused(
                f"{one.who} {what} {one.to_vsn} now (operation {one.id}, {one.phase}): wait until that has ended.",
                ExitCode.REFUSED,
                one.id,
            )

    def _told(self, operation: Operation) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(operation)
            except Exception:
                logger.exception("a listener of operations failed")
