"""Tarballs on their way in: written piece by piece below var/staging, given on only when size and hash are right."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import StageBegin, StageChunk
from node_runtime.protocol.wire import CHUNK

if TYPE_CHECKING:
    from hashlib import _Hash

LARGEST = 1 << 30
"""Bytes of the largest tarball."""
AT_ONCE = 4
IDLE = 60.0
"""Seconds after which an upload that got no piece makes room for another one."""
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@-]{0,127}")


@dataclass(slots=True)
class _Upload:
    path: Path
    file: BinaryIO
    size: int
    sha256: str
    name: str
    got: int = 0
    hash: _Hash = field(default_factory=hashlib.sha256)
    touched: float = field(default_factory=time.monotonic)


class Uploads:
    """The open uploads, in `directory`. Used by the control thread and its workers."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._open: dict[str, _Upload] = {}
        self._lock = threading.RLock()
        directory.mkdir(parents=True, exist_ok=True)
        for left in directory.glob("upload-*"):
            shutil.rmtree(left)

    def begin(self, asked: StageBegin) -> str:
        """Open an upload and return its id. Raises Refused when it is too large or too many are open."""
        with self._lock:
            self._drop_idle()
            if not 0 < asked.size <= LARGEST:
                raise Refused(f"A tarball may have 1 to {LARGEST:,} bytes; this one has {asked.size:,}.")
            if len(self._open) >= AT_ONCE:
                raise Refused(f"{AT_ONCE} uploads are open already; try again when one has ended.")
            if shutil.disk_usage(self._directory).free < asked.size:
                raise Refused(f"The node's disk has no room for {asked.size:,} bytes in {self._directory}.")
            upload = secrets.token_hex(8)
            folder = self._directory / f"upload-{upload}"
            folder.mkdir(mode=0o700)
            # Under the sender's name for it, so that a sentence about the file names what the sender knows.
            path = folder / (asked.file_name if _FILE_NAME.fullmatch(asked.file_name) else "release.tar.gz")
            file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
            self._open[upload] = _Upload(path, file, asked.size, asked.sha256, asked.file_name)
            return upload

    def add(self, chunk: StageChunk) -> None:
        """Take the next piece. Raises Refused, and forgets the upload, when it doesn't fit."""
        with self._lock:
            upload = self._find(chunk.upload)
            end = chunk.offset + len(chunk.data)
            if chunk.offset != upload.got or end > upload.size or len(chunk.data) > CHUNK:
                self._drop(chunk.upload)
                raise Refused("The pieces of the upload don't fit together, so it was dropped; stage it again.")
            try:
                upload.file.write(chunk.data)
            except OSError as error:
                self._drop(chunk.upload)
                raise Refused(f"The node can't store the tarball: {error.strerror}.") from None
            upload.hash.update(chunk.data)
            upload.got = end
            upload.touched = time.monotonic()

    def file_name(self, name: str) -> str:
        """What the sender calls the file."""
        with self._lock:
            return self._open[name].name if name in self._open else f"upload {name}"

    def end(self, name: str) -> Path:
        """The complete file, for the caller to `discard`. Raises Refused, and forgets it, when it isn't as sent."""
        with self._lock:
            upload = self._find(name)
            if upload.got != upload.size or upload.hash.hexdigest() != upload.sha256:
                self._drop(name)
                raise Refused("The tarball did not arrive as it was sent (size or sha256 differ); stage it again.")
            upload.file.close()
            del self._open[name]
            return upload.path

    def discard(self, tarball: Path) -> None:
        """Remove a file that `end` has given out."""
        shutil.rmtree(tarball.parent, ignore_errors=True)

    def close(self) -> None:
        """Forget every open upload."""
        with self._lock:
            for name in list(self._open):
                self._drop(name)

    def _find(self, name: str) -> _Upload:
        upload = self._open.get(name)
        if upload is None:
            raise Refused("There is no such upload (any more); stage the tarball again.")
        return upload

    def _drop(self, name: str) -> None:
        upload = self._open.pop(name)
        upload.file.close()
        self.discard(upload.path)

    def _drop_idle(self) -> None:
        now = time.monotonic()
        for name in [name for name, upload in self._open.items() if now - upload.touched > IDLE]:
            self._drop(name)
