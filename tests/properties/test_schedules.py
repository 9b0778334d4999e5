"""Random messages, calls, kills and links: nothing waits for ever, and nothing outlives its supervisor."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from node_runtime import (
    DOWN,
    EXIT,
    ChildSpec,
    Exit,
    GenServer,
    Pid,
    Runtime,
    Stop,
    Supervisor,
    cast,
    exit,
    gen_server,
    is_alive,
    link,
    monitor,
    self_pid,
    send,
    spawn_link,
    supervisor,
    trap_exit,
    unlink,
    until_ended,
)
from node_runtime.behaviours.server_calls import call_within
from node_runtime.processes import receive
from tests.support.hypothesis_profiles import PROFILE, orphans, quiescent, quiet, with_runtime

__all__ = ["quiet"]

NUMBERS = st.integers(0, 11)
REASONS = st.sampled_from(["normal", "shutdown", "trouble", "kill"])


# ------------------------------------------------------------------ who takes part


@dataclass
class Notes:
    """An actor's pending waits: its monitors without a DOWN message."""

    watched: list[Pid] = field(default_factory=list)


class Actor(GenServer[Notes]):
    """Executes commands. Each request that waits ends in a reply or an error."""

    def init(self, trapping: bool) -> Notes:
        trap_exit(trapping)
        return Notes()

    def plain(self, number: int) -> int:
        return number

    async def after(self, turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return turns

    async def stubborn(self, turns: int) -> int:
        """A frame that survives its process for a while."""
        for _ in range(turns):
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                continue
        return turns

    async def chain(self, others: list[Pid]) -> str:
        """Let the first actor call the others in turn."""
        if not others:
            return "end"
        try:
            return await call_within(None, others[0], Actor.chain, others[1:])
        except Exit as error:
            return str(error.reason)

    def tie(self, other: Pid) -> None:
        link(other)

    def untie(self, other: Pid) -> None:
        unlink(other)

    def watch(self, other: Pid) -> None:
        monitor(other)
        self.state.watched.append(other)

    def stop(self, reason: object) -> None:
        raise Stop(reason)

    def handle_info(self, message: Any) -> None:
        match message:
            case DOWN(pid=pid):
                self.state.watched.remove(pid)
            case EXIT(reason="trouble"):
                raise Stop("trouble")


async def start_actor(trapping: bool) -> Pid:
    return await gen_server.start_link(Actor, trapping)


async def reader(trapping: bool, parent: list[Pid]) -> None:
    trap_exit(trapping)
    while True:
        match await receive():
            case EXIT(pid=pid) if pid in parent:
                return
            case "end":
                return


def start_reader(trapping: bool) -> Pid:
    return spawn_link(reader, trapping, [self_pid()])


async def plain_task() -> None:
    await asyncio.Event().wait()


class Pool(Supervisor):
    """Actors that are not restarted, so that each keeps its identity."""

    def children(self, kinds: list[str]) -> list[ChildSpec]:
        return [spec(str(number), kind) for number, kind in enumerate(kinds)]


def spec(id: str, kind: str) -> ChildSpec:
    if kind == "task":
        return ChildSpec(id, f"{__name__}:plain_task", type="task", restart="temporary")
    function = "start_reader" if kind.startswith("reader") else "start_actor"
    return ChildSpec(id, f"{__name__}:{function}", (kind.endswith("trapping"),), restart="temporary")


async def start_pool(kinds: list[str], name: str) -> Pid:
    return await supervisor.start_link(Pool, kinds, name=name)


class Top(Supervisor):
    """Two pools; a killed pool ends its actors and is not restarted."""

    def children(self, one: list[str], other: list[str]) -> list[ChildSpec]:
        start = f"{__name__}:start_pool"
        return [
            ChildSpec("one", start, (one, "one"), type="supervisor", restart="temporary"),
            ChildSpec("other", start, (other, "other"), type="supervisor", restart="temporary"),
        ]


# ------------------------------------------------------------------ what happens to them


KINDS = st.sampled_from(["actor", "actor", "actor trapping", "reader", "reader trapping", "task"])
STEPS = st.one_of(
    st.tuples(st.just("chain"), NUMBERS, st.lists(NUMBERS, max_size=5)),
    st.tuples(st.just("chain"), NUMBERS, st.lists(NUMBERS, max_size=5)),
    st.tuples(st.sampled_from(["plain", "after", "stubborn"]), NUMBERS, NUMBERS),
    st.tuples(st.sampled_from(["tie", "untie", "watch", "await"]), NUMBERS, NUMBERS),
    st.tuples(st.sampled_from(["exit", "stop"]), NUMBERS, REASONS),
    st.tuples(st.just("send"), NUMBERS, st.sampled_from(["end", "nothing"])),
    st.tuples(st.just("supervisor"), st.sampled_from(["one", "other"]), st.sampled_from(["kill", "terminate"])),
    st.tuples(st.just("turns"), NUMBERS, NUMBERS),
)


class Schedule:
    """One example: the actors, and all pending waits."""

    def __init__(self, actors: list[Pid]) -> None:
        self.actors = actors
        self.waiting: list[asyncio.Future[Any]] = []

    def wait(self, coroutine: Any) -> None:
        self.waiting.append(asyncio.ensure_future(coroutine))

    async def do(self, what: str, one: Any, other: Any) -> None:
        if what == "turns":
            for _ in range(one):
                await asyncio.sleep(0)
            return
        if what == "supervisor":
            if other == "kill":
                exit(one, "kill")
            else:
                self.wait(supervisor.terminate_child("top", one))
            return
        pid = self.actors[one % len(self.actors)]
        if what == "chain":
            self.wait(call_within(None, pid, Actor.chain, [self.actors[n % len(self.actors)] for n in other]))
        elif what in ("plain", "after", "stubborn"):
            self.wait(call_within(None, pid, getattr(Actor, what), other))
        elif what == "await":
            self.wait(_end_of(pid))
        elif what in ("tie", "untie", "watch"):
            cast(pid, getattr(Actor, what), self.actors[other % len(self.actors)])
        elif what == "stop":
            cast(pid, Actor.stop, other)
        elif what == "exit":
            exit(pid, other)
        else:
            send(pid, other)


async def _end_of(pid: Pid) -> None:
    if is_alive(pid):
        await until_ended(pid)


@PROFILE
@given(
    st.booleans(),
    st.lists(KINDS, min_size=1, max_size=6),
    st.lists(KINDS, min_size=1, max_size=6),
    st.lists(STEPS, max_size=40),
    st.sampled_from(["kill", "shutdown"]),
)
def test_no_process_waits_for_ever_or_outlives_its_supervisor(
    inline: bool, one: list[str], other: list[str], steps: list[tuple[str, Any, Any]], end: str
) -> None:
    async def body(runtime: Runtime) -> None:
        top = await supervisor.start_link(Top, one, other, name="top")
        actors = [child.pid for pool in ("one", "other") for child in supervisor.which_children(pool)]
        schedule = Schedule([pid for pid in actors if pid is not None])
        for step in steps:
            await schedule.do(*step)
        await quiescent(runtime, lambda: _waits_only_for_ends(runtime, schedule))
        assert orphans(runtime) == []
        for pid in schedule.actors:
            if (process := runtime.processes.get(pid)) is not None and process.kind == "gen_server":
                notes: Notes = process.raw_state()  # type: ignore[attr-defined]  # a server has one
                assert all(is_alive(watched) for watched in notes.watched), f"{process.title()} missed a DOWN"
        exit(top, end)
        await asyncio.wait(schedule.waiting) if schedule.waiting else None
        await quiescent(runtime, lambda: not runtime.processes)
        assert not runtime.names
        for done in schedule.waiting:
            assert done.exception() is None or isinstance(done.exception(), (Exit, supervisor.ChildRefused))

    with_runtime(inline, body)


def _waits_only_for_ends(runtime: Runtime, schedule: Schedule) -> bool:
    """Returns whether every call has been answered, and only exits of live processes are awaited."""
    pending = [one for one in schedule.waiting if not one.done()]
    return all("_end_of" in repr(one) for one in pending) and not any(
        process.awaited_calls for process in runtime.processes.values()
    )
