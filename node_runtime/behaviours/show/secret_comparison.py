"""Finds out whether a redacted secret has changed, without revealing anything about the secret."""

from __future__ import annotations

import secrets
from hashlib import blake2b
from typing import Final

import msgspec

from node_runtime.protocol.messages import Term

_KEY: Final = secrets.token_bytes(32)
"""The key of the digests. Without this key, a guess of a secret can't be checked against the secret's digest."""


class SecretComparison:
    """Compares the secrets in two values.

    Until `compare` is called, this object records the secrets of the first value. After that, it compares the secrets
    of the second value with the recorded ones.
    """

    __slots__ = ("_comparing", "_digests")

    def __init__(self) -> None:
        self._digests: dict[tuple[str, ...], bytes] = {}
        self._comparing = False

    def compare(self) -> SecretComparison:
        """End the recording: from now on, secrets are compared with the recorded ones. Return this object."""
        self._comparing = True
        return self

    def has_changed(self, path: tuple[str, ...], secret: Term) -> bool:
        """Return whether `secret` differs from the secret that was recorded under `path`.

        `secret` is an unredacted Term. Before `compare` is called, record `secret` under `path`, and return False.
        """
        digest = keyed_digest(msgspec.msgpack.encode(secret))
        if not self._comparing:
            self._digests[path] = digest
            return False
        return self._digests.get(path, digest) != digest


def keyed_digest(content: bytes) -> bytes:
    """Return a digest of the content. Equal contents have equal digests in one OS process only."""
    return blake2b(content, key=_KEY, digest_size=16).digest()
