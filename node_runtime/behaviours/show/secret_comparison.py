"""Comparison of redacted values: whether a secret has changed, without showing anything of it."""

from __future__ import annotations

import secrets
from hashlib import blake2b
from typing import Final

import msgspec

from node_runtime.protocol.messages import Term

_KEY: Final = secrets.token_bytes(32)
"""Without this key, nobody can find out by guessing from which secret a digest was made."""


class SecretComparison:
    """The digests of the secrets in a value, by their paths; `compare` ends the recording of the first value."""

    __slots__ = ("_comparing", "_digests")

    def __init__(self) -> None:
        self._digests: dict[tuple[str, ...], bytes] = {}
        self._comparing = False

    def compare(self) -> SecretComparison:
        """Compare what follows with what has been recorded."""
        self._comparing = True
        return self

    def has_changed(self, path: tuple[str, ...], secret: Term) -> bool:
        """Return whether the secret at this path, as an unredacted Term, differs from the recorded one."""
        digest = keyed_digest(msgspec.msgpack.encode(secret))
        if not self._comparing:
            self._digests[path] = digest
            return False
        return self._digests.get(path, digest) != digest


def keyed_digest(content: bytes) -> bytes:
    """Return a digest that is the same for equal contents in this OS process, and means nothing anywhere else."""
    return blake2b(content, key=_KEY, digest_size=16).digest()
