"""Drops old versions after a commit, and makes the blocker for an old version that something still holds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from node_runtime.code import C_CODE, CodeServer, OldVersionHeld
from node_runtime.protocol.messages import Blocker, OldCodeHolder

from .conditions import WAIT_REMEDY
from .participants import participants
from .staying import is_endless

logger: Final = logging.getLogger("node_runtime")

MAX_HOLDERS_NAMED = 3
"""A blocker names at most this many of the objects that hold an old version."""


async def drop_old_versions(code: CodeServer) -> None:
    """Drop the old versions that nothing holds. A failure is only logged, because the commit is already recorded."""
    try:
        await asyncio.to_thread(code.sweep)
    except Exception:
        logger.exception("after the commit, the old versions of modules could not be dropped")


def held_blocker(held: OldVersionHeld) -> Blocker:
    """Return a blocker that names what runs or holds the old version."""
    holders, vsn = participants().counted(held.holders), f" ({held.vsn})" if held.vsn else ""
    return Blocker(
        reason=f"{held.module} still has an old version{vsn}: {holders_clause(holders)}",
        remedy=_remedy(held.module, holders),
        pid=next((one.pid for one in holders if one.kind == "process"), None),
        transient=True,
    )


def _remedy(module: str, holders: Sequence[OldCodeHolder]) -> str:
    threads = (one for one in holders if one.kind == "thread")
    thread = next((one.name for one in threads if one.does.startswith("runs")), None)  # a purge frees other threads
    if thread is not None:
        return (
            f"a purge can't end {thread}: let its function return, or restart the node into the current release with "
            f"`hotdash commit NODE` and then `bin/<name> restart`"
        )
    if all(one.kind == "requests" for one in holders):
        return f"close {_them(holders)} with `hotdash purge NODE {module}`, or {WAIT_REMEDY}"
    if any(one.name == C_CODE for one in holders):
        return (
            f"let the program register the new function at the same place, or drop the old version with "
            f"`hotdash purge NODE {module}`: then C code still calls the old function until the program registers "
            f"another one"
        )
    variable = next((one.name for one in holders if one.kind == "object" and one.cache is None), None)
    if variable is not None and all(one.kind in ("object", "requests") for one in holders):
        return (
            f"`hotdash purge NODE {module}` drops the old version, but {variable} still refers to old code until the "
            f"running code replaces the value"
        )
    purge = f"`hotdash purge NODE {module}` ends what keeps the old version"
    running = [one for one in holders if one.kind in ("process", "requests") and one.does.startswith("run")]
    passes = running and not any(one.pid is not None and is_endless(one.pid) for one in running)
    return f"{WAIT_REMEDY}, or free it: {purge}" if passes else f"free it: {purge}"


def _them(holders: Sequence[OldCodeHolder]) -> str:
    return "it" if sum(one.number for one in holders) == 1 else "them"


def holders_clause(holders: tuple[OldCodeHolder, ...]) -> str:
    """Return what holds an old version, in a clause."""
    named = [f"{one.name} {one.does}" for one in holders[:MAX_HOLDERS_NAMED]]
    if len(holders) > MAX_HOLDERS_NAMED:
        named.append(f"{len(holders) - MAX_HOLDERS_NAMED} more keep it")
    return "; ".join(named)


def collection_warning(seconds: float) -> str:
    """Return the warning that the install collects garbage, since only garbage keeps an old version in memory."""
    return (
        f"Only garbage keeps an old version in memory. The install collects the garbage, which stops the node for "
        f"about {max(seconds, 0.001):.3f} s."
    )
