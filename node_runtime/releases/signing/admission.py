"""The admission of a tarball: its signature is checked before anything in it is decompressed or parsed.

If a node has release keys, it admits only a release that one of these keys has signed. The signature contains two
hashes. The hash of the tarball is checked here. `Admission.check_manifest` checks the hash of the manifest when the
manifest has been read. So even if somebody replaces the tarball in between, only signed files are unpacked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.signature_file import signature_path
from node_runtime.releases.files.manifest import Manifest
from node_runtime.releases.files.regular_file import open_regular
from node_runtime.releases.files.trust_settings import read_trust_settings

from .minisign import MalformedFile, Signature, decode_signature, is_valid, key_id_text
from .release_keys import ReleaseKey, accepted_keys_clause, read_node_keys
from .remembered_trust import check_remembered
from .statement import ReleaseStatement, build_id, parse_statement

MAX_CLOCK_DIFFERENCE: Final = timedelta(days=1)
"""A build id may be at most this far in the future: after its commit, builds of the present would be refused as older.
"""


class Admission(msgspec.Struct, frozen=True):
    """An admitted tarball with the hash `sha256`. Without a signature, `key` and `statement` are None.

    If `repairs` is set, the tarball may be used only to repair the committed release whose manifest has this hash.
    """

    file_name: str
    sha256: str
    key: ReleaseKey | None = None
    statement: ReleaseStatement | None = None
    repairs: str | None = None

    def check_manifest(self, manifest: Manifest, data: bytes) -> None:
        """Compare the manifest, read from the bytes `data`, with the signed statement. Raises Refused."""
        found_hash, statement = hashlib.sha256(data).hexdigest(), self.statement
        if self.repairs not in (None, found_hash):
            raise Refused(f"{self.file_name} was changed while it was read; try again.")
        if statement is None:
            return
        differences = {
            "name": (statement.name, manifest.name),
            "vsn": (statement.vsn, manifest.vsn),
            "sha256 of manifest.json": (statement.manifest, found_hash),
        }
        if manifest.built is not None:
            stamped = datetime.fromtimestamp(manifest.built, UTC)
            differences["build id"] = (statement.build, build_id(stamped, statement.manifest))
        for what, (signed, found) in differences.items():
            if signed != found:
                raise Refused(
                    f"{self.file_name} is refused: its signature names the {what} {signed}, but the tarball has the "
                    f"{what} {found}; sign this tarball."
                )


def admit(tarball: Path, signature: bytes | None, directory: Path) -> Admission:
    """Admit a tarball to the node in `directory`. Raises Refused with a sentence that names the accepted keys.

    `signature` is the content of the tarball's signature file. Blocks while the tarball is hashed.
    """
    keys = read_node_keys(directory)
    check_remembered(directory, read_trust_settings(directory))
    sha256, digest = tarball_hashes(tarball)
    if not keys:
        return Admission(tarball.name, sha256)
    if signature is None:
        if read_trust_settings(directory).allow_unsigned:
            return Admission(tarball.name, sha256)
        today = datetime.now(UTC).date()
        raise Refused(
            f"{tarball.name} is refused: it is not signed; {accepted_keys_clause(keys, today)}. Sign it with "
            f"`node-runtime sign`, and keep {signature_path(tarball).name} beside it."
        )
    return _checked(tarball.name, signature, keys, sha256, digest)


def check_signature(tarball: Path, signature: bytes, keys: Sequence[ReleaseKey]) -> Admission:
    """Check the signature of a tarball as a node with `keys` would. Raises Refused."""
    return _checked(tarball.name, signature, keys, *tarball_hashes(tarball))


def tarball_hashes(tarball: Path) -> tuple[str, bytes]:
    """Return the SHA-256 of a tarball in hexadecimal, and its BLAKE2b-512 digest. Raises Refused."""
    sha256, blake2b = hashlib.sha256(), hashlib.blake2b()
    try:
        with open_regular(tarball) as file:
            while block := file.read(1 << 20):
                sha256.update(block)
                blake2b.update(block)
    except OSError as error:
        raise Refused(f"{tarball.name} can't be read: {error.strerror}.") from None
    return sha256.hexdigest(), blake2b.digest()


def _checked(name: str, data: bytes, keys: Sequence[ReleaseKey], sha256: str, digest: bytes) -> Admission:
    now = datetime.now(UTC)
    try:
        signature = decode_signature(data)
        key = _signer(signature, keys, digest, now)
        statement = parse_statement(signature.trusted_comment)
        if statement.sha256 != sha256:
            raise ValueError(
                f"its signature names a tarball with the sha256 {statement.sha256}, but the sha256 of this tarball is "
                f"{sha256}"
            )
        if now > statement.expires:
            raise ValueError(f"its signature by {key} expired at {statement.expires:%Y-%m-%d %H:%M} UTC; sign it again")
        if statement.built > now + MAX_CLOCK_DIFFERENCE:
            hours = MAX_CLOCK_DIFFERENCE / timedelta(hours=1)
            raise ValueError(
                f"its build id {statement.build} is more than {hours:g} h in the future; correct the clock "
                f"that is wrong, here or on the machine that built the release, and sign the tarball again"
            )
    except MalformedFile as error:
        raise Refused(f"{name} is refused: its signature can't be used: {error}.") from None
    except ValueError as error:
        raise Refused(f"{name} is refused: {error}.") from None
    return Admission(name, sha256, key, statement)


def _signer(signature: Signature, keys: Sequence[ReleaseKey], digest: bytes, now: datetime) -> ReleaseKey:
    """Return the key that made the signature. Raises ValueError if the key is unknown or not accepted."""
    key = next((key for key in keys if key.public.id == signature.key_id), None)
    if key is None:
        signer = key_id_text(signature.key_id)
        raise ValueError(f"the unknown key {signer} has signed it; {accepted_keys_clause(keys, now.date())}")
    if not is_valid(signature, key.public, digest):
        raise ValueError(
            f"its signature names the key {key}, but does not match this file; "
            f"{accepted_keys_clause(keys, now.date())}. Copy the tarball and its signature again"
        )
    if (refusal := key.refusal(now.date())) is not None:
        raise ValueError(f"{refusal}; {accepted_keys_clause(keys, now.date())}")
    return key
