"""The commit record: which releases a node directory holds, and which of them boots.

OTP's RELEASES file, with its rule: `current` is never on disk, so that a node which dies before a commit comes back
on the permanent release. The record is the truth; a directory that it doesn't name is rubbish.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

import msgspec

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.durable import write_whole
from node_runtime.releases.files.manifest import Struct
from node_runtime.releases.files.names import Vsn

Status = Literal["unpacked", "permanent", "old"]


class Held(Struct, frozen=True):
    """A release that the directory holds. `staged`, and `committed` for the last time, are in Unix seconds.

    `failed` says how it failed here the last time; a commit forgets that.
    """

    status: Status
    staged: float
    committed: float | None = None
    failed: str | None = None


class Record(Struct, frozen=True):
    """Exactly one release is permanent. Every change gives a new record; `save` makes it so."""

    permanent: Vsn
    releases: dict[Vsn, Held]
    schema: Literal[1] = 1

    def __post_init__(self) -> None:
        permanent = [vsn for vsn, held in self.releases.items() if held.status == "permanent"]
        if permanent != [self.permanent]:
            raise ValueError(f"permanent is {self.permanent}, but the releases say {permanent}")

    def with_unpacked(self, vsn: str) -> Record:
        """The record with one more release. Raises `Refused` if it has it already."""
        if vsn in self.releases:
            raise Refused(f"Release {vsn} is {self.releases[vsn].status} already.")
        return Record(
            permanent=self.permanent,
            releases={**self.releases, vsn: Held(status="unpacked", staged=time.time())},
        )

    def with_permanent(self, vsn: str) -> Record:
        """The record with `vsn` committed; what was permanent is old."""
        now = Held(status="permanent", staged=self.known(vsn).staged, committed=time.time())
        was = msgspec.structs.replace(self.releases[self.permanent], status="old")
        return Record(permanent=vsn, releases={**self.releases, self.permanent: was, vsn: now})

    def with_failed(self, vsn: str, why: str) -> Record:
        """The record with `vsn` marked: it failed here."""
        marked = msgspec.structs.replace(self.known(vsn), failed=why)
        return Record(permanent=self.permanent, releases={**self.releases, vsn: marked})

    def with_repaired(self, vsn: str) -> Record:
        """The record with `vsn` put right: what failed here was not what was built."""
        repaired = msgspec.structs.replace(self.known(vsn), failed=None)
        return Record(permanent=self.permanent, releases={**self.releases, vsn: repaired})

    def without(self, vsn: str) -> Record:
        """The record without `vsn`. Raises `Refused` for the permanent release."""
        if self.known(vsn).status == "permanent":
            raise Refused(f"Release {vsn} is permanent: the node would have nothing to boot. Commit another one first.")
        return Record(
            permanent=self.permanent, releases={name: held for name, held in self.releases.items() if name != vsn}
        )

    def known(self, vsn: str) -> Held:
        """The entry of a release. Raises `Refused` where there is none."""
        if vsn not in self.releases:
            raise Refused(f"There is no release {vsn}; there are {', '.join(sorted(self.releases))}.")
        return self.releases[vsn]


def first_record(vsn: str) -> Record:
    """The record of a directory that was just unpacked: its one release is permanent."""
    return Record(permanent=vsn, releases={vsn: Held(status="permanent", staged=time.time())})


def record_path(directory: Path) -> Path:
    """Where a node directory keeps its record."""
    return directory / "releases" / "record.json"


def load(directory: Path) -> Record | None:
    """The record, or None where there is none yet. Raises `Refused` for one that can't be trusted."""
    path = record_path(directory)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise Refused(f"The commit record {path} can't be read: {error}; restore it from a backup.") from None


def save(directory: Path, record: Record) -> None:
    """Make `record` the truth, durably and in one step."""
    write_whole(record_path(directory), msgspec.json.format(msgspec.json.encode(record, order="sorted"), indent=1))
