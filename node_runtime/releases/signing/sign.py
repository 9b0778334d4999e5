"""Signs the tarball of a release: makes the statement about it, and the signature file beside it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.signature_file import signature_path
from node_runtime.releases.files.durable import write_atomically
from node_runtime.releases.files.manifest import Manifest

from .admission import tarball_hashes
from .secret_key import SecretKey
from .statement import DEFAULT_EXPIRY_DAYS, ReleaseStatement, build_id


def sign_tarball(
    tarball: Path, manifest: Manifest, manifest_bytes: bytes, secret: SecretKey, days: int = DEFAULT_EXPIRY_DAYS
) -> ReleaseStatement:
    """Write the signature of `tarball` beside it, valid for `days`; return the signed statement. Raises Refused.

    `manifest` is the tarball's, and `manifest_bytes` its encoded form. The build id has the time of the build. If the
    manifest has no such time, the build id has the present time.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    sha256, digest = tarball_hashes(tarball)
    manifest_hash = hashlib.sha256(manifest_bytes).hexdigest()
    built = now if manifest.built is None else datetime.fromtimestamp(manifest.built, UTC)
    statement = ReleaseStatement(
        name=manifest.name,
        vsn=manifest.vsn,
        sha256=sha256,
        manifest=manifest_hash,
        build=build_id(built, manifest_hash),
        expires=now + timedelta(days=days),
    )
    text = secret.sign(digest, statement.line()).encoded(f"signature from hotdash release key {secret.public}")
    try:
        write_atomically(signature_path(tarball), text.encode())
    except OSError as error:
        raise Refused(f"{signature_path(tarball)} can't be written: {error.strerror}.") from None
    return statement
