"""The end of supervisors and their children: nothing waits for ever, and every abnormal exit is logged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from node_runtime import (
    Application,
    AppSpec,
    ChildSpec,
    Deadlock,
    GenServer,
    Pid,
    Runtime,
    Stop,
    Supervisor,
    application,
    call,
    cast,
    exit,
    gen_server,
    is_alive,
    supervisor,
    sys,
    trap_exit,
    until_ended,
    whereis,
)
from tests.support.waiting import begun, eventually

refusals: list[tuple[str, tuple[Pid, ...]]] = []
"""The processes that got a Deadlock, with its cycle."""
began: list[str] = []
"""The processes that have started to call."""
gate: asyncio.Event
questions: dict[str, Callable[[], Awaitable[object]]] = {}
"""The request of each child, by name, made on demand or in terminate."""


@pytest.fixture(autouse=True)
async def clean() -> None:
    global gate  # noqa: PLW0603 - a new one for each event loop
    gate = asyncio.Event()
    for kept in (refusals, began, questions):
        kept.clear()


class Asker(GenServer[str]):
    """Makes a request that must be a deadlock, in a callback or in terminate."""

    async def init(self, name: str) -> str:
        trap_exit()
        if name == "slow":
            await gate.wait()
        return name

    async def ask(self) -> None:
        began.append(self.state)
        try:
            await questions[self.state]()
        except Deadlock as deadlock:
            refusals.append((self.state, deadlock.pids))

    async def terminate(self, reason: object) -> None:
        if self.state.startswith("late"):
            await self.ask()


class Shop(Supervisor):
    def children(self, *specs: ChildSpec) -> list[ChildSpec]:
        return list(specs)


class AllShop(Shop):
    strategy = "one_for_all"


class Pool(Shop):
    strategy = "simple_one_for_one"


async def start_asker(name: str) -> Pid:
    return await gen_server.start_link(Asker, name, name=name)


def asker(name: str, **more: Any) -> ChildSpec:
    return ChildSpec(name, f"{__name__}:start_asker", (name,), shutdown="infinity", **more)


async def ask_the_shop() -> object:
    return await supervisor.restart_child("shop", "nobody")


async def supervisor_stop(name: str) -> None:
    """Stop a suspended supervisor, which stops at once."""
    await sys.suspend(name, owner="test")
    await gen_server.stop(name)


def pid_of(name: str) -> Pid:
    pid = whereis(name)
    assert pid is not None
    return pid


async def test_every_instance_that_calls_its_stopping_supervisor_gets_a_deadlock(runtime: Runtime) -> None:
    shop = await supervisor.start_link(
        Pool, ChildSpec("one", f"{__name__}:start_asker", shutdown="infinity"), name="shop"
    )
    pids = {}
    for number in range(5):
        name = f"late{number}"
        questions[name] = lambda: supervisor.start_child("shop", ["late9"])
        pids[name] = await supervisor.start_child("shop", [name])
    exit(shop, "shutdown")
    async with asyncio.timeout(60):
        assert await until_ended(shop) == "shutdown"
    assert sorted(refusals) == [(name, (pid, shop)) for name, pid in pids.items()]
    assert not runtime.processes


async def test_a_child_that_waits_for_its_supervisor_gets_a_deadlock_when_the_supervisor_starts_to_wait_for_it(
    runtime: Runtime,
) -> None:
    shop = await supervisor.start_link(Shop, asker("a"), name="shop")
    pid = pid_of("a")
    questions["a"] = ask_the_shop
    starting = asyncio.ensure_future(supervisor.start_child("shop", asker("slow")))
    await eventually(lambda: whereis("slow"))
    ending = asyncio.ensure_future(supervisor.terminate_child("shop", "a"))  # before the request of a
    await begun(ending)
    cast("a", Asker.ask)
    await eventually(lambda: began == ["a"])
    gate.set()
    async with asyncio.timeout(60):
        await asyncio.gather(starting, ending)
    assert refusals == [("a", (pid, shop))]
    assert not is_alive(pid)


async def test_a_child_that_asks_for_its_own_termination_gets_a_deadlock(runtime: Runtime) -> None:
    shop = await supervisor.start_link(Shop, asker("a"), name="shop")
    pid = pid_of("a")
    questions["a"] = lambda: supervisor.terminate_child("shop", "a")
    cast("a", Asker.ask)
    async with asyncio.timeout(60):
        await until_ended("a")
    assert refusals == [("a", (pid, shop))]
    assert [one.status for one in supervisor.which_children("shop")] == ["undefined"]


async def test_a_cycle_through_several_processes_is_a_deadlock_too(runtime: Runtime) -> None:
    shop = await supervisor.start_link(Shop, asker("a"), asker("b"), name="shop")
    a, b = pid_of("a"), pid_of("b")
    questions["b"] = lambda: call("a", Asker.ask)
    questions["a"] = lambda: supervisor.terminate_child("shop", "b")
    cast("b", Asker.ask)
    async with asyncio.timeout(60):
        await until_ended(b)
    assert refusals == [("a", (a, shop, b))]
    assert is_alive(a)


@pytest.mark.parametrize("wait", [until_ended, gen_server.stop, supervisor_stop])
async def test_a_child_that_waits_for_the_exit_of_its_supervisor_gets_a_deadlock(
    runtime: Runtime, wait: Callable[[str], Awaitable[object]]
) -> None:
    shop = await supervisor.start_link(Shop, asker("a"), name="shop")
    pid = pid_of("a")
    questions["a"] = lambda: wait("shop")
    cast("a", Asker.ask)
    await eventually(lambda: began)
    exit(shop, "shutdown")
    async with asyncio.timeout(60):
        await eventually(lambda: not runtime.processes)
    assert refusals == [("a", (pid, shop))]


async def test_an_application_that_stops_itself_gets_a_deadlock(runtime: Runtime) -> None:
    application.load(AppSpec("bakery", "1", mod=f"{__name__}:Bakery"))
    await application.start("bakery")
    questions["a"] = lambda: application.stop("bakery")
    pid = pid_of("a")
    cast("a", Asker.ask)
    async with asyncio.timeout(60):
        await eventually(lambda: not runtime.processes)
    ((name, circle),) = refusals
    assert name == "a"
    assert circle[0] == pid
    assert application.which_applications() == []


class Bakery(Application):
    async def start(self, start_type: str, args: Any) -> Pid:
        return await supervisor.start_link(Shop, asker("a"), name="shop")


# ------------------------------------------------------------------ reports


class Worker(GenServer[object]):
    """Exits at shutdown with the reason that it was started with."""

    def init(self, reason: object) -> object:
        trap_exit()
        return reason

    def terminate(self, reason: object) -> None:
        if reason == "shutdown":
            raise Stop(self.state)


async def start_worker(reason: object = "shutdown") -> Pid:
    return await gen_server.start_link(Worker, reason)


def worker(name: str, *reason: object, **more: Any) -> ChildSpec:
    return ChildSpec(name, f"{__name__}:start_worker", reason, **more)


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """The children with a shutdown error in the log, with the reason."""
    reports: list[Any] = [getattr(record, "report", None) for record in caplog.records]
    return [(one.child, one.reason) for one in reports if getattr(one, "context", None) == "shutdown_error"]


def pids() -> list[Pid]:
    return [one.pid for one in supervisor.which_children("shop") if one.pid is not None]


async def test_a_child_that_exits_before_its_shutdown_signal_is_reported(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    await supervisor.start_link(AllShop, worker("a"), worker("b"), worker("c"), name="shop")
    before = pids()
    exit(before[0], "kill")  # the supervisor stops the others because of it, and does not know of the next exit yet
    exit(before[1], "kill")
    await eventually(lambda: len(pids()) == 3 and not set(pids()) & set(before))
    assert told(caplog) == [("b", "killed")]


async def test_an_instance_that_exits_before_its_shutdown_signal_is_reported(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    class Strict(Pool):
        intensity = 0

    shop = await supervisor.start_link(Strict, worker("one"), name="shop")
    for _ in range(3):
        await supervisor.start_child("shop", [])
    for pid in pids()[:2]:
        exit(pid, "kill")
    assert await until_ended(shop) == "shutdown"
    assert told(caplog) == [("one", "killed")]


@pytest.mark.parametrize(
    ("restart", "reason", "reported"),
    [
        ("permanent", "shutdown", False),
        ("permanent", "normal", True),
        ("permanent", ("shutdown", "tired"), True),
        ("transient", "normal", False),
        ("temporary", ("shutdown", "tired"), False),
        ("temporary", "trouble", True),
    ],
)
async def test_only_abnormal_exits_at_shutdown_are_reported(
    runtime: Runtime, caplog: pytest.LogCaptureFixture, restart: Any, reason: object, reported: bool
) -> None:
    """As in OTP's supervisor:shutdown/1."""
    shop = await supervisor.start_link(Shop, worker("a", reason, restart=restart), name="shop")
    exit(shop, "shutdown")
    assert await until_ended(shop) == "shutdown"
    assert bool(told(caplog)) is reported
