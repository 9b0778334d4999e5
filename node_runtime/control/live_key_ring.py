"""The key ring of a running node, which follows the changes of the key files."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Final

from node_runtime.protocol.key_files import key_files_state, read_key_ring
from node_runtime.protocol.key_ring import KeyRing, RingKey

POLL_SECONDS: Final = 0.5
"""Seconds between two looks at the key files; a change of a key takes effect within this time."""

logger: Final = logging.getLogger("node_runtime.control")


class LiveKeyRing:
    """The keys that the node in `directory` accepts now. Only one thread may use it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._state = key_files_state(directory)
        self._ring = read_key_ring(directory)
        self._valid = self._valid_now()

    def holder(self, public: bytes) -> RingKey | None:
        """Return the holder of a public key (Z85) that is valid now; None for any other key."""
        return self._ring.holder(public, time.time())

    def known(self, public: bytes) -> RingKey | None:
        """Return the holder of a public key (Z85), even of a revoked or expired one."""
        return self._ring.known(public)

    @property
    def valid(self) -> KeyRing:
        """The ring with only those keys that were valid at the last refresh."""
        return self._valid

    def refresh(self) -> None:
        """Look at the key files, and read them if they have changed. On an error, only the end of keys counts."""
        try:
            state = key_files_state(self._directory)
            if state != self._state:
                self._ring = read_key_ring(self._directory)
                self._state = state
        except OSError as error:
            logger.error("the keys in %s can't be read, so changes have no effect: %s", self._directory, error)
        self._valid = self._valid_now()

    def _valid_now(self) -> KeyRing:
        now = time.time()
        return KeyRing(tuple(key for key in self._ring.keys if key.is_valid(now)))
