"""The node's release handler: what operators ask of releases, one operation at a time. Follows OTP's release_handler.

It lives on the event loop's thread. An operation belongs to the node and goes on when whoever asked is gone.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from node_runtime.code import CodeServer
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.exits import ExitCode, Refused
from node_runtime.protocol.messages import (
    Blocker,
    Commit,
    Install,
    Operation,
    Plan,
    ReleaseInfo,
    ReleaseStatus,
    Rollback,
)

from . import record, unpack
from .catalog import Catalog
from .history import History
from .install import Aborted, Installation, Installed, PutBack
from .plan import make_plan, no_plan
from .probation import Probation
from .progress import Progress
from .rehearsal import News
from .relup import NoPath
from .surroundings import environment_in_force
from .transition import Transition, make_transition
from .verify import REMEDY

logger = logging.getLogger("node_runtime")

TELLING_SECONDS = 0.5
"""How long a node that has to be restarted stays, for those who follow the operation to read its end."""


class ReleaseHandler:
    """The releases of the node in `root`, which was booted with release `vsn`.

    `vsn` is what runs, `permanent` what would boot. `generation` counts what makes a plan stale.
    """

    def __init__(self, root: Path, vsn: str, code: CodeServer) -> None:
        self.root = root
        self.vsn = vsn
        self.generation = 1
        self._code = code
        self._catalog = Catalog(root)
        self._disk = threading.Lock()
        self._record = self._read_record()
        self._name = self._catalog.release(vsn).manifest.name
        self._history = History(root / "var" / "history", self._record.permanent)
        self._running: Progress | None = None
        self._task: asyncio.Task[None] | None = None
        self._probation = Probation(self._not_committed)
        self.rehearsals = News()
        self._listeners: list[Callable[[Operation], None]] = []

    # ------------------------------------------------------------------ looking

    @property
    def permanent(self) -> str:
        """The release that boots."""
        return self._record.permanent

    def releases(self) -> tuple[ReleaseInfo, ...]:
        """The releases of the node's directory, in the order of their arrival. May be called in any thread."""
        known = self._record
        return tuple(
            self._info(vsn, held) for vsn, held in sorted(known.releases.items(), key=lambda one: one[1].staged)
        )

    def _info(self, vsn: str, held: record.Held) -> ReleaseInfo:
        status: ReleaseStatus = held.status
        if vsn == self.vsn and status != "permanent":
            status = "current"
        damaged = self._catalog.damage(vsn)
        way = None if damaged else self._catalog.direction(self.vsn, vsn)
        apps = () if damaged else self._catalog.release(vsn).manifest.apps
        return ReleaseInfo(
            name=self._name,
            vsn=vsn,
            status=status,
            apps=tuple((app.name, app.vsn) for app in apps),
            staged=held.staged,
            probation_until=self._probation.until if vsn == self.vsn else None,
            up=way == "up",
            down=way == "down",
            failed=held.failed,
            damaged=damaged,
        )

    async def plan(self, vsn: str) -> Plan:
        """What going to `vsn` would do. Raises `Refused` for an unknown release."""
        self._check_known(vsn)
        if vsn == self.vsn:
            return no_plan(self.vsn, vsn, self.generation)
        try:
            await asyncio.to_thread(self._catalog.verify, vsn)
        except Refused as damaged:
            reason = damaged.sentence.removesuffix(f"; {REMEDY}.")
            return no_plan(self.vsn, vsn, self.generation, Blocker(reason=reason, remedy=REMEDY))
        try:
            transition = self._transition(vsn)
        except Refused as refused:
            remedy = "correct the appup"
            if isinstance(refused, NoPath):
                remedy = f"stage a release with such a way; {self._reachable()}"
            obstacle = Blocker(reason=refused.sentence.rstrip("."), remedy=remedy)
            return no_plan(self.vsn, vsn, self.generation, obstacle)
        return await make_plan(transition, self._code, self.generation, self._goes_back(vsn), self.rehearsals.of(vsn))

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

    # ------------------------------------------------------------------ changing what is here

    def stage(self, tarball: Path) -> ReleaseInfo:
        """Verify and unpack a release. Blocks, and may be called in any thread. Raises `Refused`."""
        with self._disk:
            manifest = unpack.unpack(tarball, self.root)
            self._catalog.forget(manifest.vsn)
            self._record = self._read_record()
        return self._info(manifest.vsn, self._record.releases[manifest.vsn])

    async def remove(self, vsn: str) -> None:
        """Forget a release and delete what no other one needs. Raises `Refused` for the current and the permanent."""
        self._check_known(vsn)
        self._check_free()
        if vsn == self.vsn:
            raise Refused(f"Release {vsn} is current: go to another one first.")
        await asyncio.to_thread(self._remove, vsn)

    def _remove(self, vsn: str) -> None:
        with self._disk:
            unpack.remove(self.root, vsn)
            self._catalog.forget(vsn)
            self._record = self._read_record()

    # ------------------------------------------------------------------ operations

    def install(self, request: Install, who: str) -> str:
        """Begin to go to a release; returns the operation's id. Raises `Refused` for what can't begin.

        Whatever is found out later, the operation says: a blocker that doesn't pass in time aborts it.
        """
        self._check_known(request.vsn)
        self._check_free()
        if request.vsn == self.vsn:
            raise Refused(f"{self.vsn} is current already.")
        try:
            transition = self._transition(request.vsn)
        except NoPath as no_path:
            raise Refused(f"{no_path.sentence} {self._reachable().capitalize()}.") from None
        if request.direction not in (None, transition.direction):
            other = "upgrade" if transition.direction == "up" else "downgrade"
            raise Refused(f"From {self.vsn} the way to {request.vsn} leads {transition.direction}: use {other}.")
        if request.plan_id is not None and request.plan_id != transition.plan_id(self.generation):
            raise Refused("The plan is stale: the node has changed since it was made. Look at a new plan.")
        return self._begin("install", transition, who, request, request.plan_id)

    def rollback(self, request: Rollback, who: str) -> str:
        """Begin to go back to the permanent release by its way; returns the operation's id. Raises `Refused`."""
        self._check_free()
        if self.vsn == self.permanent:
            raise Refused(f"There is nothing to roll back: {self.vsn} is permanent.")
        return self._begin("revert", self._transition(self.permanent), who, request, None)

    async def commit(self, request: Commit, who: str) -> Operation:
        """Make the current release permanent, durably. Old code that nobody runs is dropped. Raises `Refused`."""
        self._check_free()
        if self.vsn == self.permanent:
            raise Refused(f"There is nothing to commit: {self.vsn} is permanent already.")
        self._running = progress = Progress("commit", self.permanent, self.vsn, who, self._told, reason=request.reason)
        progress.enter("committing")
        try:
            await asyncio.to_thread(self._make_permanent, self.vsn)
        except Refused as damaged:
            operation = progress.finish("aborted", error=damaged.sentence.rstrip("."))
        except OSError as error:
            operation = progress.finish("aborted", error=f"The commit record could not be written: {error}")
        else:
            self._probation.end()
            self.generation += 1
            operation = progress.finish("committed")
            await asyncio.to_thread(self._code.sweep)
        await self._ended(operation)
        if operation.error is not None:
            raise Refused(f"{operation.error}.", operation=operation.id)
        return operation

    async def fell_back(self, why: str) -> None:
        """This release booted since the permanent one did not, for `why`: from now on this one is permanent."""
        fallen = self.permanent
        logger.critical("%s is permanent now: %s", self.vsn, why)
        progress = Progress("fallback", fallen, self.vsn, "parent", self._told)
        await asyncio.to_thread(
            self._change_record, lambda known: known.with_failed(fallen, why).with_permanent(self.vsn)
        )
        await self._ended(progress.finish("restarted", error=why))

    async def stop(self) -> None:
        """The node stops: cancel what is under way. It will be reported as interrupted at the next boot."""
        self._probation.end()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    # ------------------------------------------------------------------ one operation

    def _begin(
        self,
        kind: Literal["install", "revert"],
        transition: Transition,
        who: str,
        request: Install | Rollback,
        plan_id: str | None,
    ) -> str:
        self._running = progress = Progress(
            kind, self.vsn, transition.target.vsn, who, self._told, reason=request.reason, plan_id=plan_id
        )
        self._task = runtime().loop.create_task(self._carry_out(progress, transition, request))
        return progress.id

    async def _carry_out(self, progress: Progress, transition: Transition, request: Install | Rollback) -> None:
        try:
            await asyncio.to_thread(self._history.begin, progress.operation)
            await asyncio.to_thread(self._catalog.verify, transition.target.vsn)
            rehearsing = self.rehearsals.of(transition.target.vsn)
            installed = await Installation(
                transition, self._code, progress, request.wait, request.unrehearsed, rehearsing
            ).run()
        except Aborted as aborted:
            operation = progress.finish("aborted", error=str(aborted))
        except Refused as damaged:
            operation = progress.finish("aborted", error=damaged.sentence)
        except PutBack as failed:
            operation = progress.finish(
                "put back" if failed.incomplete is None else "partly put back",
                error=str(failed) if failed.incomplete is None else f"{failed}; not put back: {failed.incomplete}",
                pause=failed.pause,
                results=failed.results,
            )
        except Exception as error:
            logger.exception("operation %s failed before anything was touched", progress.id)
            operation = progress.finish("aborted", error=f"{type(error).__name__}: {error}")
        else:
            operation = self._installed(progress, transition, installed)
        await self._ended(operation)
        if operation.outcome == "partly put back":
            runtime().later(TELLING_SECONDS, runtime().on_halt, operation.error)

    def _installed(self, progress: Progress, transition: Transition, installed: Installed) -> Operation:
        self.vsn = transition.target.vsn
        self.generation += 1
        self._probation.end()
        if self.vsn != self.permanent:
            self._probation.begin(transition.configuration.node.probation)
        return progress.finish(
            "installed" if progress.operation.kind == "install" else "reverted",
            pause=installed.pause,
            probation_until=self._probation.until,
            results=installed.results,
        )

    async def _ended(self, operation: Operation) -> None:
        try:
            await asyncio.to_thread(self._history.end, operation)
        except OSError:
            logger.exception("the history of operations can't be written")
        self._running = self._task = None
        self._told(operation)
        self._probation.again()

    def _not_committed(self) -> None:
        """The probation is over: go back, as often as it takes."""
        if self._running is not None:
            return
        reason = "it was not committed in time"
        try:
            self.rollback(Rollback(wait=float("inf"), reason=reason, unrehearsed=True), "probation")
        except Refused as refused:
            self._probation.end()
            logger.critical("%s is not committed and can't be reverted: %s", self.vsn, refused.sentence)
            runtime().on_halt(f"{self.vsn} was not committed in time, and has no way back: {refused.sentence}")

    # ------------------------------------------------------------------ small parts

    def _transition(self, vsn: str) -> Transition:
        current = self._catalog.release(self.vsn)
        return make_transition(self._catalog, self.vsn, vsn, environment_in_force(current))

    def _goes_back(self, vsn: str) -> bool:
        """Whether a rollback from `vsn` has a way."""
        return vsn == self.permanent or self._catalog.direction(vsn, self.permanent) is not None

    def _reachable(self) -> str:
        others = [vsn for vsn in sorted(self._record.releases) if self._catalog.direction(self.vsn, vsn)]
        return (
            f"from {self.vsn} the node can go to {', '.join(others)}" if others else "no other release can be reached"
        )

    def _check_known(self, vsn: str) -> None:
        if vsn not in self._record.releases:
            known = ", ".join(sorted(self._record.releases))
            raise Refused(f"There is no release {vsn} on this node; there are {known}.")

    def _check_free(self) -> None:
        if self._running is not None:
            one = self._running.operation
            what = {"install": "installs", "revert": "goes back to", "commit": "commits"}.get(one.kind, "boots")
            raise Refused(
                f"{one.who} {what} {one.to_vsn} now (operation {one.id}, {one.phase}): wait until that has ended.",
                ExitCode.REFUSED,
                one.id,
            )

    def _read_record(self) -> record.Record:
        known = record.load(self.root)
        if known is None:
            raise Refused(f"{self.root} has no commit record; install a release with node-runtime install.")
        return known

    def _make_permanent(self, vsn: str) -> None:
        self._catalog.verify(vsn)
        self._change_record(lambda known: known.with_permanent(vsn))

    def _change_record(self, change: Callable[[record.Record], record.Record]) -> None:
        with self._disk:
            changed = change(self._read_record())
            record.save(self.root, changed)
            self._record = changed

    def _told(self, operation: Operation) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(operation)
            except Exception:
                logger.exception("a listener of operations failed")
