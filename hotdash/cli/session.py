"""The connection of a verb to its node."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from node_runtime.protocol import messages as m
from node_runtime.protocol.client import Client
from node_runtime.protocol.clip import MAX_SHOWN_NAME, clip
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.local_user import local_user
from node_runtime.protocol.run_directory import locate

T = TypeVar("T")


def with_client(node: str, cookie_file: Path | None, work: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
    """Connect to `node`, run `work`, disconnect. Raises Refused when the node is unknown or down."""

    async def session() -> T:
        async with Client.connect(locate(node, cookie_file), user=local_user(), client_name="hotdash") as client:
            return await work(client)

    return asyncio.run(session())


def find_process(snapshot: m.Snapshot, target: str) -> m.ProcessSummary:
    """Return the live process whose name or pid is `target`. A pid is written as 12 or <12>.

    Raises Refused if there is none.
    """
    number = target.strip("<>")
    for process in snapshot.processes:
        if process.name == target or str(process.pid) == number:
            return process
    name, shown = snapshot.info.name, clip(target, MAX_SHOWN_NAME)
    raise Refused(f"{name} has no process {shown}; 'hotdash ps {name}' lists the live ones.", ExitCode.REFUSED)
