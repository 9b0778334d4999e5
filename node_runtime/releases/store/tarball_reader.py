"""Read a release's tarball as what it claims to be: exactly its manifest's files, each with the right bytes.

The format's freedom is what attacks are made of, so nothing is extracted by tarfile: members are read one by one,
in a stream whose length is bounded by what the manifest has promised, and every byte is hashed. A tarball that was
cut or changed is refused, also where tarfile itself would be content.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.manifest import MAX_MANIFEST, Manifest, decode_manifest, manifest_path, sha256

_BLOCK = 64 << 10
_PER_MEMBER = 8 << 10


class Corrupt(Exception):
    """The tarball isn't what a build wrote; the text says in what way."""


class _Bounded:
    """A stream that ends with `Corrupt` where more is read than was promised."""

    def __init__(self, stream: IO[bytes], left: int) -> None:
        self._stream = stream
        self.left = left

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(min(_BLOCK, self.left + 1) if size < 0 else size)
        self.left -= len(data)
        if self.left < 0:
            raise Corrupt("it is longer than its manifest says")
        return data


class Archive:
    """An open tarball: its manifest is read, and `members` gives the files once, in their order."""

    def __init__(self, stream: _Bounded) -> None:
        self._stream = stream
        self._tar = tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        first = self._tar.next()
        if first is None or first.size > MAX_MANIFEST:
            raise Corrupt("it doesn't begin with a manifest")
        self.manifest_bytes = self._content(first)
        try:
            self.manifest: Manifest = decode_manifest(self.manifest_bytes)
        except ValueError as error:
            raise Corrupt(f"its manifest makes no sense ({error})") from None
        if first.name != manifest_path(self.manifest.vsn):
            raise Corrupt("it doesn't begin with a manifest")
        files = self.manifest.files.values()
        stream.left = sum(entry.size for entry in files) + _PER_MEMBER * (len(files) + 8)

    def members(self) -> Iterator[tuple[str, bytes]]:
        """Path and verified bytes of each file. Raises `Corrupt`; the end is verified when it is reached."""
        missing = dict(self.manifest.files)
        while (member := self._tar.next()) is not None:
            if member.isdir():
                continue
            entry = missing.pop(member.name, None)
            if entry is None:
                raise Corrupt(f"{member.name!r} is not in its manifest, or is there twice")
            if member.size != entry.size:
                raise Corrupt(f"{member.name} has {member.size} bytes instead of {entry.size}")
            data = self._content(member)
            if sha256(data) != entry.sha256:
                raise Corrupt(f"{member.name} has other bytes than its manifest says")
            yield member.name, data
        if missing:
            raise Corrupt(f"{min(missing)} is missing")
        while self._stream.read():
            pass  # to the very end, because only there gzip compares its checksum

    def verify(self) -> None:
        """Read to the end for nothing but being sure. Raises `Corrupt`."""
        for _ in self.members():
            pass

    def _content(self, member: tarfile.TarInfo) -> bytes:
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
            raise Corrupt(f"{member.name!r} is no plain file")
        file = self._tar.extractfile(member)
        data = file.read() if file is not None else b""
        if len(data) != member.size:
            raise Corrupt(f"{member.name} is cut off")
        return data


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a release's tarball; whatever is wrong with it, then or while it is read, is one `Refused` sentence."""
    try:
        with path.open("rb") as raw, gzip.GzipFile(fileobj=raw) as stream:
            yield Archive(_Bounded(cast("IO[bytes]", stream), MAX_MANIFEST + _PER_MEMBER))
    except Corrupt as corrupt:
        raise _corrupt(path, str(corrupt)) from None
    except (EOFError, tarfile.TarError, zlib.error, gzip.BadGzipFile) as error:
        raise _corrupt(path, str(error) or type(error).__name__) from None
    except OSError as error:
        raise Refused(f"{path.name} can't be unpacked: {error.strerror or error}.") from None


def _corrupt(path: Path, reason: str) -> Refused:
    reason = reason[:1].lower() + reason[1:]
    return Refused(f"{path.name} is corrupt: {reason.rstrip('.')}; build it again or copy it again.")
