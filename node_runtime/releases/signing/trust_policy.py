"""The trust policy of a node: its release keys and settings, and whether it still trusts a staged release."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import ReleaseKeyInfo, ReleaseTrust, SignatureStanding
from node_runtime.releases.files.trust_settings import TrustSettings, read_trust_settings

from .release_keys import RELEASE_ROLE, ReleaseKey, read_node_keys
from .remembered_trust import check_remembered


class TrustPolicy(msgspec.Struct, frozen=True):
    """The release keys and settings of a node.

    `error` is a sentence if these can't be read; then no key is accepted.
    """

    keys: tuple[ReleaseKey, ...]
    settings: TrustSettings
    error: str | None = None

    def standing(self, key_id: str | None) -> SignatureStanding:
        """Return "signed", "unknown key" or "revoked" for the key that has signed a release; "unsigned" for None."""
        if key_id is None:
            return "unsigned"
        key = next((key for key in self.keys if str(key.public) == key_id), None)
        if key is None or key.settings.role != RELEASE_ROLE:
            return "unknown key"
        return "revoked" if key.settings.revoked is not None else "signed"

    def objection(self, key_id: str | None, signer: str | None) -> str | None:
        """Return a clause that says why an uncommitted release must not be installed; None if it may be installed.

        `signer` is the name that the key had when the release was staged. If the key has only expired since then, there
        is no objection.
        """
        if self.error is not None:
            return self.error.rstrip(".")
        standing = self.standing(key_id)
        if not self.keys or standing == "signed":
            return None
        if standing == "unsigned":
            unsigned = "it is not signed, but the node has release keys now"
            return None if self.settings.allow_unsigned else unsigned
        if standing == "revoked":
            return f"the key {signer} ({key_id}), which signed it, was revoked: {_revocation(self.keys, key_id)}"
        return f"the key {signer} ({key_id}), which signed it, is no longer a release key of this node"

    def info(self) -> ReleaseTrust:
        """Return what operators see of the policy."""
        return ReleaseTrust(
            keys=tuple(map(_key_info, self.keys)),
            allow_unsigned=self.settings.allow_unsigned,
            approvals=self.settings.approvals,
            error=self.error,
        )


def read_trust_policy(directory: Path) -> TrustPolicy:
    """Read the policy of the node in `directory`. Never raises: a policy that can't be read has an `error`."""
    try:
        policy = TrustPolicy(read_node_keys(directory), read_trust_settings(directory))
        check_remembered(directory, policy.settings)
        return policy
    except Refused as refused:
        return TrustPolicy((), TrustSettings(), refused.sentence)


def _revocation(keys: Sequence[ReleaseKey], key_id: str | None) -> str:
    return next((key.settings.revoked or "" for key in keys if str(key.public) == key_id), "")


def _key_info(key: ReleaseKey) -> ReleaseKeyInfo:
    settings = key.settings
    not_after = None if settings.not_after is None else settings.not_after.isoformat()
    return ReleaseKeyInfo(
        name=key.name, id=str(key.public), role=settings.role, not_after=not_after, revoked=settings.revoked
    )
