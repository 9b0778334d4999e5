"""The commit record: the releases in a node directory, and the one that boots.

It corresponds to OTP's RELEASES file. As in OTP, the status `current` is never on disk, so a node
that dies before a commit boots the permanent release. A directory in releases/ whose release is not
in the record is not used.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

import msgspec

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.durable import write_atomically
from node_runtime.releases.files.manifest import ManifestStruct
from node_runtime.releases.files.names import VsnString

RecordStatus = Literal["unpacked", "permanent", "old"]


class RecordedRelease(ManifestStruct, frozen=True):
    """A release in the record. `staged` and `committed` are the times of its staging and last commit, in Unix seconds.

    `failed` is the reason of the release's last failure on this node. A commit or a repair clears
    it.
    """

    status: RecordStatus
    staged: float
    committed: float | None = None
    failed: str | None = None


class CommitRecord(ManifestStruct, frozen=True):
    """The commit record. Exactly one release is permanent. Each change makes a new record."""

    permanent: VsnString
    releases: dict[VsnString, RecordedRelease]
    schema: Literal[1] = 1

    def __post_init__(self) -> None:
        permanent = [vsn for vsn, entry in self.releases.items() if entry.status == "permanent"]
        if permanent != [self.permanent]:
            raise ValueError(
                f"`permanent` names {self.permanent}, but the releases with the status permanent are {permanent}"
            )

    def with_unpacked(self, vsn: str) -> CommitRecord:
        """Return the record with `vsn` added as unpacked. Raises `Refused` if the record already has that release."""
        if vsn in self.releases:
            raise Refused(f"Release {vsn} is already {self.releases[vsn].status}.")
        return CommitRecord(
            permanent=self.permanent,
            releases={**self.releases, vsn: RecordedRelease(status="unpacked", staged=time.time())},
        )

    def with_permanent(self, vsn: str) -> CommitRecord:
        """Return the record in which `vsn` is permanent and the release that was permanent before is old."""
        now = RecordedRelease(status="permanent", staged=self.entry(vsn).staged, committed=time.time())
        previous = msgspec.structs.replace(self.releases[self.permanent], status="old")
        return CommitRecord(permanent=vsn, releases={**self.releases, self.permanent: previous, vsn: now})

    def with_failed(self, vsn: str, why: str) -> CommitRecord:
        """Return the record with `vsn` marked as failed because of `why`."""
        marked = msgspec.structs.replace(self.entry(vsn), failed=why)
        return CommitRecord(permanent=self.permanent, releases={**self.releases, vsn: marked})

    def with_repaired(self, vsn: str) -> CommitRecord:
        """Return the record without the failure of `vsn`. Called after a repair of its files."""
        repaired = msgspec.structs.replace(self.entry(vsn), failed=None)
        return CommitRecord(permanent=self.permanent, releases={**self.releases, vsn: repaired})

    def without(self, vsn: str) -> CommitRecord:
        """Return the record without `vsn`. Raises `Refused` for the permanent release."""
        if self.entry(vsn).status == "permanent":
            raise Refused(f"Release {vsn} is permanent, so the node needs it to boot; commit another release first.")
        return CommitRecord(
            permanent=self.permanent, releases={name: entry for name, entry in self.releases.items() if name != vsn}
        )

    def entry(self, vsn: str) -> RecordedRelease:
        """Return the entry of a release. Raises `Refused` for an unknown release."""
        if vsn not in self.releases:
            raise Refused(f"There is no release {vsn}; known releases: {', '.join(sorted(self.releases))}.")
        return self.releases[vsn]


def first_record(vsn: str) -> CommitRecord:
    """Return the record of a new node directory, in which the only release is permanent."""
    return CommitRecord(permanent=vsn, releases={vsn: RecordedRelease(status="permanent", staged=time.time())})


def record_path(directory: Path) -> Path:
    """Return the path of the record in a node directory."""
    return directory / "releases" / "record.json"


def load(directory: Path) -> CommitRecord | None:
    """Read the record. Return None if there is none yet. Raises `Refused` if it can't be read or is invalid."""
    path = record_path(directory)
    try:
        return msgspec.json.decode(path.read_bytes(), type=CommitRecord)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise Refused(f"The commit record {path} can't be read: {error}; restore it from a backup.") from None


def save(directory: Path, record: CommitRecord) -> None:
    """Write the record durably and atomically."""
    write_atomically(record_path(directory), msgspec.json.format(msgspec.json.encode(record, order="sorted"), indent=1))
