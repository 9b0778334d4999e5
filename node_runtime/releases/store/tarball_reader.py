"""Reads a release's tarball strictly: it must contain exactly the files in its manifest, each with the same bytes.

The tar format allows attacks, such as links and paths that lead out of the target folder. So
tarfile never extracts to the disk. Members are read one by one from a stream whose length is
bounded by the sizes in the manifest, and every file is hashed. A truncated or changed tarball is
refused, even if tarfile itself would accept it.
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
    """The tarball does not agree with its manifest. The message names the first difference."""


class _BoundedStream:
    """A stream that raises `CorruptTarball` if it contains more than `left` bytes."""

    def __init__(self, stream: IO[bytes], left: int) -> None:
        self._stream = stream
        self.left = left

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(min(READ_BLOCK_BYTES, self.left + 1) if size < 0 else size)
        self.left -= len(data)
        if self.left < 0:
            raise CorruptTarball("it has more bytes than the files in its manifest")
        return data


class TarballReader:
    """An open tarball whose manifest has been read. `members` yields the files and can be called once."""

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
        """Yield the path and the verified bytes of each file. Raises `CorruptTarball`, possibly after the last file."""
        missing = dict(self.manifest.files)
        while (member := self._tar.next()) is not None:
            if member.isdir():
                continue
            entry = missing.pop(member.name, None)
            if entry is None:
                raise CorruptTarball(
                    f"it contains the file {member.name!r} twice, or its manifest does not list the file"
                )
            if member.size != entry.size:
                raise CorruptTarball(
                    f"its file {member.name} has {member.size} bytes, but the manifest says {entry.size}"
                )
            data = self._content(member)
            if sha256(data) != entry.sha256:
                raise CorruptTarball(f"its file {member.name} has another hash than in the manifest")
            yield member.name, data
        if missing:
            raise CorruptTarball(f"its file {min(missing)} is missing")
        while self._stream.read():
            pass  # reads up to the end, where gzip compares its checksum

    def verify(self) -> None:
        """Read and verify all files. Raises `CorruptTarball`."""
        for _ in self.members():
            pass

    def _content(self, member: tarfile.TarInfo) -> bytes:
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
            raise CorruptTarball(f"its member {member.name!r} is not a plain file")
        file = self._tar.extractfile(member)
        data = file.read() if file is not None else b""
        if len(data) != member.size:
            raise CorruptTarball(f"it ends in the middle of its file {member.name}")
        return data


@contextmanager
def open_tarball(path: Path) -> Iterator[TarballReader]:
    """Open a release's tarball. Raises `Refused` for any defect, also for one that is found inside the `with` block."""
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
