"""The interface of a running site for the measurement, whoever serves it."""

from __future__ import annotations

from typing import Protocol


class SiteUnderLoad(Protocol):
    """A site that runs its older version: its port, and the ways to its other versions."""

    port: int
    site: str
    """Its name in `sites.SITES`."""

    async def upgrade(self) -> None:
        """Install the newer version, and make it permanent. Raises UpgradeFailed."""

    async def downgrade(self) -> None:
        """Install the older version, and make it permanent. Raises UpgradeFailed."""

    async def fail(self) -> bool:
        """Let an upgrade fail after its switch, and be put back; return False if this site can't do it.

        Raises UpgradeFailed if it doesn't fail in this way.
        """


class UpgradeFailed(Exception):
    """An operation had another outcome than it should have."""
