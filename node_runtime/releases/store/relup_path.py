"""Finds the relup from one release to another: its direction, and the script that the appups define for it."""

from __future__ import annotations

import msgspec

from node_runtime.protocol.messages import Direction
from node_runtime.releases.files.release_model import ReleaseView
from node_runtime.releases.files.relup_instructions import RelupInstruction
from node_runtime.releases.relup.translation import NoPath, translate


class RelupPath(msgspec.Struct, frozen=True):
    """The direction from one release to another ("up" or "down"), and the relup's script for this direction."""

    direction: Direction
    script: list[RelupInstruction]


def find_relup_path(start: ReleaseView, end: ReleaseView) -> RelupPath:
    """Return the relup from one release to another. Raises `NoPath`, or `Refused` for a wrong appup.

    As in OTP, the upgrades in the appups of `end` are tried first, then the downgrades in the appups of `start`.
    """
    try:
        return RelupPath("up", translate(start, end, "up"))
    except NoPath as no_upgrade:
        try:
            return RelupPath("down", translate(end, start, "down"))
        except NoPath as no_downgrade:
            raise NoPath(
                f"There is no path from {start.vsn} to {end.vsn}: {no_upgrade.sentence[:-1]}, and "
                f"{no_downgrade.sentence}"
            ) from None
