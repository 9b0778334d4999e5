"""Uploads of tarballs: written in chunks to var/staging, accepted only if size and sha256 match."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import StageBegin, StageChunk
from node_runtime.protocol.signature_file import MAX_SIGNATURE_BYTES, signature_path
from node_runtime.protocol.wire import UPLOAD_CHUNK_BYTES

if TYPE_CHECKING:
    from hashlib import _Hash

MAX_TARBALL_BYTES = 1 << 30
MAX_OPEN_UPLOADS = 4
UPLOAD_IDLE_SECONDS = 60.0
"""An upload without a new chunk for this long is dropped when the next upload begins."""
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@-]{0,127}")


@dataclass(slots=True)
class _OpenUpload:
    path: Path
    file: BinaryIO
    size: int
    sha256: str
    name: str
    connection: bytes
    received: int = 0
    hash: _Hash = field(default_factory=hashlib.sha256)
    last_chunk_at: float = field(default_factory=time.monotonic)


class Uploads:
    """The open uploads, with their files in `directory`. The control thread and its worker threads use this object."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._open: dict[str, _OpenUpload] = {}
        self._lock = threading.RLock()
        directory.mkdir(parents=True, exist_ok=True)
        for left in directory.glob("upload-*"):
            shutil.rmtree(left, ignore_errors=True)  # a failing disk must not prevent the boot

    def begin(self, request: StageBegin, connection: bytes) -> str:
        """Open an upload of a client's connection and return its id.

        Raises Refused if the tarball is too large or too many uploads are open.
        """
        with self._lock:
            self._drop_idle()
            if not 0 < request.size <= MAX_TARBALL_BYTES:
                raise Refused(f"This tarball has {request.size:,} bytes; the node accepts 1 to {MAX_TARBALL_BYTES:,}.")
            if request.signature is not None and len(request.signature) > MAX_SIGNATURE_BYTES:
                raise Refused(
                    f"This signature has {len(request.signature):,} bytes; the node accepts at most "
                    f"{MAX_SIGNATURE_BYTES:,}."
                )
            if len(self._open) >= MAX_OPEN_UPLOADS:
                raise Refused(
                    f"{len(self._open)} uploads are open (limit {MAX_OPEN_UPLOADS}); try again when one has ended."
                )
            if shutil.disk_usage(self._directory).free < request.size:
                raise Refused(
                    f"The node's disk has no room for {request.size:,} bytes in {self._directory}; free some space."
                )
            upload = secrets.token_hex(8)
            folder = self._directory / f"upload-{upload}"
            # Stored under the sender's file name, so that error messages mention a file that the sender knows.
            path = folder / (request.file_name if _FILE_NAME.fullmatch(request.file_name) else "release.tar.gz")
            try:
                folder.mkdir(mode=0o700)
                if request.signature is not None:
                    signature_path(path).write_bytes(request.signature)
                file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
            except OSError as error:
                self.discard(path)
                raise _not_stored(error) from None
            self._open[upload] = _OpenUpload(path, file, request.size, request.sha256, request.file_name, connection)
            return upload

    def add(self, chunk: StageChunk, connection: bytes) -> None:
        """Append the next chunk, which must come from the connection that has begun the upload.

        If the chunk does not continue the upload, the upload is dropped and Refused is raised.
        """
        with self._lock:
            upload = self._find(chunk.upload, connection)
            end = chunk.offset + len(chunk.data)
            if chunk.offset != upload.received or end > upload.size or len(chunk.data) > UPLOAD_CHUNK_BYTES:
                self._drop(chunk.upload)
                raise Refused(
                    "The chunks of the upload do not fit together, so the upload was dropped; stage the tarball again."
                )
            try:
                upload.file.write(chunk.data)
            except OSError as error:
                self._drop(chunk.upload)
                raise _not_stored(error) from None
            upload.hash.update(chunk.data)
            upload.received = end
            upload.last_chunk_at = time.monotonic()

    def file_name(self, name: str) -> str:
        """Return the name that the sender gave to the file."""
        with self._lock:
            return self._open[name].name if name in self._open else f"upload {name}"

    def end(self, name: str, connection: bytes) -> Path:
        """Return the path of the complete file; the caller must `discard` it.

        Raises Refused if the file is damaged.
        """
        with self._lock:
            upload = self._find(name, connection)
            if upload.received != upload.size or upload.hash.hexdigest() != upload.sha256:
                self._drop(name)
                raise Refused("The tarball arrived damaged: its size or sha256 is wrong; stage it again.")
            try:
                upload.file.flush()
            except OSError as error:
                self._drop(name)
                raise _not_stored(error) from None
            upload.file.close()
            del self._open[name]
            return upload.path

    def discard(self, tarball: Path) -> None:
        """Remove a file that `end` has returned."""
        shutil.rmtree(tarball.parent, ignore_errors=True)

    def drop(self, name: str) -> None:
        """Drop an open upload. Does nothing if no upload has this id."""
        with self._lock:
            if name in self._open:
                self._drop(name)

    def client_gone(self, connection: bytes) -> None:
        """Drop the open uploads of a connection that has ended: no client can continue them."""
        with self._lock:
            for name in [name for name, upload in self._open.items() if upload.connection == connection]:
                self._drop(name)

    def close(self) -> None:
        """Drop every open upload."""
        with self._lock:
            for name in list(self._open):
                self._drop(name)

    def _find(self, name: str, connection: bytes) -> _OpenUpload:
        upload = self._open.get(name)
        if upload is None or upload.connection != connection:
            raise Refused("There is no such upload, or it was dropped; stage the tarball again.")
        return upload

    def _drop(self, name: str) -> None:
        upload = self._open.pop(name)
        with suppress(OSError):  # the bytes still in the file's buffer can't be written
            upload.file.close()
        self.discard(upload.path)

    def _drop_idle(self) -> None:
        now = time.monotonic()
        for name in [name for name, upload in self._open.items() if now - upload.last_chunk_at > UPLOAD_IDLE_SECONDS]:
            self._drop(name)


def _not_stored(error: OSError) -> Refused:
    remedy = "free space on the node's disk" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "check the node's disk"
    return Refused(
        f"The node can't store the tarball ({error.strerror or error}); {remedy} and stage the tarball again."
    )
