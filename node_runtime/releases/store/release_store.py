"""Lists and changes the releases of a node directory: the files and the commit record."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Container, Iterable
from contextlib import suppress
from pathlib import Path

from node_runtime.processes.redaction.text_redaction import shown
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Direction, ReleaseInfo, ReleaseSignature
from node_runtime.releases.files.durable import clear_interrupted_writes
from node_runtime.releases.files.manifest import AppEntry
from node_runtime.releases.signing.remembered_trust import remember
from node_runtime.releases.signing.trust_policy import TrustPolicy, read_trust_policy

from . import commit_record
from .catalog import Catalog
from .launcher_update import keep_launcher_current
from .parts import part_of
from .staging_request import PLAIN_REQUEST, StageRequest
from .sweep import finish_removals, remove, sweep
from .unpack import unpack

logger = logging.getLogger("node_runtime")


class ReleaseStore:
    """The releases in `root`. Methods may be called in any thread; they may block on the disk.

    `used_paths()` returns the paths of files that loaded code may still read. Folders that contain such files, for
    example lib/click-8.5.1, are not deleted before the next boot.
    """

    def __init__(self, root: Path, used_paths: Callable[[], set[str]] = set) -> None:
        self.root = root
        self.catalog = Catalog(root)
        self._disk = threading.Lock()
        self._used_paths = used_paths
        self.record = self._read()
        self.name = self._read_name()
        """The name that all releases of the node have."""

    @classmethod
    def at_boot(cls, root: Path, used_paths: Callable[[], set[str]]) -> ReleaseStore:
        """Delete what interrupted stagings and removals have left, and return the store. Errors are only logged."""
        try:
            clear_interrupted_writes(commit_record.record_path(root).parent)
            finish_removals(root)
            sweep(root)
        except OSError as error:
            logger.error("leftovers of an interrupted operation in %s can't be deleted: %s", root, error)
        store = cls(root, used_paths)
        store.trust_policy()  # remembers the policy at each boot, so that a later loss of etc/ is noticed
        return store

    # ------------------------------------------------------------------ queries

    @property
    def permanent(self) -> str:
        """The release that the next boot starts."""
        return self.record.permanent

    def entry(self, vsn: str) -> commit_record.RecordedRelease:
        """Return the entry of a release in the commit record. For an unknown release, raises `Refused`."""
        return self.record.entry(vsn)

    def infos(self, current: str) -> tuple[ReleaseInfo, ...]:
        """Return what operators see of all releases, in the order of staging. `current` is the running release.

        Doesn't wait for the verification of the releases' files. The first call begins it in another thread, and later
        calls return the damage that was found.
        """
        known = sorted(self.record.releases.items(), key=lambda item: item[1].staged)
        policy = self.trust_policy()
        return tuple(self._info(vsn, entry, current, policy) for vsn, entry in known)

    def info(self, vsn: str, current: str) -> ReleaseInfo:
        """Return what operators see of one release. `current` is the running release."""
        return self._info(vsn, self.entry(vsn), current, self.trust_policy())

    def trust_policy(self) -> TrustPolicy:
        """Return the release keys and the settings of the node, which an operator may have changed since the boot.

        The node records outside of etc/ whether it has keys and needs approvals. So if etc/ is lost, the node accepts
        no release, instead of every release.
        """
        policy = read_trust_policy(self.root)
        if policy.error is None:
            remember(self.root, release_keys=bool(policy.keys), approvals=policy.settings.approvals)
        return policy

    def check(self, vsn: str) -> None:
        """Raise `Refused` if the release is damaged or not trusted any more. Blocks while all its files are read.

        Other releases that are known as damaged are verified again, because their files may be readable again: the path
        to the release, or the way back, may lead over one of them.
        """
        self.check_trusted(vsn)
        self._verify_damaged()
        self.catalog.verify(vsn)

    def _verify_damaged(self) -> None:
        for vsn in self.damaged():
            with suppress(Refused):
                self.catalog.verify(vsn)

    def damaged(self) -> list[str]:
        """Return the releases that are known as damaged."""
        return [vsn for vsn in self.record.releases if self.catalog.damage(vsn) is not None]

    def check_trusted(self, vsn: str) -> None:
        """Raise `Refused` if the release was never committed and is not signed by a key that the node accepts now."""
        if (objection := self._objection(vsn, self.trust_policy())) is None:
            return
        if not self.entry(vsn).was_committed:
            raise Refused(
                f"Release {vsn} was never committed, so it needs an accepted signature, but {objection}; stage it with "
                f"another signature."
            )
        logger.warning("release %s stays usable, because it was committed, although %s", vsn, objection)

    def _objection(self, vsn: str, policy: TrustPolicy) -> str | None:
        origin = self.entry(vsn).origin
        return policy.objection(*((None, None) if origin is None else (origin.key, origin.signed_by)))

    def _info(self, vsn: str, entry: commit_record.RecordedRelease, current: str, policy: TrustPolicy) -> ReleaseInfo:
        damaged = self.catalog.damage(vsn)
        apps: tuple[AppEntry, ...] = ()
        if damaged is None:
            try:
                apps = self.catalog.release(vsn).manifest.apps
            except Refused as refused:
                damaged = refused.sentence
        direction = None if damaged else self.catalog.direction(current, vsn)
        return ReleaseInfo(
            name=self.name,
            vsn=vsn,
            status="current" if vsn == current and entry.status != "permanent" else entry.status,
            apps=tuple((app.name, app.vsn) for app in apps),
            staged=entry.staged,
            up=direction == "up",
            down=direction == "down",
            failed=entry.failed,
            damaged=None if damaged is None else shown(damaged),
            signature=self._signature(vsn, entry.origin, policy),
        )

    def _signature(self, vsn: str, origin: commit_record.ReleaseOrigin | None, policy: TrustPolicy) -> ReleaseSignature:
        objection = self._objection(vsn, policy)
        warning = None if objection is None else f"Release {vsn} is not trusted any more: {objection}."
        if origin is None:
            return ReleaseSignature(warning=warning)
        return ReleaseSignature(
            standing=policy.standing(origin.key),
            key=origin.key,
            signed_by=origin.signed_by,
            build=origin.build,
            warning=warning,
        )

    def path(self, start: str, end: str) -> list[str] | None:
        """Return the releases to install, one after the other, to get from `start` to `end`.

        Return None if there is no path.
        """
        return self._path(start, end, ("up", "down"))

    def hops(self, start: str, end: str) -> tuple[Direction, list[str]]:
        """Return the releases to install to get from `start` to `end` by upgrades only, or else by downgrades only.

        The direction of all these installs is returned, too. If there is no such path, the list is empty.
        """
        direction: Direction
        for direction in ("up", "down"):
            if path := self._path(start, end, (direction,)):
                return direction, path
        return "up", []

    def _path(self, start: str, end: str, directions: Container[Direction | None]) -> list[str] | None:
        reached: dict[str, list[str]] = {start: []}
        frontier = [start]
        while frontier and end not in reached:
            steps = [
                (here, there)
                for here in frontier
                for there in sorted(self.record.releases)
                if self.direction(here, there) in directions
            ]
            frontier = []
            for here, there in steps:
                if there not in reached:
                    reached[there] = [*reached[here], there]
                    frontier.append(there)
        return reached.get(end)

    def describe_reachable(self, start: str, end: str) -> str:
        """Return a clause that says how to get from `start` to `end` by several installs.

        If no installs lead to `end`, the clause lists the releases that one install reaches from `start`.
        """
        path = self.path(start, end)
        if path is not None and len(path) > 1:
            install = "install these one after the other"
            direction, hops = self.hops(start, end)
            if hops:
                command = f"hotdash {direction}grade NODE {end} --hops"
                install += f"; '{command}' does that, with a plan and a probation for each"
            return f"{end} is reachable via {' -> '.join((start, *path))}: {install}"
        others = self._reachable(start)
        return (
            f"releases reachable from {start}: {', '.join(others)}"
            if others
            else f"no other release is reachable from {start}"
        )

    def _reachable(self, start: str) -> list[str]:
        return [vsn for vsn in sorted(self.record.releases) if self.direction(start, vsn)]

    def direction(self, start: str, end: str) -> Direction | None:
        """Return the direction from one release to another; None if there is no relup, or if `end` is damaged."""
        return None if self.catalog.damage(end) else self.catalog.direction(start, end)

    def bootable(self) -> list[str]:
        """Return the undamaged releases that could boot, in the order of boot attempts.

        The permanent release comes first, then the old releases, beginning with the last committed release. Blocks,
        because it reads all files. Other releases that are known as damaged are verified again, because the way back
        may lead over them.
        """
        self._verify_damaged()
        old = [(entry.committed or 0.0, vsn) for vsn, entry in self.record.releases.items() if entry.status == "old"]
        intact = []
        for vsn in (self.permanent, *(vsn for _, vsn in sorted(old, reverse=True))):
            with suppress(Refused):
                self.catalog.verify(vsn)
                intact.append(vsn)
        return intact

    # ------------------------------------------------------------------ changes

    def stage(self, tarball: Path, request: StageRequest = PLAIN_REQUEST) -> str:
        """Verify and unpack a release; return its version. Raises `Refused`."""
        with self._disk:
            vsn = unpack(tarball, self.root, request, self._used_parts()).vsn
            self.catalog.forget(vsn)
            self.record = self._read()
        with suppress(Refused):
            self.catalog.verify(vsn)  # here, so that the next request for the releases does not begin a verification
        return vsn

    def remove(self, vsn: str, current: str | None = None, booted: Iterable[str] = ()) -> None:
        """Remove a release, and delete the parts (such as lib/click-8.5.1) that no other release needs.

        `current` is the running release, or None if no node runs. `vsn` may be the release that the node booted, if
        another release runs now. `booted` are the releases that other workers have booted; the third-party code of
        these releases stays until the next boot of the node. Raises `Refused` for the permanent release, and if the
        disk fails; after a failure of the disk, the next boot deletes the remaining files.
        """
        with self._disk:
            if current is not None:
                self.catalog.start_processes_as(current)
            try:
                used = self._used_parts().union(*map(self._third_party_parts, booted))
                remove(self.root, vsn, used)
                self.catalog.removed(vsn, used)
            except OSError as error:
                self.catalog.forget(vsn)
                raise Refused(
                    f"Release {vsn} can't be removed completely: {error.strerror or error}; check the disk, then "
                    f"restart the node to delete the remaining files."
                ) from None
            finally:
                self.record = self._read()

    def commit(self, vsn: str) -> None:
        """Make a release permanent. Raises `Refused` if it is damaged or, by `check_trusted`, not trusted."""
        self.check(vsn)
        self._change(lambda record: record.with_permanent(vsn))
        with self._disk:
            keep_launcher_current(self.root, self.catalog.release(vsn).manifest)

    def mark_failed(self, vsn: str, why: str) -> None:
        """Record that a release failed on this node; `why` is the reason."""
        self._change(lambda record: record.with_failed(vsn, shown(why)) if vsn in record.releases else record)

    def replace_permanent(self, failed: str, vsn: str, why: str) -> None:
        """Make `vsn` permanent, because the permanent release `failed` did not boot. `why` says why it did not boot."""
        self._change(lambda record: record.with_failed(failed, shown(why)).with_permanent(vsn))

    def _change(self, change: Callable[[commit_record.CommitRecord], commit_record.CommitRecord]) -> None:
        with self._disk:
            try:
                commit_record.save(self.root, change(self._read()))
            finally:
                self.record = self._read()  # also after a failed write, which may have replaced the file

    def _used_parts(self) -> set[str]:
        prefix = f"{self.root}/"
        return {part_of(path.removeprefix(prefix)) for path in self._used_paths() if path.startswith(prefix)}

    def _third_party_parts(self, vsn: str) -> set[str]:
        """Return the folders, such as lib/click-8.5.1, with the third-party code that the release `vsn` imports."""
        with suppress(Refused):
            return set(self.catalog.release(vsn).manifest.path)
        return set()  # the release has been removed, except these parts

    def _read_name(self) -> str:
        """Return the name of the node's releases, from the manifest of the permanent release or, if damaged, of another
        one.
        """
        for vsn in (self.permanent, *self.record.releases):
            with suppress(Refused):
                return self.catalog.release(vsn).manifest.name
        return ""

    def _read(self) -> commit_record.CommitRecord:
        record = commit_record.load(self.root)
        if record is None:
            raise Refused(
                f"The directory {self.root} has no commit record; install a release with node-runtime install."
            )
        return record
