"""Asks nodes for their reports again and again, while an application shows them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from .known_nodes import KnownNode, NodeReport, ask_node

ASK_SECONDS: Final = 2.0
"""Seconds between two requests to each node."""


class NodeWatch:
    """Asks the nodes that `nodes()` returns in each round, and calls `on_report(report)` for each answer."""

    def __init__(self, nodes: Callable[[], Sequence[KnownNode]], on_report: Callable[[NodeReport], None]) -> None:
        self._nodes = nodes
        self._on_report = on_report
        self._running: asyncio.Task[NoReturn] | None = None

    def start(self) -> None:
        """Begin to ask."""
        self._running = asyncio.create_task(self._run(), name="node watch")

    async def close(self) -> None:
        """Stop asking; return when the connections are closed."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait((self._running,))

    async def _run(self) -> NoReturn:
        while True:
            async with asyncio.TaskGroup() as group:
                for node in self._nodes():
                    group.create_task(self._ask(node))
            await asyncio.sleep(ASK_SECONDS)

    async def _ask(self, node: KnownNode) -> None:
        self._on_report(await ask_node(node))
