"""Reads a release's tarball strictly: exactly the files of its manifest, each with the right bytes.

The tar format is flexible enough for attacks, so tarfile extracts nothing: members are read one by one from a stream
whose length is bounded by the sizes in the manifest, and every byte is hashed. A truncated or changed tarball is
refused, even where tarfile itself would accept it.
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
from node_runtime.releases.files.manifest import Manifest, decode_manifest, manifest_path, sha256
from node_runtime.releases.files.tarball_limits import (
    EXTRA_MEMBER_HEADERS,
    MAX_MANIFEST_BYTES,
    MAX_MEMBER_HEADER_BYTES,
    READ_BLOCK_BYTES,
)


class CorruptTarball(Exception):
    """The tarball differs from the one that the build wrote. The message names the defect."""


class _BoundedStream:
    """A stream that raises `CorruptTarball` when more than `left` bytes are read."""

    def __init__(self, stream: IO[bytes], left: int) -> None:
        self._stream = stream
        self.left = left

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(min(READ_BLOCK_BYTES, self.left + 1) if size < 0 else size)
        self.left -= len(data)
        if self.left < 0:
            raise CorruptTarball("it is longer than its manifest says")
        return data


class TarballReader:
    """An open tarball. Its manifest has been read; `members` yields the files once, in their order."""

    def __init__(self, stream: _BoundedStream) -> None:
        self._stream = stream
        self._tar = tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        first = self._tar.next()
        if first is None or first.size > MAX_MANIFEST_BYTES:
            raise CorruptTarball("it doesn't begin with a manifest")
        self.manifest_bytes = self._content(first)
        try:
            self.manifest: Manifest = decode_manifest(self.manifest_bytes)
        except ValueError as error:
            raise CorruptTarball(f"its manifest is invalid ({error})") from None
        if first.name != manifest_path(self.manifest.vsn):
            raise CorruptTarball("it doesn't begin with a manifest")
        files = self.manifest.files.values()
        stream.left = sum(entry.size for entry in files) + MAX_MEMBER_HEADER_BYTES * (len(files) + EXTRA_MEMBER_HEADERS)

    def members(self) -> Iterator[tuple[str, bytes]]:
        """Yield path and verified bytes of each file. Raises `CorruptTarball`, also at the end of the tarball."""
        missing = dict(self.manifest.files)
        while (member := self._tar.next()) is not None:
            if member.isdir():
                continue
            entry = missing.pop(member.name, None)
            if entry is None:
                raise CorruptTarball(f"{member.name!r} is not in its manifest, or occurs twice")
            if member.size != entry.size:
                raise CorruptTarball(f"{member.name} has {member.size} bytes (manifest: {entry.size})")
            data = self._content(member)
            if sha256(data) != entry.sha256:
                raise CorruptTarball(f"{member.name} does not match its hash in the manifest")
            yield member.name, data
        if missing:
            raise CorruptTarball(f"{min(missing)} is missing")
        while self._stream.read():
            pass  # reads up to the end, where gzip compares its checksum

    def verify(self) -> None:
        """Verify all members without using them. Raises `CorruptTarball`."""
        for _ in self.members():
            pass

    def _content(self, member: tarfile.TarInfo) -> bytes:
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
            raise CorruptTarball(f"{member.name!r} is not a plain file")
        file = self._tar.extractfile(member)
        data = file.read() if file is not None else b""
        if len(data) != member.size:
            raise CorruptTarball(f"{member.name} is cut off")
        return data


@contextmanager
def open_tarball(path: Path) -> Iterator[TarballReader]:
    """Open a release's tarball. Raises `Refused` for any defect, now or while the tarball is read."""
    try:
        with path.open("rb") as raw, gzip.GzipFile(fileobj=raw) as stream:
            yield TarballReader(_BoundedStream(cast("IO[bytes]", stream), MAX_MANIFEST_BYTES + MAX_MEMBER_HEADER_BYTES))
    except CorruptTarball as corrupt:
        raise _corrupt(path, str(corrupt)) from None
    except (EOFError, tarfile.TarError, zlib.error, gzip.BadGzipFile) as error:
        raise _corrupt(path, str(error) or type(error).__name__) from None
    except OSError as error:
        raise Refused(f"{path.name} can't be unpacked: {error.strerror or error}.") from None


def _corrupt(path: Path, reason: str) -> Refused:
    reason = reason[:1].lower() + reason[1:]
    return Refused(f"{path.name} is corrupt: {reason.rstrip('.')}; build it again or copy it again.")
