"""The connection of a verb to its node."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from node_runtime.protocol.client import Client
from node_runtime.protocol.local_user import local_user
from node_runtime.protocol.run_directory import locate

T = TypeVar("T")


def with_client(node: str, cookie_file: Path | None, work: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
    """Connect to `node`, run `work`, disconnect. Raises Refused when the node is unknown or down."""

    async def session() -> T:
        async with Client.connect(locate(node, cookie_file), user=local_user(), client_name="hotdash") as client:
            return await work(client)

    return asyncio.run(session())
