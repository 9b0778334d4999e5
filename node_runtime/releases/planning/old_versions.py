"""The blocker for an old version that is still held: it names what holds it."""

from __future__ import annotations

from node_runtime.code import CodeServer, OldVersionHeld
from node_runtime.protocol.messages import Blocker

from .conditions import WAIT_REMEDY

MAX_HOLDERS_NAMED = 3
"""A blocker names at most this many of the objects that hold an old version."""


async def held_blocker(held: OldVersionHeld, code: CodeServer) -> Blocker:
    """Return a blocker that names the processes that run the old version; if none does, the objects that hold it."""
    if held.pids:
        remedy = f"{WAIT_REMEDY}, or end the processes that run the old version"
        return Blocker(reason=held.sentence.rstrip("."), remedy=remedy, pid=int(held.pids[0]), transient=True)
    found = "; ".join((await code.holders(held.module))[:MAX_HOLDERS_NAMED])
    reason = f"{held.module} still has an old version: {found}" if found else held.sentence.rstrip(".")
    return Blocker(reason=reason, remedy=f"{WAIT_REMEDY}, or drop the references to the old version", transient=True)
