"""Limits for the clients of a listener: connections, sizes of heads and bodies, and the time that slow clients take.

The server checks all connections once a second, so that an ordinary request costs nothing. For each limit, the number
of connections that it has ended is logged at most once a minute.
"""

from __future__ import annotations

import asyncio
import logging
import resource
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from node_runtime.web.server_options import ServerOptions

from .idle_connections import end_idle

logger: Final = logging.getLogger("node_runtime")

LOG_SECONDS: Final = 60.0
BODY_BYTES: Final = 64 << 20
RESERVED_DESCRIPTORS: Final = 256
"""The number of descriptors that clients can't use, because the node needs some for upgrades and its operators.

If the process may have fewer than four times as many descriptors, a quarter of them is reserved.
"""


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """The limits of a listener; None means no limit. Times are in seconds."""

    connections: int | None
    descriptors: int | None
    """A connection with this descriptor or a higher one is closed. A new descriptor is always the lowest free one."""
    head_bytes: int
    body_bytes: int | None
    head_seconds: float
    stalled_seconds: float

    @classmethod
    def of(cls, options: ServerOptions) -> ClientLimits:
        """Return the limits that a listener's options set."""
        return cls(
            options.get("limit_connections"),
            _descriptors_of_clients(),
            options.get("limit_head_bytes", 65_536),
            options.get("limit_body_bytes", BODY_BYTES),
            options.get("timeout_head", 30.0),
            options.get("timeout_stalled", 60.0),
        )


class LimitLog:
    """Logs how many connections the limits have ended, at most once a minute for each limit."""

    def __init__(self, listener: str) -> None:
        self._listener = listener
        self._numbers: Counter[str] = Counter()
        self._logged: dict[str, float] = {}

    def add(self, what: str) -> None:
        """Count a connection that was ended; `what` is the reason, such as "the request did not arrive"."""
        self.note(f"ended connections: {what}")

    def note(self, what: str) -> None:
        """Count that a client did `what`. At most once a minute, the log gets `what` and the count."""
        self._numbers[what] += 1
        now = asyncio.get_running_loop().time()
        if now - self._logged.get(what, -LOG_SECONDS) >= LOG_SECONDS:
            number, self._numbers[what], self._logged[what] = self._numbers[what], 0, now
            logger.warning("listener %s %s (%d since the last report)", self._listener, what, number)


class SlowClients:
    """Finds the connections of a server whose clients are too slow. `end_slow` is called once a second."""

    def __init__(self, limits: ClientLimits, log: LimitLog) -> None:
        self._limits = limits
        self._log = log
        self._since: dict[Any, tuple[tuple[Any, ...], float]] = {}

    def end_slow(self, connections: set[Any], now: float) -> None:
        """Close the connections whose clients have been slow or idle for longer than the limits allow."""
        before, self._since = self._since, {}
        for connection in list(connections):
            phase, seconds, what = self._phase(connection)
            if phase is None:
                end_idle(connection, now)
                continue
            known = before.get(connection)
            since = known[1] if known is not None and known[0] == phase else now
            if now - since > seconds:
                self._log.add(what)
                connection.transport.abort()
            else:
                self._since[connection] = phase, since

    def _phase(self, connection: Any) -> tuple[tuple[Any, ...] | None, float, str]:
        """Return (phase, limit in seconds, clause). The phase is None while the connection doesn't wait for its client.

        The clause is the reason for ending the connection.
        """
        if left := connection.transport.get_write_buffer_size():
            phase = ("write", left, getattr(connection, "resumed_writes", 0))
            return phase, self._limits.stalled_seconds, "the client did not read its response within timeout_stalled"
        if not hasattr(connection, "cycle"):
            return None, 0.0, ""  # a websocket, which is pinged
        if connection.lingers:
            return ("lingers",), self._limits.head_seconds, "the client still sent after it was answered"
        cycle = connection.cycle
        answers = cycle is not None and not cycle.response_complete
        if answers and cycle.more_body and connection.reader.is_reading:
            phase = ("body", id(cycle), connection.body_parts)
            return phase, self._limits.stalled_seconds, "the body did not arrive within timeout_stalled"
        if answers or getattr(connection, "timeout_keep_alive_task", None) is not None:
            return None, 0.0, ""  # the application answers, or the connection is idle: see `end_idle`
        return ("head", id(cycle), 0), self._limits.head_seconds, "the request did not arrive within timeout_head"


def _descriptors_of_clients() -> int | None:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if limit == resource.RLIM_INFINITY else limit - min(RESERVED_DESCRIPTORS, limit // 4)
