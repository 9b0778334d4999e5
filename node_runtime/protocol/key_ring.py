"""The key ring of a node: the client keys that the node knows, each with its holder, its role and its expiry time."""

from __future__ import annotations

from functools import cached_property

import msgspec

from .messages import Role


class RingKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A client's public key (Z85) and its holder.

    The key is valid before the Unix time `until`; None means that it does not expire. For a revoked key, `until` is the
    time of the revocation.
    """

    public: bytes
    name: str
    role: Role
    until: float | None = None

    def is_valid(self, now: float) -> bool:
        """Return whether the node accepts the key at the Unix time `now`."""
        return self.until is None or now < self.until


class KeyRing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """All keys that a node knows, including expired and revoked keys, so that a refusal can name the holder.

    The ring is a plain value, so it can be sent to another OS process.
    """

    keys: tuple[RingKey, ...] = ()

    def known(self, public: bytes) -> RingKey | None:
        """Return the entry of a public key, even if the key is no longer valid; None for an unknown key."""
        return self._by_public.get(public)

    @cached_property
    def _by_public(self) -> dict[bytes, RingKey]:
        """The entries by public key, so that a look-up takes the same time for any number of keys."""
        return {key.public: key for key in reversed(self.keys)}

    def holder(self, public: bytes, now: float) -> RingKey | None:
        """Return the entry of a public key that is valid at the Unix time `now`; None for any other key."""
        key = self.known(public)
        return key if key is not None and key.is_valid(now) else None
