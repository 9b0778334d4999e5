"""Random requests between children and supervisors while these end: nothing waits for ever.

No child has a shutdown timeout and no request has a timeout, so every cycle must be detected.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from node_runtime import (
    ChildSpec,
    Exit,
    GenServer,
    Pid,
    Runtime,
    Supervisor,
    Target,
    call_now,
    call_within,
    cast,
    exit,
    gen_server,
    spawn,
    supervisor,
    sys,
    trap_exit,
)
from node_runtime.supervisor import ChildRefused
from tests.support.hypothesis_profiles import PROFILE, quiescent, quiet, with_runtime

__all__ = ["quiet"]

NUMBERS = st.integers(0, 9)
POOLS = ["one", "two", "many"]


class Actor(GenServer[str]):
    """Makes a request to another process, in a callback or in terminate, and accepts any outcome."""

    def init(self, last: str) -> str:
        trap_exit()
        return last

    def plain(self, others: list[Pid]) -> None:
        """The same without waiting."""
        if others:
            with suppress(Exit):
                call_now(others[0], Actor.plain, others[1:])

    async def chain(self, others: list[Pid]) -> None:
        if others:
            await taken(call_within(None, others[0], Actor.chain, others[1:]))

    async def look(self, other: Target) -> None:
        await taken(sys.get_state(other, timeout=3600))

    async def begin(self, other: Target) -> None:
        """Start a server that makes a request in init."""
        await taken(gen_server.start_link(Beginner, other))

    async def stop_other(self, other: Pid) -> None:
        await taken(gen_server.stop(other))

    async def terminate_child(self, pool: str, id: Any) -> None:
        await taken(supervisor.terminate_child(pool, id))

    async def restart_child(self, pool: str, id: Any) -> None:
        await taken(supervisor.restart_child(pool, id))

    async def stop_pool(self, pool: str) -> None:
        await taken(gen_server.stop(pool))

    async def terminate(self, reason: object) -> None:
        if self.state:
            await taken(supervisor.restart_child(self.state, "nobody"))


class Beginner(GenServer[None]):
    """A server whose init reads the state of another process."""

    async def init(self, other: Target) -> None:
        trap_exit()
        await sys.get_state(other, timeout=3600)


async def taken(asked: Awaitable[object]) -> None:
    """Await a request, and ignore the errors that it may have."""
    with suppress(Exit, ChildRefused, sys.NotHeld):
        await asked


async def start_actor(last: str) -> Pid:
    return await gen_server.start_link(Actor, last)


class One(Supervisor):
    """A supervisor whose children are terminated one after the other."""

    intensity = 100
    strategy = "one_for_all"

    def children(self, name: str, lasts: list[bool]) -> list[ChildSpec]:
        return [actor(str(number), name if last else "") for number, last in enumerate(lasts)]


class Many(Supervisor):
    """A supervisor whose children are terminated concurrently."""

    strategy = "simple_one_for_one"

    def children(self, name: str, lasts: list[bool]) -> list[ChildSpec]:
        return [ChildSpec("actor", f"{__name__}:start_actor", shutdown="infinity", restart="temporary")]


def actor(id: str, last: str) -> ChildSpec:
    return ChildSpec(id, f"{__name__}:start_actor", (last,), shutdown="infinity", restart="transient")


async def start_pool(name: str, lasts: list[bool]) -> Pid:
    cls = Many if name == "many" else One
    return await supervisor.start_link(cls, name, lasts, name=name)


class Top(Supervisor):
    def children(self, lasts: list[bool]) -> list[ChildSpec]:
        return [
            ChildSpec(name, f"{__name__}:start_pool", (name, lasts), type="supervisor", restart="temporary")
            for name in POOLS
        ]


STEPS = st.one_of(
    st.tuples(st.sampled_from(["chain", "plain"]), NUMBERS, st.lists(NUMBERS, max_size=4)),
    st.tuples(st.sampled_from(["look", "stop_other", "begin"]), NUMBERS, NUMBERS),
    st.tuples(st.sampled_from(["terminate_child", "restart_child", "stop_pool", "look", "begin"]), NUMBERS, NUMBERS),
    st.tuples(st.sampled_from(["suspend", "turns", "end"]), NUMBERS, NUMBERS),
)


def do(what: str, one: int, other: Any, actors: list[Pid]) -> None:
    """Let one of the actors make a request."""

    def pick(number: int) -> Pid:
        return actors[number % len(actors)]

    pid, pool = pick(one), POOLS[one % len(POOLS)]
    if what == "suspend":
        target = pool if other % 2 else pid
        spawn(taken, sys.suspend(target, owner="test", lease=0.001 * other, timeout=3600))
    elif what == "end":
        exit(pool if other else "top", "shutdown")
    elif what in ("chain", "plain"):
        cast(pid, getattr(Actor, what), [pick(number) for number in other])
    elif what in ("look", "begin"):
        cast(pid, getattr(Actor, what), pick(other) if other % 2 else POOLS[other % len(POOLS)])
    elif what == "stop_other":
        cast(pid, Actor.stop_other, pick(other))
    elif what == "stop_pool":
        cast(pid, Actor.stop_pool, POOLS[other % len(POOLS)])
    else:
        pool = POOLS[other % len(POOLS)]
        cast(pid, getattr(Actor, what), pool, pick(other) if pool == "many" else str(other % 3))


@PROFILE
@given(st.booleans(), st.lists(st.booleans(), min_size=3, max_size=3), st.lists(STEPS, max_size=25))
@example(
    True, [True, False, False], [("chain", 0, []), ("chain", 7, [2, 0, 0]), ("look", 7, 8), ("chain", 0, [0])]
)  # one reads its supervisor's state between the exit signal and the wait for the children
def test_no_process_waits_for_ever_while_supervisors_stop(
    inline: bool, lasts: list[bool], steps: list[tuple[str, int, Any]]
) -> None:
    async def body(node: Runtime) -> None:
        top = await supervisor.start_link(Top, lasts, name="top")
        for last in lasts:
            await supervisor.start_child("many", ["many" if last else ""])
        actors = [process.pid for process in node.processes.values() if process.kind == "gen_server"]
        for step in steps:
            if step[0] == "turns":
                for _ in range(step[1]):
                    await asyncio.sleep(0)
            else:
                do(*step, actors)
        exit(top, "shutdown")
        await quiescent(node, lambda: not node.processes)

    with_runtime(inline, body)
