"""The request to stage a tarball, the origin that the commit record keeps of it, and the refusal of older builds."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.signature_file import read_signature
from node_runtime.releases.files.manifest import sha256
from node_runtime.releases.signing.admission import Admission, admit, tarball_hashes
from node_runtime.releases.signing.statement import build_time

from .commit_record import CommitRecord, ReleaseOrigin, load


class StageRequest(msgspec.Struct, frozen=True):
    """The request to stage a tarball.

    `staged_by` is the name of the key whose holder sends the request; None if the tarball is unpacked while the node
    is down. With `allow_older`, the build may be older than the newest build that was committed. With `development`,
    the tarball comes from the developer who has started the node, and is read in the node's own OS process. With
    `only_read`, the release is read and then deleted, but never booted; so its sources are not compiled.
    """

    staged_by: str | None = None
    allow_older: bool = False
    development: bool = False
    only_read: bool = False

    @property
    def compiles(self) -> bool:
        """Whether the release gets bytecode."""
        return not (self.development or self.only_read)


PLAIN_REQUEST: Final = StageRequest()
ONLY_READ: Final = StageRequest(only_read=True)


def admit_to(directory: Path, tarball: Path) -> Admission:
    """Admit a tarball, with the signature beside it, to the node in `directory`. Raises Refused.

    If the node has committed a release, the exact tarball of this release is always admitted, to repair the release,
    even if the signature has expired since. The node may boot this release, and return to it, anyway.
    """
    try:
        return admit(tarball, read_signature(tarball), directory)
    except Refused:
        repairs = _committed_manifest(directory, found := tarball_hashes(tarball)[0])
        if repairs is None:
            raise
        return Admission(tarball.name, found, repairs=repairs)


def _committed_manifest(directory: Path, tarball: str) -> str | None:
    """Return the manifest hash of the committed release whose tarball has the hash `tarball`; None if there is none."""
    record = load(directory)
    committed = [
        entry.origin
        for entry in (record.releases.values() if record is not None else ())
        if entry.origin is not None and entry.was_committed
    ]
    return next((origin.manifest for origin in committed if origin.tarball == tarball), None)


def release_origin(admission: Admission, manifest: bytes, request: StageRequest) -> ReleaseOrigin:
    """Return what the commit record keeps of an admitted tarball whose manifest.json is `manifest`."""
    key, statement = admission.key, admission.statement
    return ReleaseOrigin(
        tarball=admission.sha256,
        manifest=sha256(manifest),
        key=None if key is None else str(key.public),
        signed_by=None if key is None else key.name,
        build=None if statement is None else statement.build,
        staged_by=request.staged_by,
    )


def check_not_older(file_name: str, vsn: str, origin: ReleaseOrigin, record: CommitRecord | None) -> None:
    """Raise Refused for a release that is new to the node, but was built before a release that the node has committed.

    Such a tarball may be an old build with a known fault, presented as a new release. Downgrades to a release that is
    already in the directory stay possible.
    """
    if record is None or vsn in record.releases or origin.build is None or record.newest_build is None:
        return
    built, newest = build_time(origin.build), build_time(record.newest_build)
    if built < newest:
        raise Refused(
            f"{file_name} is refused: it was built at {built:%Y-%m-%d %H:%M:%S} UTC, before the newest release that "
            f"this node has committed ({newest:%Y-%m-%d %H:%M:%S} UTC). Pass --allow-older if you want an older build."
        )
