"""Cold upgrades: the node restarts into another release, which is then on probation. All states are lost.

Cold upgrades are for changes that can't be loaded into a running node: changes of third-party packages, of Python or of
node_runtime. The node asks its parent to boot the release once. The parent keeps this request only in memory, and the
commit record doesn't change before the commit. So if anything ends the node before the commit, even a crash of the
machine, the permanent release boots next.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, Literal, TypeAlias

import msgspec

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Install, Operation, Rollback

from .files.launcher_files import launcher_files
from .files.schemas import ProbationSettings
from .operation_history import OperationHistory, write_intent
from .operation_progress import OperationProgress, new_operation
from .probation import Probation
from .store.release_store import ReleaseStore

CarryOut: TypeAlias = Callable[[OperationProgress], Coroutine[Any, Any, None]]

TRIAL_LAUNCHER_VERSION: Final = 5
"""The first version of the launcher that supports cold upgrades."""
_VERSION: Final = re.compile(rb"^VERSION = (\d{1,9})$", re.MULTILINE)


class ColdBoot(msgspec.Struct, frozen=True):
    """How the parent booted the node. `on_trial` is whether the release is on probation after a cold upgrade.

    `parent` is the version of the launcher that the parent runs.
    """

    on_trial: bool
    parent: int


ORDINARY_BOOT: Final = ColdBoot(on_trial=False, parent=0)


class RestartRequests(msgspec.Struct, frozen=True):
    """Restarts the node: `restart(vsn)` boots `vsn` on probation, and `restart("")` boots the permanent release.

    `parent` is the version of the launcher that the node's parent runs.
    """

    restart: Callable[[str], None]
    parent: int


NO_RESTARTS: Final = RestartRequests(lambda vsn: None, 0)
"""The restart requests of a node without a parent: `restart` does nothing."""


class ColdUpgrades:
    """The cold upgrades of a node, and the restarts that return from a cold upgrade to the permanent release.

    `start(operation, carry_out)` starts an operation and returns its id; `end(operation)` records that it has ended.
    """

    def __init__(
        self,
        store: ReleaseStore,
        history: OperationHistory,
        probation: Probation,
        start: Callable[[Operation, CarryOut], str],
        end: Callable[[Operation], Coroutine[Any, Any, None]],
    ) -> None:
        self.restarts = NO_RESTARTS
        self._store = store
        self._history = history
        self._probation = probation
        self._start = start
        self._end = end
        self._booted: str | None = None

    def is_on_trial(self, current: str) -> bool:
        """Return whether the current release is on probation after a cold upgrade. If so, a rollback is a restart."""
        return current == self._booted != self._store.permanent

    def install(self, request: Install, current: str, who: str, claim: str) -> str:
        """Begin a cold upgrade and return the operation's id. Raises Refused."""
        if request.vsn == current:
            raise Refused(f"Release {current} is already current.")
        check_cold_target(request.vsn, self._store, again=request.again)
        if self.restarts.parent < TRIAL_LAUNCHER_VERSION:
            raise Refused(
                f"The node's parent runs an older launcher, which can't boot release {request.vsn} on probation; "
                f"stop and start the node, then upgrade again."
            )
        return self._start(cold_operation("install", current, request.vsn, who, claim, request.reason), self._restart)

    def roll_back(self, request: Rollback, current: str, who: str, claim: str) -> str:
        """Begin the restart into the permanent release, and return the operation's id."""
        operation = cold_operation("revert", current, self._store.permanent, who, claim, request.reason)
        return self._start(operation, self._restart)

    async def _restart(self, progress: OperationProgress) -> None:
        """Make the node restart. The operation ends after the restart or, if the restart can't begin, at once."""
        operation = progress.operation
        try:
            progress.enter("preparing")
            progress.report()
            if operation.kind == "install":
                await asyncio.to_thread(self._store.check, operation.to_vsn)
            await write_intent(self._history, operation)
        except Refused as refused:
            await self._end(progress.finish("aborted", error=refused.sentence))
            return
        progress.enter("restarting")
        progress.report()
        self.restarts.restart(operation.to_vsn if operation.kind == "install" else "")

    def begin_probation(self, current: str, settings: ProbationSettings) -> None:
        """Begin the probation of the release that the parent has booted, and record that the cold upgrade has ended."""
        self._booted = current
        began = self._history.continued or cold_operation("install", self._store.permanent, current, "parent")
        self._start(began, partial(self._begin_probation, settings))

    async def _begin_probation(self, settings: ProbationSettings, progress: OperationProgress) -> None:
        vsn, permanent = progress.operation.to_vsn, self._store.permanent
        self._probation.begin(settings)
        self._probation.report_way_back(
            f"Release {vsn} was booted by a restart, so only a restart leads back: unless it is committed, the node "
            f"restarts into release {permanent}, and all states are lost."
        )
        await self._end(progress.finish("installed", probation_until=self._probation.until))


def cold_operation(
    kind: Literal["install", "revert"], current: str, vsn: str, who: str, claim: str = "", reason: str | None = None
) -> Operation:
    """Return the operation of a restart into `vsn`.

    An "install" is a cold upgrade to `vsn`. A "revert" leads back from a cold upgrade to the permanent release, `vsn`.
    """
    operation = new_operation(kind, current, vsn, who, claim=claim, reason=reason)
    return msgspec.structs.replace(operation, direction="cold")


def check_cold_target(vsn: str, store: ReleaseStore, *, again: bool) -> None:
    """Raise Refused if a release can't be booted on probation: it is permanent, untrusted or too old, or it failed
    before.

    With `again`, the release may have failed before.
    """
    if vsn == store.permanent:
        raise Refused(f"Release {vsn} is permanent; restart the node to boot it.")
    entry = store.entry(vsn)
    store.check_trusted(vsn)
    if entry.failed is not None and not again:
        raise Refused(
            f"Release {vsn} failed on this node before: {entry.failed.rstrip('.')}. Pass --again to boot it again, or "
            f"build a corrected release under a new vsn."
        )
    if _launcher_version(store, vsn) < TRIAL_LAUNCHER_VERSION:
        raise Refused(
            f"Release {vsn} contains an older node_runtime, which does not support probation after a boot; build the "
            f"release again with the node's node_runtime, under a new vsn."
        )


def _launcher_version(store: ReleaseStore, vsn: str) -> int:
    manifest = store.catalog.release(vsn).manifest
    path = launcher_files(manifest.path, manifest.files).get("__init__.py")
    found = _VERSION.search((store.root / path).read_bytes()) if path is not None else None
    return int(found[1]) if found is not None else 1
