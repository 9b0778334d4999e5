"""The key ring of a node: which client keys it knows, who holds each, in which role, and until when."""

from __future__ import annotations

import msgspec

from .messages import Role


class RingKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A client's public key (Z85) and its holder.

    The key is valid before the Unix time `until`, or for ever. For a revoked key, that is the time of the revocation.
    """

    public: bytes
    name: str
    role: Role
    until: float | None = None

    def is_valid(self, now: float) -> bool:
        """Return whether the node accepts the key at the Unix time `now`."""
        return self.until is None or now < self.until


class KeyRing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All keys that a node knows, expired and revoked ones, too, so that a refusal can name their holder.

    The ring is a value that can be sent to another OS process.
    """

    keys: tuple[RingKey, ...] = ()

    def known(self, public: bytes) -> RingKey | None:
        """Return the entry of a public key, even if the key is no longer valid."""
        return next((key for key in self.keys if key.public == public), None)

    def holder(self, public: bytes, now: float) -> RingKey | None:
        """Return the entry of a public key that is valid at the Unix time `now`; None for any other key."""
        key = self.known(public)
        return key if key is not None and key.is_valid(now) else None
