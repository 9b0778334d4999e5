"""Small signed tarballs that no build made, and release keys for them, in real files."""

from __future__ import annotations

import gzip
import io
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from node_runtime.protocol.signature_file import signature_path
from node_runtime.releases.files.manifest import (
    AppEntry,
    FileEntry,
    Manifest,
    ModuleEntry,
    manifest_path,
    sha256,
    this_platform,
    this_python,
)
from node_runtime.releases.signing.admission import tarball_hashes
from node_runtime.releases.signing.minisign import UNTRUSTED_PREFIX
from node_runtime.releases.signing.release_keys import release_keys_folder
from node_runtime.releases.signing.secret_key import SecretKey, new_secret_key
from node_runtime.releases.signing.statement import ReleaseStatement, build_id

BUILT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def release(folder: Path, vsn: str = "1", *, name: str = "r", built: int | None = None) -> tuple[Path, bytes]:
    """Write the tarball of a minimal release; returns its path and the bytes of its manifest."""
    source = f"lib/a-{vsn}/src/a.py"
    texts = {
        f"bin/{name}": "#!",
        f"lib/a-{vsn}/app.toml": f'name = "a"\nvsn = "{vsn}"\n',
        source: f"v = {vsn!r}",
        f"releases/{vsn}/release.toml": f'name = "{name}"\nvsn = "{vsn}"\napps = ["a"]\n',
        f"releases/{vsn}/node.toml": f'name = "{name}@127.0.0.1"\n',
    }
    files = {path: text.encode() for path, text in texts.items()}
    manifest = Manifest(
        name=name,
        vsn=vsn,
        python=this_python(),
        platform=this_platform(),
        path=(),
        apps=(AppEntry(name="a", vsn=vsn, modules={"a": ModuleEntry(path=source, sha256=sha256(files[source]))}),),
        files={path: FileEntry(size=len(data), sha256=sha256(data)) for path, data in files.items()},
        built=built,
    )
    members = {manifest_path(vsn): manifest.encoded(), **files}
    folder.mkdir(exist_ok=True)
    tarball = folder / f"{name}-{vsn}.tar.gz"
    with gzip.open(tarball, "wb", compresslevel=1) as stream, tarfile.open(fileobj=stream, mode="w") as archive:
        for path, data in members.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return tarball, manifest.encoded()


def statement_of(
    tarball: Path, manifest: bytes, /, *, built: datetime = BUILT, expires: datetime | None = None, **changes: str
) -> ReleaseStatement:
    """The true statement about a tarball, but for `changes` of its fields."""
    name, _, rest = tarball.name.partition("-")
    hash = changes.get("manifest", sha256(manifest))
    fields = {
        "name": name,
        "vsn": rest.removesuffix(".tar.gz"),
        "sha256": tarball_hashes(tarball)[0],
        "manifest": hash,
        "build": build_id(built, hash),
        **changes,
    }
    return ReleaseStatement(**fields, expires=expires or datetime.now(UTC) + timedelta(days=1))


def sign(tarball: Path, statement: ReleaseStatement | str, secret: SecretKey) -> bytes:
    """Sign a tarball with a statement, or with any trusted comment; the signature file lies beside it."""
    comment = statement if isinstance(statement, str) else statement.line()
    text = secret.sign(tarball_hashes(tarball)[1], comment).encoded("for a test").encode()
    signature_path(tarball).write_bytes(text)
    return text


def signed_release(folder: Path, secret: SecretKey, vsn: str = "1", *, built: datetime = BUILT) -> Path:
    """Write the tarball of a minimal release, with a valid signature beside it."""
    tarball, manifest = release(folder, vsn)
    sign(tarball, statement_of(tarball, manifest, built=built), secret)
    return tarball


def trust(directory: Path, name: str, secret: SecretKey, settings: str = "") -> Path:
    """Put a release key into the etc/ of a node's directory; returns its file."""
    folder = release_keys_folder(directory)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.pub"
    path.write_text(f"{UNTRUSTED_PREFIX}{name}\n{secret.public.encoded()}\n{settings}")
    path.chmod(0o644)
    folder.chmod(0o755)
    return path


def trusted_key(directory: Path, name: str = "ana", settings: str = "") -> SecretKey:
    """A new key that the node in `directory` trusts."""
    secret = new_secret_key()
    trust(directory, name, secret, settings)
    return secret
