"""The measurement of one site: its capacity, then runs at a share of it, without and with upgrades."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

from .client_process import ClientProcess, client
from .counts import FAULTS, Summary
from .site_under_load import SiteUnderLoad

SHARE: Final = 0.6
"""The load as a share of the capacity."""
CAPACITY_ROUNDS: Final = 3
CAPACITY_SECONDS: Final = 3.0


@dataclass(frozen=True)
class Amount:
    """How much is done: runs of a site, and in each run rounds of an upgrade and a downgrade, and forced failures.

    `sockets` websockets send `messages` messages per second, all together. `pause` is the time in seconds between two
    operations.
    """

    runs: int
    rounds: int
    failures: int
    sockets: int
    messages: float
    pause: float

    def fails_in(self, number: int) -> bool:
        """Return whether the round with this number, from 0, has a forced failure."""
        return number * self.failures // self.rounds != (number + 1) * self.failures // self.rounds


@dataclass
class Outcome:
    """What was measured. `quiet` and `upgraded` have the requests of each run, the others its messages."""

    capacity: float = 0.0
    rate: float = 0.0
    installs: int = 0
    put_back: int = 0
    quiet: list[Summary] = field(default_factory=list)
    upgraded: list[Summary] = field(default_factory=list)
    quiet_messages: list[Summary] = field(default_factory=list)
    upgraded_messages: list[Summary] = field(default_factory=list)
    swarm: Summary | None = None
    """All counts of the websockets."""
    trouble: str = ""
    """The operation that had another outcome than it should have, and ended the measurement."""

    def faults(self) -> dict[str, int]:
        """Return the counts that have to be 0, over all clients and runs."""
        counted = [*self.quiet, *self.upgraded, *([self.swarm] if self.swarm else [])]
        return {kind: sum(getattr(one, kind) for one in counted) for kind in FAULTS}

    def examples(self) -> list[str]:
        """Return the first faults, in words."""
        counted = [*self.quiet, *self.upgraded, *([self.swarm] if self.swarm else [])]
        return [example for one in counted for example in one.examples][:10]


async def measure(
    site: SiteUnderLoad,
    amount: Amount,
    outcome: Outcome,
    *,
    rate: float | None,
    swarm: bool,
    say: Callable[[str], None],
) -> None:
    """Measure a site, and fill in the outcome.

    `rate` is the number of requests per second, None for a share of the site's capacity. Raises UpgradeFailed.
    """
    async with AsyncExitStack() as stack:
        members = None
        if swarm:
            members = await stack.enter_async_context(client("swarm", site.port, amount.sockets, amount.messages))
        await site.upgrade()  # the first upgrade and downgrade of a node also compile and import what they need
        await site.downgrade()
        outcome.capacity = await _capacity(site, say)
        outcome.rate = rate or outcome.capacity * SHARE
        for number in range(amount.runs):
            say(f"run {number + 1} of {amount.runs} at {outcome.rate:,.0f} requests/s")
            await _run(site, amount, outcome, members)
        if members is not None:
            outcome.swarm = await members.finish()


async def _capacity(site: SiteUnderLoad, say: Callable[[str], None]) -> float:
    """Return the answers per second if each connection asks again at once: the median of some rounds."""
    rates = []
    for number in range(CAPACITY_ROUNDS):
        say(f"capacity, round {number + 1} of {CAPACITY_ROUNDS}")
        async with client("generator", site.site, site.port, 0) as asking:
            await asking.phase()
            began = time.monotonic()
            await asyncio.sleep(CAPACITY_SECONDS)
            summary = await asking.phase()
            rates.append(summary.answered / (time.monotonic() - began))
            await asking.finish()
    return statistics.median(rates)


async def _run(site: SiteUnderLoad, amount: Amount, outcome: Outcome, members: ClientProcess | None) -> None:
    """Ask through all upgrades, and then for as long a time without any."""
    if members is not None:
        await members.phase()
    began = time.monotonic()
    async with client("generator", site.site, site.port, outcome.rate) as asking:
        await _rounds(site, amount, outcome)
        outcome.upgraded.append(await asking.finish())
    seconds = time.monotonic() - began
    if members is not None:
        outcome.upgraded_messages.append(await members.phase())
    async with client("generator", site.site, site.port, outcome.rate) as asking:
        await asyncio.sleep(seconds)
        outcome.quiet.append(await asking.finish())
    if members is not None:
        outcome.quiet_messages.append(await members.phase())


async def _rounds(site: SiteUnderLoad, amount: Amount, outcome: Outcome) -> None:
    for number in range(amount.rounds):
        await asyncio.sleep(amount.pause)
        await site.upgrade()
        outcome.installs += 1
        if amount.fails_in(number):
            await asyncio.sleep(amount.pause)
            outcome.put_back += await site.fail()
        await asyncio.sleep(amount.pause)
        await site.downgrade()
        outcome.installs += 1
    await asyncio.sleep(amount.pause)
