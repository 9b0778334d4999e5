"""Reads a release's tarball strictly: exactly the files of its manifest, in exactly the form that the build writes.

Members are neither interpreted nor extracted. For each file of the manifest, the reader computes the header, and the
header in the tarball must be equal. A file is hashed while it is read, and is never in memory as a whole. The time is
proportional to the size of the tarball and of the files in its manifest.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from node_runtime.protocol.clip import clip
from node_runtime.protocol.escape import escape
from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.manifest import decode_manifest, manifest_path
from node_runtime.releases.files.regular_file import open_regular
from node_runtime.releases.files.tar_format import (
    BLOCK_BYTES,
    FILE_TYPE,
    PAX_TYPE,
    archive_end,
    header_bytes,
    header_name,
    header_size,
    header_type,
    member_header,
    padding,
    pax_path,
)
from node_runtime.releases.files.tarball_limits import (
    FREE_RATIO_BYTES,
    MAX_MANIFEST_BYTES,
    MAX_PAX_RECORD_BYTES,
    MAX_UNPACKED_RATIO,
)

from .decompressed import CorruptTarball, Decompressed

MANIFEST_MODE = 0o644
MAX_REASON_CHARACTERS = 300
"""The greatest length of the reason why a manifest is invalid. The reason may quote the manifest."""
_NOT_FIRST = "it doesn't begin with a manifest"
_UNKNOWN_FORM = "a header in it is not in the form that the build writes"


class TarballReader:
    """An open tarball whose manifest has been read. `members` can be called once.

    The constructor and `members` raise `CorruptTarball`. `file` may be any file that can be read and sought.
    """

    def __init__(self, file: BinaryIO) -> None:
        packed_size = file.seek(0, os.SEEK_END)
        file.seek(0)
        self._stream = Decompressed(file, MAX_MANIFEST_BYTES + 2 * BLOCK_BYTES)
        block = self._stream.read(BLOCK_BYTES)
        size = header_size(block)
        if size is None or size > MAX_MANIFEST_BYTES or header_type(block) != FILE_TYPE:
            raise CorruptTarball(_NOT_FIRST)
        self.manifest_bytes = self._stream.read(size)
        try:
            self.manifest = decode_manifest(self.manifest_bytes)
        except ValueError as error:
            reason = escape(clip(str(error), MAX_REASON_CHARACTERS))
            raise CorruptTarball(f"its manifest is invalid ({reason})") from None
        if block != member_header(manifest_path(self.manifest.vsn), size, MANIFEST_MODE):
            raise CorruptTarball(_NOT_FIRST)
        self._skip_padding(size)
        self._allow(packed_size, len(block) + size + len(padding(size)))

    def members(self) -> Iterator[tuple[str, Iterator[memoryview]]]:
        """Yield the path of each file and the pieces of its content. The hash is checked after the last piece."""
        missing = set(self.manifest.files)
        while missing:
            path = self._next_path(missing)
            missing.remove(path)
            pieces = self._content(path)
            yield path, pieces
            for _ in pieces:
                pass  # even if the caller skips the file, its hash is checked
        if self._stream.read(len(archive_end(self._size))).strip(b"\0"):
            raise CorruptTarball("it contains a file twice, or one that its manifest does not list")
        self._stream.check_end()

    def _allow(self, packed_size: int, begin: int) -> None:
        """Allow the reader to decompress as many bytes as the files of the manifest need.

        Raises `CorruptTarball` if these are too many for a tarball of `packed_size` bytes.
        """
        files = self.manifest.files.items()
        self._size = begin + sum(header_bytes(path) + entry.size + -entry.size % BLOCK_BYTES for path, entry in files)
        if self._size > max(FREE_RATIO_BYTES, MAX_UNPACKED_RATIO * packed_size):
            raise CorruptTarball(
                f"its manifest promises {self._size:,} bytes, more than {MAX_UNPACKED_RATIO} times the "
                f"{packed_size:,} bytes of the tarball"
            )
        self._stream.allowed += self._size + len(archive_end(self._size)) - MAX_MANIFEST_BYTES - 2 * BLOCK_BYTES
        if self._stream.allowed < 0:
            raise CorruptTarball("it has more bytes than the files in its manifest")

    def _next_path(self, missing: set[str]) -> str:
        """Read a header and return the path of its file, which must be one of `missing`."""
        block = header = self._stream.read(BLOCK_BYTES)
        path = header_name(block)
        if header_type(block) == PAX_TYPE:
            size = header_size(block)
            if size is None or size > MAX_PAX_RECORD_BYTES:
                raise CorruptTarball(_UNKNOWN_FORM)
            record = self._stream.read(size)
            path = pax_path(record)
            header += record + self._stream.read(len(padding(size)))
            block = self._stream.read(BLOCK_BYTES)
            header += block
        if not header.strip(b"\0"):
            raise CorruptTarball(f"its file {min(missing)} is missing")
        if path is None or header_type(block) != FILE_TYPE:
            raise CorruptTarball(_UNKNOWN_FORM if path is None else f"{path!r} in it is not a plain file")
        if path not in missing:
            raise CorruptTarball(f"it contains the file {path!r} twice, or its manifest does not list the file")
        entry = self.manifest.files[path]
        if (size := header_size(block)) != entry.size:
            raise CorruptTarball(f"its file {path} has {size} bytes, but the manifest says {entry.size}")
        if header != member_header(path, entry.size, entry.mode):
            raise CorruptTarball(f"the header of its file {path} is not in the form that the build writes")
        return path

    def _content(self, path: str) -> Iterator[memoryview]:
        entry = self.manifest.files[path]
        digest = hashlib.sha256()
        for piece in self._stream.pieces(entry.size):
            digest.update(piece)
            yield piece
        if digest.hexdigest() != entry.sha256:
            raise CorruptTarball(f"its file {path} has another hash than in the manifest")
        self._skip_padding(entry.size)

    def _skip_padding(self, size: int) -> None:
        if self._stream.read(len(padding(size))).strip(b"\0"):
            raise CorruptTarball("there are bytes between its files")


@contextmanager
def open_tarball(path: Path) -> Iterator[TarballReader]:
    """Open a tarball and read its manifest in this process, to sign it or to compare it with a signature.

    Raises `Refused` for a corrupt tarball. A node reads a tarball in another process; see `run_stage_process`.
    """
    try:
        with open_regular(path) as file:
            yield TarballReader(file)
    except CorruptTarball as corrupt:
        raise corrupt_refusal(path.name, corrupt) from None
    except OSError as error:
        raise Refused(f"{path.name} can't be read: {error.strerror or error}.") from None


def corrupt_refusal(name: str, corrupt: CorruptTarball) -> Refused:
    """Return the refusal of the corrupt tarball `name`. `corrupt` says what is wrong with the tarball."""
    return Refused(f"{name} is corrupt: {corrupt}; build it again or copy it again.")
