"""The key ring of a running node, and the node's own key. Both are updated when the key files change."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from node_runtime.protocol.cookie import NodeKeys, make_keys, read_key
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.key_files import key_files_state, read_key_ring
from node_runtime.protocol.key_ring import KeyRing, RingKey
from node_runtime.protocol.key_rotation.node_key import change_of_cookies, read_next_key, replace_key_if_due

POLL_SECONDS: Final = 0.5
"""Seconds between two checks of the key files; a change of a key takes effect within this time."""

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
        """Return the holder of a public key (Z85), even if the key is revoked or expired; None for an unknown key."""
        return self._ring.known(public)

    @property
    def valid(self) -> KeyRing:
        """The ring with only the keys that were valid at the last refresh."""
        return self._valid

    def refresh(self) -> None:
        """Read the key files if they have changed. If that fails, keys still expire, but no change takes effect."""
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


@dataclass(slots=True)
class LiveNodeKey:
    """The secret key of the node in `directory`: `secret` is its present value. Only one thread may use this object.

    `later(seconds, task)` calls `task()` in that thread. When a replacement of the key was planned,
    `on_planned(sentences)` is called with sentences for the audit log; when the key was replaced, `on_replaced(secret)`
    is called.
    """

    directory: Path
    secret: bytes
    later: Callable[[float, Callable[[], None]], None]
    on_planned: Callable[[str], None]
    on_replaced: Callable[[bytes], None]
    _announced: str = ""
    _failed: bool = False

    def watch(self) -> None:
        """Follow the changes of the key from now on."""
        self.later(POLL_SECONDS, self.watch)
        self.refresh()

    def refresh(self) -> None:
        """Replace the key if its replacement is due, and notice if another OS process has replaced it. Never raises."""
        try:
            following = read_next_key(self.directory)
            if following is not None and following.secret != self._announced:
                self._announced = following.secret
                self.on_planned(change_of_cookies(following))
            replace_key_if_due(self.directory)
            found = read_key(self.directory / "etc" / "keys" / "server")
        except (Refused, OSError) as error:
            if not self._failed:
                logger.error("the node keeps its own key, because the files of its keys can't be used: %s", error)
            self._failed = True
            return
        self._failed = False
        if found != self.secret:
            self.secret = found
            self.on_replaced(found)


def keys_at_start(directory: Path) -> NodeKeys:
    """Return the keys of a node that starts. Replaces the node's own key if the replacement was due while the node was
    down.
    """
    try:
        replace_key_if_due(directory)
    except (Refused, OSError) as error:
        logger.error("the node keeps its own key, because the next one can't be used: %s", error)
    return make_keys(directory)
