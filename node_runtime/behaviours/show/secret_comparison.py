"""Finds out whether a redacted secret has changed, without revealing anything about it."""

from __future__ import annotations

import secrets
from hashlib import blake2b
from typing import Final

import msgspec

from node_runtime.protocol.messages import Term

_KEY: Final = secrets.token_bytes(32)
"""The key of the digests. Without this key, a guess of a secret can't be checked against the secret's digest."""


class SecretComparison:
    """Compares the secrets in two values. It records the secrets of the first value until `compare` is called."""

    __slots__ = ("_comparing", "_digests")

    def __init__(self) -> None:
        self._digests: dict[tuple[str, ...], bytes] = {}
        self._comparing = False

    def compare(self) -> SecretComparison:
        """End the recording: from now on, compare secrets with the recorded ones. Return the comparison itself."""
        self._comparing = True
        return self

    def has_changed(self, path: tuple[str, ...], secret: Term) -> bool:
        """Record `secret`, an unredacted Term; after `compare`, return whether it differs from the recorded one."""
        digest = keyed_digest(msgspec.msgpack.encode(secret))
        if not self._comparing:
            self._digests[path] = digest
            return False
        return self._digests.get(path, digest) != digest


def keyed_digest(content: bytes) -> bytes:
    """Return a digest that is the same for equal contents in this OS process. Each OS process has another key."""
    return blake2b(content, key=_KEY, digest_size=16).digest()
