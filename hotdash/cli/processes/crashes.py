"""Finds the processes that have crashed since an install: a restart by their supervisor has cost them their states."""

from __future__ import annotations

from collections.abc import Mapping

from hotdash.model.units import plural
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import Refused

MAX_RESTARTED_PROCESSES = 10
"""At most this number of restarted processes is asked for the reasons of their former exits."""
MAX_NAMED_CRASHES = 5
"""A sentence about crashes names this number of them."""
MAX_SEARCHED = 100
"""This number of the newest operations is searched for the install of the current release."""


async def newest_install(client: Client, vsn: str) -> m.Operation | None:
    """Return the newest install of the release `vsn`; None if it is no longer known."""
    past = (await client.request(methods.OPERATIONS, m.ListLimit(limit=MAX_SEARCHED))).operations
    return next((one for one in reversed(past) if one.kind == "install" and one.to_vsn == vsn), None)


async def crashes_since(client: Client, install: m.Operation) -> dict[int, str]:
    """Return, by the pid of each process that has crashed since the end of an install, its name and the reason.

    Only processes that their supervisors have restarted are found, because a node lists exits by the successor.
    """
    since = install.ended
    if since is None:
        return {}
    query = m.ProcessQuery(filter="restarts>0", limit=MAX_RESTARTED_PROCESSES)
    found: dict[int, str] = {}
    for pid in (await client.request(methods.PROCESSES, query)).pids:
        try:
            view = await client.request(methods.STATE, m.GetState(pid=pid))
        except Refused:  # the process has ended meanwhile
            continue
        name = view.process.name or view.process.module
        found |= {each.pid: f"{name}: {each.reason}" for each in view.exits if not each.orderly and each.ended >= since}
    return found


def crash_sentence(crashes: Mapping[int, str]) -> str:
    """Return a sentence that names the crashed processes with their reasons."""
    named = list(crashes.values())[:MAX_NAMED_CRASHES]
    if len(crashes) > len(named):
        named.append(f"{len(crashes) - len(named)} more")
    return f"{plural(len(crashes), 'crash', 'crashes')} since the install lost the states of: {'; '.join(named)}."
