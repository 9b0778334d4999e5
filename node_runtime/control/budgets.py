"""The budgets of clients: token buckets for each connection, each key and each role.

When a request arrives, before its parameters are decoded, the client pays its method's tokens. After the reply, the
client also pays for the time and the bytes that the request has taken. If the bucket of the connection, of the key or
of the role has too few tokens, the request is refused at almost no cost. Viewers and operators never pay from the same
bucket.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Role

from .gateway.token_bucket import Refill, TokenBucket
from .peer import Peer

TOKEN_SECONDS: Final = 100e-6
"""Seconds of processor time, outside the event loop, that one token pays for."""
LOOP_TOKEN_SECONDS: Final = TOKEN_SECONDS / 4
"""Seconds on the event loop that one token pays for. These seconds cost more, because all processes of the node wait
meanwhile.
"""
BYTES_PER_TOKEN: Final = 64 * 1024
"""Bytes of a request or a reply that one token pays for."""
MAX_KNOWN_CLIENTS: Final = 1000
"""The maximum number of buckets of connections in one role, and of buckets of keys.

Beyond it, the least recently used bucket is dropped.
"""


class RoleBudget(msgspec.Struct, frozen=True):
    """The budget of a role: for each connection, for each key, and for all clients together.

    `reserve` is the number of tokens in each bucket that only urgent requests may spend. `refusals` limits the refusals
    that are sent to one connection.
    """

    connection: Refill
    key: Refill
    all: Refill
    refusals: Refill
    reserve: float = 0.0


BUDGETS: Final[dict[Role, RoleBudget]] = {
    "viewer": RoleBudget(
        connection=Refill(100, 200), key=Refill(300, 600), all=Refill(400, 800), refusals=Refill(10, 20)
    ),
    "operator": RoleBudget(
        connection=Refill(20_000, 40_000),
        key=Refill(20_000, 40_000),
        all=Refill(40_000, 80_000),
        refusals=Refill(100, 200),
        reserve=200,
    ),
}
"""All viewers together get at most 4 % of a processor, and 1 % of the event loop's time.

An operator's budget only stops a script that has gone wrong.
"""


class Shortage(NamedTuple):
    """A bucket with too few tokens for a request: the clients that pay from it, and the seconds until it has enough."""

    whom: str
    seconds: float

    @property
    def sentence(self) -> str:
        """The sentence for the client."""
        return (
            f"Too many requests from {self.whom}: nothing was done; try again in {max(1, math.ceil(self.seconds))} s."
        )

    @property
    def refusal(self) -> Refused:
        """The refusal of the request."""
        return Refused(self.sentence, retry_after=self.seconds)


class _Connection(msgspec.Struct, frozen=True):
    tokens: TokenBucket
    refusals: TokenBucket


class Budgets:
    """The buckets of all clients. Only the control thread may use them. `clock` returns seconds."""

    def __init__(self, budgets: dict[Role, RoleBudget] = BUDGETS, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._roles = {role: _RoleBuckets(budget, clock()) for role, budget in budgets.items()}

    def take(self, peer: Peer, cost: float, *, urgent: bool = False) -> Shortage | None:
        """Take `cost` tokens from each bucket of the client, and return None.

        If one bucket has too few tokens, take none from any bucket, and return the Shortage of that bucket.
        """
        return self._roles[peer.role].take(peer, cost, self._clock(), urgent=urgent)

    def charge(self, peer: Peer, cost: float) -> None:
        """Take `cost` tokens for work that is already done."""
        self._roles[peer.role].charge(peer, cost, self._clock())

    def refusal_delay(self, peer: Peer) -> float | None:
        """Return the seconds to wait before a refusal is sent to the client, or None if it gets no reply.

        A client that waits for each reply before it sends the next request always gets a refusal.
        """
        return self._roles[peer.role].refusal_delay(peer, self._clock())

    def forget(self, routing_id: bytes) -> None:
        """Drop the bucket of a connection that was closed."""
        for buckets in self._roles.values():
            buckets.connections.pop(routing_id, None)


class _RoleBuckets:
    """The buckets of one role."""

    def __init__(self, budget: RoleBudget, now: float) -> None:
        self._budget = budget
        self._all = TokenBucket(budget.all, now)
        self._keys: OrderedDict[bytes, TokenBucket] = OrderedDict()
        self.connections: OrderedDict[bytes, _Connection] = OrderedDict()

    def take(self, peer: Peer, cost: float, now: float, *, urgent: bool) -> Shortage | None:
        needed = cost if urgent else cost + self._budget.reserve
        buckets = self._buckets(peer, now)
        waits = [(bucket.wait(needed, now), whom) for bucket, whom in buckets]
        longest, whom = max(waits)
        if longest > 0:
            return Shortage(whom, longest)
        for bucket, _ in buckets:
            bucket.take(cost)
        return None

    def charge(self, peer: Peer, cost: float, now: float) -> None:
        for bucket, _ in self._buckets(peer, now):
            bucket.take(cost)

    def refusal_delay(self, peer: Peer, now: float) -> float | None:
        refusals = self._connection(peer, now).refusals
        delay = refusals.wait(1, now)
        if delay * self._budget.refusals.per_second > 1.001:  # an earlier refusal is still being delayed
            return None
        refusals.take(1)
        return delay

    def _buckets(self, peer: Peer, now: float) -> tuple[tuple[TokenBucket, str], ...]:
        """Return the buckets that pay for a client's request, each with a text that names the clients that share it."""
        key = self._keys.get(peer.key)
        if key is None:
            key = self._keys[peer.key] = TokenBucket(self._budget.key, now)
            _drop_oldest(self._keys)
        self._keys.move_to_end(peer.key)
        own = self._connection(peer, now).tokens
        return (own, "this connection"), (key, f"connections with the key {peer.name}"), (self._all, f"{peer.role}s")

    def _connection(self, peer: Peer, now: float) -> _Connection:
        known = self.connections.get(peer.routing_id)
        if known is None:
            known = _Connection(TokenBucket(self._budget.connection, now), TokenBucket(self._budget.refusals, now))
            self.connections[peer.routing_id] = known
            _drop_oldest(self.connections)
        self.connections.move_to_end(peer.routing_id)
        return known


def _drop_oldest(buckets: OrderedDict[bytes, TokenBucket] | OrderedDict[bytes, _Connection]) -> None:
    if len(buckets) > MAX_KNOWN_CLIENTS:
        buckets.popitem(last=False)
