"""The releases of a node's directory: what the commit record says of them and what their files say, kept together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Direction, ReleaseInfo

from . import commit_record, unpack
from .catalog import Catalog


class Shelf:
    """The releases in `root`. Looking is for any thread; what changes something blocks on the disk, in any thread."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.catalog = Catalog(root)
        self._disk = threading.Lock()
        self.record = self._read()

    # ------------------------------------------------------------------ looking

    @property
    def permanent(self) -> str:
        """The release that boots."""
        return self.record.permanent

    def known(self, vsn: str) -> commit_record.Held:
        """The entry of a release. Raises `Refused`, naming those that there are."""
        if vsn not in self.record.releases:
            known = ", ".join(sorted(self.record.releases))
            raise Refused(f"There is no release {vsn} on this node; there are {known}.")
        return self.record.releases[vsn]

    def infos(self, current: str) -> tuple[ReleaseInfo, ...]:
        """What operators see, in the order of arrival, while `current` runs."""
        known = sorted(self.record.releases.items(), key=lambda one: one[1].staged)
        return tuple(self._info(vsn, held, current) for vsn, held in known)

    def info(self, vsn: str, current: str) -> ReleaseInfo:
        """One of these."""
        return self._info(vsn, self.known(vsn), current)

    def _info(self, vsn: str, held: commit_record.Held, current: str) -> ReleaseInfo:
        damaged = self.catalog.damage(vsn)
        way = None if damaged else self.catalog.direction(current, vsn)
        apps = () if damaged else self.catalog.release(vsn).manifest.apps
        return ReleaseInfo(
            name=self.catalog.release(current).manifest.name,
            vsn=vsn,
            status="current" if vsn == current and held.status != "permanent" else held.status,
            apps=tuple((app.name, app.vsn) for app in apps),
            staged=held.staged,
            up=way == "up",
            down=way == "down",
            failed=held.failed,
            damaged=damaged,
        )

    def path(self, start: str, end: str) -> list[str] | None:
        """The releases to go by, the last one `end`: as few as can be. None where no ways lead there."""
        reached: dict[str, list[str]] = {start: []}
        edge = [start]
        while edge and end not in reached:
            steps = [(here, there) for here in edge for there in self._reachable(here)]
            edge = []
            for here, there in steps:
                if there not in reached:
                    reached[there] = [*reached[here], there]
                    edge.append(there)
        return reached.get(end)

    def ways(self, start: str, end: str) -> str:
        """Where the node can go from `start`, for one who found no way to `end`."""
        path = self.path(start, end)
        if path is not None and len(path) > 1:
            return f"to {end} lead the ways {' -> '.join((start, *path))}: go one after the other"
        others = self._reachable(start)
        return f"from {start} the node can go to {', '.join(others)}" if others else "no other release can be reached"

    def _reachable(self, start: str) -> list[str]:
        return [vsn for vsn in sorted(self.record.releases) if self.direction(start, vsn)]

    def direction(self, start: str, end: str) -> Direction | None:
        """Which way leads from one release to another that is intact; None if none does."""
        return None if self.catalog.damage(end) else self.catalog.direction(start, end)

    def whole(self) -> list[str]:
        """The releases that would boot, the first one first, and that are what was built. Blocks: it reads them all."""
        old = [(held.committed or 0.0, vsn) for vsn, held in self.record.releases.items() if held.status == "old"]
        found = []
        for vsn in (self.permanent, *(vsn for _, vsn in sorted(old, reverse=True))):
            with suppress(Refused):
                self.catalog.verify(vsn)
                found.append(vsn)
        return found

    # ------------------------------------------------------------------ changing

    def stage(self, tarball: Path) -> str:
        """Verify and unpack a release; returns its version. Raises `Refused`."""
        with self._disk:
            vsn = unpack.unpack(tarball, self.root).vsn
            self.catalog.forget(vsn)
            self.record = self._read()
        return vsn

    def remove(self, vsn: str) -> None:
        """Forget a release and delete what no other one needs. Raises `Refused` for the permanent one."""
        with self._disk:
            unpack.remove(self.root, vsn)
            self.catalog.forget(vsn)
            self.record = self._read()

    def commit(self, vsn: str) -> None:
        """Make an intact release permanent. Raises `Refused` for a damaged one."""
        self.catalog.verify(vsn)
        self._change(lambda known: known.with_permanent(vsn))

    def mark(self, vsn: str, why: str) -> None:
        """Remember that a release has failed here."""
        self._change(lambda known: known.with_failed(vsn, why) if vsn in known.releases else known)

    def replace(self, fallen: str, vsn: str, why: str) -> None:
        """Make `vsn` permanent in the place of one that did not boot."""
        self._change(lambda known: known.with_failed(fallen, why).with_permanent(vsn))

    def _change(self, change: Callable[[commit_record.Record], commit_record.Record]) -> None:
        with self._disk:
            try:
                commit_record.save(self.root, change(self._read()))
            finally:
                self.record = self._read()  # what the disk says counts, also where writing failed at its last step

    def _read(self) -> commit_record.Record:
        known = commit_record.load(self.root)
        if known is None:
            raise Refused(f"{self.root} has no commit record; install a release with node-runtime install.")
        return known
