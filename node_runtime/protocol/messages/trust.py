"""Structs about trust in releases: a node's release keys, signatures of releases, and approvals of installs."""

from __future__ import annotations

from typing import Literal

from .struct import WireStruct

SignatureStanding = Literal["signed", "unsigned", "revoked", "unknown key"]
"""Whether a release's signature is valid now. "unknown key": the key is not a release key of the node."""


class ReleaseKeyInfo(WireStruct, frozen=True):
    """A release key of the node. `not_after` is a date; `revoked` is the reason for a revocation."""

    name: str
    id: str
    role: str
    not_after: str | None = None
    revoked: str | None = None


class ReleaseTrust(WireStruct, frozen=True):
    """The rules by which a node accepts releases.

    Without `keys`, the node accepts all releases. With keys, it accepts signed releases, and unsigned releases only if
    `allow_unsigned` is true. `approvals` is the number of people that an install needs, including the person who stages
    the release. `error` is a sentence if the keys or settings can't be read; then the node accepts no release.
    """

    keys: tuple[ReleaseKeyInfo, ...] = ()
    allow_unsigned: bool = False
    approvals: int = 1
    error: str | None = None


class ReleaseSignature(WireStruct, frozen=True):
    """The signature of a release: the key that made it, and the signed build id.

    `warning` is a sentence if the node no longer accepts the key. The node can still boot, or go back to, a committed
    release with this key, but it installs no other release with this key.
    """

    standing: SignatureStanding = "unsigned"
    key: str | None = None
    signed_by: str | None = None
    build: str | None = None
    warning: str | None = None


class Approve(WireStruct, frozen=True):
    """The approval of a release, or of one plan: `target` is the release's version or the plan's id."""

    target: str
    reason: str | None = None


class Approval(WireStruct, frozen=True):
    """The people who have approved the install of `vsn` so far, and how many more approvals it needs.

    `plan_id` is set if the approval is for this plan only. `first` is the person who can't approve. This is the person
    who staged the release; if that is unknown, it is the person who requests the install.
    """

    vsn: str
    plan_id: str | None = None
    approved_by: tuple[str, ...] = ()
    missing: int = 0
    first: str | None = None
