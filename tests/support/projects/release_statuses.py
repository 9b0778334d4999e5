"""The statuses of the releases that a release handler knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from node_runtime.releases.release_handler import ReleaseHandler


def statuses(handler: ReleaseHandler) -> dict[str, str]:
    """The status of each release."""
    return {release.vsn: release.status for release in handler.releases()}
