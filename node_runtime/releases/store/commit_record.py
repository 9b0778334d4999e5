"""The commit record: the releases in a node directory, and which of them boots.

The record corresponds to OTP's RELEASES file. As in OTP, it doesn't say which release is current, so a node that dies
before a commit boots the permanent release. A directory in releases/ is not used if its release is not in the record.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from node_runtime.protocol.clip import MAX_SHOWN_NAME, clip
from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.durable import write_atomically
from node_runtime.releases.files.manifest import ManifestStruct
from node_runtime.releases.files.manifest_checks import RECORD_NAME
from node_runtime.releases.files.names import VsnString
from node_runtime.releases.files.regular_file import check_shortage, read_regular

MAX_RECORD_BYTES = 64 << 20
"""Greatest size of the record. A release adds a few hundred bytes, and some more for each of its parts."""

RecordStatus = Literal["unpacked", "permanent", "old"]


class ReleaseOrigin(ManifestStruct, frozen=True):
    """The origin of a release: which tarball was staged, who signed it, and who staged it.

    `tarball` and `manifest` are the SHA-256 of the tarball and of its manifest.json. `key` is the id of the release key
    that signed the tarball, `signed_by` the name that this key had at the staging, and `build` the signed build id; all
    three are None for an unsigned release. `staged_by` is the name of the person whose key staged the release; None if
    it was unpacked while the node was down.
    """

    tarball: str
    manifest: str
    key: str | None = None
    signed_by: str | None = None
    build: str | None = None
    staged_by: str | None = None


class RecordedRelease(ManifestStruct, frozen=True):
    """A release in the record. `staged` and `committed` are the Unix times of its staging and its last commit.

    `failed` is the reason of the release's last failure on this node; a commit or a repair of the release clears it.
    `origin` is None for a release that was staged by an older node, which did not record origins. `parts` are the parts
    of the node directory that the release needs (lib/<x>-<v>, releases/<vsn>, names in bin/). If `parts` is empty, the
    release's manifest has to be read to find the parts. `bytecode` has, for each part with bytecode, the hash of the
    bytecode's index; see `node_runtime/code/bytecode.py`.
    """

    status: RecordStatus
    staged: float
    committed: float | None = None
    failed: str | None = None
    origin: ReleaseOrigin | None = None
    parts: tuple[str, ...] = ()
    bytecode: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def was_committed(self) -> bool:
        """Whether the release is or was permanent. The node may always boot such a release, and return to it."""
        return self.status in ("permanent", "old")


class CommitRecord(ManifestStruct, frozen=True):
    """The commit record. Exactly one release is permanent. Each change makes a new record.

    `newest_build` is the newest build id of all releases that were ever permanent, even if they were removed since.
    """

    permanent: VsnString
    releases: dict[VsnString, RecordedRelease]
    newest_build: str | None = None
    schema: Literal[1] = 1

    def __post_init__(self) -> None:
        permanent = [vsn for vsn, entry in self.releases.items() if entry.status == "permanent"]
        if permanent != [self.permanent]:
            raise ValueError(
                f"`permanent` names {self.permanent}, but the releases with the status permanent are {permanent}"
            )

    def with_unpacked(self, vsn: str, origin: ReleaseOrigin | None = None, parts: tuple[str, ...] = ()) -> CommitRecord:
        """Return the record with `vsn` added as unpacked. Raises `Refused` if the record already has that release."""
        if vsn in self.releases:
            raise Refused(f"Release {vsn} is already {self.releases[vsn].status}.")
        return self._with(vsn, RecordedRelease(status="unpacked", staged=time.time(), origin=origin, parts=parts))

    def with_origin(self, vsn: str, origin: ReleaseOrigin) -> CommitRecord:
        """Return the record after a repeated staging of `vsn` with the same content and perhaps another signature.

        The record keeps the name of the first person to stage the release. If the repeated staging has no signature,
        the record also keeps the old signature.
        """
        before = self.entry(vsn).origin
        if before is not None:
            origin = msgspec.structs.replace(origin, staged_by=before.staged_by)
            if origin.key is None:
                origin = before
        return self._with(vsn, msgspec.structs.replace(self.entry(vsn), origin=origin))

    def with_permanent(self, vsn: str) -> CommitRecord:
        """Return the record in which `vsn` is permanent and the release that was permanent before is old."""
        entry = self.entry(vsn)
        now = msgspec.structs.replace(entry, status="permanent", committed=time.time(), failed=None)
        previous = msgspec.structs.replace(self.releases[self.permanent], status="old")
        build = entry.origin.build if entry.origin is not None else None
        return CommitRecord(
            permanent=vsn,
            releases={**self.releases, self.permanent: previous, vsn: now},
            newest_build=max(filter(None, (self.newest_build, build)), default=None),
        )

    def with_failed(self, vsn: str, why: str) -> CommitRecord:
        """Return the record with `vsn` marked as failed because of `why`."""
        return self._with(vsn, msgspec.structs.replace(self.entry(vsn), failed=why))

    def with_repaired(self, vsn: str) -> CommitRecord:
        """Return the record without the failure of `vsn`. Called after a repair of its files."""
        return self._with(vsn, msgspec.structs.replace(self.entry(vsn), failed=None))

    def with_bytecode(self, vsn: str, bytecode: Mapping[str, str]) -> CommitRecord:
        """Return the record with the hashes of the bytecode of `vsn`."""
        return self._with(vsn, msgspec.structs.replace(self.entry(vsn), bytecode=dict(bytecode)))

    def without(self, vsn: str) -> CommitRecord:
        """Return the record without `vsn`. Raises `Refused` for the permanent release."""
        if self.entry(vsn).status == "permanent":
            raise Refused(f"Release {vsn} is permanent, so the node needs it to boot; commit another release first.")
        left = {name: entry for name, entry in self.releases.items() if name != vsn}
        return msgspec.structs.replace(self, releases=left)

    def _with(self, vsn: str, entry: RecordedRelease) -> CommitRecord:
        return msgspec.structs.replace(self, releases={**self.releases, vsn: entry})

    def entry(self, vsn: str) -> RecordedRelease:
        """Return the entry of a release. Raises `Refused` for an unknown release."""
        if vsn not in self.releases:
            known = ", ".join(sorted(self.releases))
            raise Refused(f"There is no release {clip(vsn, MAX_SHOWN_NAME)} on this node; known releases: {known}.")
        return self.releases[vsn]


def first_record(vsn: str, origin: ReleaseOrigin | None = None, parts: tuple[str, ...] = ()) -> CommitRecord:
    """Return the record of a new node directory, in which the only release is permanent."""
    return CommitRecord(
        permanent=vsn,
        releases={vsn: RecordedRelease(status="permanent", staged=time.time(), origin=origin, parts=parts)},
        newest_build=None if origin is None else origin.build,
    )


def record_path(directory: Path) -> Path:
    """Return the path of the record in a node directory."""
    return directory / "releases" / RECORD_NAME


def load(directory: Path) -> CommitRecord | None:
    """Read the record. Return None if there is none yet. Raises `Refused` if it can't be read or is invalid."""
    path = record_path(directory)
    try:
        return msgspec.json.decode(read_regular(path, MAX_RECORD_BYTES), type=CommitRecord)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, RecursionError) as error:
        check_shortage(path, error)
        raise Refused(f"The commit record {path} can't be read: {error}; restore it from a backup.") from None


def manifest_sha256(directory: Path, vsn: str) -> str | None:
    """Return the recorded hash of a release's manifest; None if none is recorded. Raises `Refused`."""
    record = load(directory)
    entry = None if record is None else record.releases.get(vsn)
    return None if entry is None or entry.origin is None else entry.origin.manifest


def save(directory: Path, record: CommitRecord) -> None:
    """Write the record durably and atomically."""
    write_atomically(record_path(directory), msgspec.json.format(msgspec.json.encode(record, order="sorted"), indent=1))
