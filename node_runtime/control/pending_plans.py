"""The plans that are being made: at most one for each connection, and a few in all.

Making a plan runs the new code of a release, so it takes time. A connection that requests another plan no longer needs
its earlier plan, and a client that has gone needs no plan.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Plan

MAX_PENDING_PLANS: Final = 4


class PendingPlans:
    """Makes plans with `make(vsn)`. Everything runs on the event loop."""

    def __init__(self, make: Callable[[str], Coroutine[Any, Any, Plan]]) -> None:
        self._make = make
        self._pending: dict[bytes, asyncio.Task[Plan]] = {}

    async def plan(self, client: bytes, vsn: str) -> Plan:
        """Return the plan to install `vsn`.

        This request replaces a plan that is being made for the connection `client`. Raises Refused when too many plans
        are being made, and when another request replaces this one.
        """
        if client not in self._pending and len(self._pending) >= MAX_PENDING_PLANS:
            raise Refused(
                f"{len(self._pending)} plans are being made (limit {MAX_PENDING_PLANS}); try again when one is ready."
            )
        self.drop(client)
        plan = self._pending[client] = asyncio.create_task(self._make(vsn))
        try:
            return await plan
        except asyncio.CancelledError:
            if self._pending.get(client) is plan:
                raise  # the node is stopping
            raise Refused(
                f"The plan for release {vsn} was dropped, because its client has requested another plan."
            ) from None
        finally:
            if self._pending.get(client) is plan:
                del self._pending[client]

    def drop(self, client: bytes) -> None:
        """Stop making the plan of a connection, if there is one."""
        plan = self._pending.pop(client, None)
        if plan is not None:
            plan.cancel()
