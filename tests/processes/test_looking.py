"""The information on processes, on ended processes, and on tasks that belong to no process."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import ClassVar

import pytest

from node_runtime import (
    GenServer,
    Runtime,
    Stop,
    StrayTask,
    call,
    exit,
    finished_processes,
    gen_server,
    link,
    monitor,
    process_info,
    receive,
    register,
    self_pid,
    send,
    spawn,
    spawn_link,
    spawn_task,
    stray_tasks,
    until_ended,
)
from node_runtime.behaviours.upgrade import live_processes
from node_runtime.processes.exit_log import MAX_ENDS_KEPT
from tests.support.in_process import run_in_process
from tests.support.waiting import eventually


class Worker(GenServer[int]):
    def init(self) -> int:
        return 0

    def work(self, rounds: int) -> int:
        return sum(range(rounds))

    async def wait(self, event: asyncio.Event) -> None:
        await event.wait()

    async def start_on_the_side(self, event: asyncio.Event) -> None:
        asyncio.create_task(event.wait(), name="aside")  # noqa: RUF006  # that nothing keeps it is the point


async def test_the_async_callback_and_its_await_are_known(runtime: Runtime) -> None:
    pid, event = await gen_server.start(Worker), asyncio.Event()
    assert process_info(pid).callback is None
    waiting = asyncio.ensure_future(call(pid, Worker.wait, event))
    await eventually(lambda: process_info(pid).callback == "wait")
    assert process_info(pid).awaiting[0].endswith("Worker.wait")
    event.set()
    await waiting
    assert process_info(pid).callback is None


async def test_time_in_callbacks_is_counted_including_awaits(runtime: Runtime) -> None:
    busy, idle, event = await gen_server.start(Worker), await gen_server.start(Worker), asyncio.Event()
    for _ in range(50):
        await call(busy, Worker.work, 5000)
    assert process_info(busy).spent > process_info(idle).spent
    waiting = asyncio.ensure_future(call(busy, Worker.wait, event))
    await eventually(lambda: process_info(busy).callback == "wait")
    before = process_info(busy).spent
    await eventually(lambda: process_info(busy).spent > before)
    event.set()
    await waiting
    after = process_info(busy).spent
    await asyncio.sleep(0)
    assert process_info(busy).spent == after


async def test_a_coroutine_that_waits_for_mail_spends_nothing(runtime: Runtime) -> None:
    async def reader() -> None:
        while True:
            await receive()

    pid = spawn(reader)
    await eventually(lambda: process_info(pid).status == "idle")
    before = process_info(pid).spent
    await asyncio.sleep(0)
    assert process_info(pid).spent == before
    send(pid, "work")
    await eventually(lambda: process_info(pid).messages == 1 and process_info(pid).status == "idle")
    assert process_info(pid).spent > before


class Nosy:
    """A callable object that records reads of its attributes."""

    asked: ClassVar[list[str]] = []

    async def __call__(self) -> None:
        await receive()

    def __getattribute__(self, name: str) -> object:
        Nosy.asked.append(name)
        return object.__getattribute__(self, name)


async def test_inspecting_a_process_runs_none_of_its_code(runtime: Runtime) -> None:
    pid = spawn(Nosy())
    await eventually(lambda: process_info(pid).spent > 0)
    Nosy.asked.clear()
    assert process_info(pid).module == __name__
    assert process_info(pid).qualname == "Nosy"
    assert Nosy.asked == []
    assert process_info(spawn(receive)).qualname == "receive"
    assert process_info(spawn(partial(receive))).qualname == "partial"


async def test_links_monitors_and_parent_are_known(runtime: Runtime) -> None:
    async def body() -> None:
        one, two = spawn(receive), spawn_link(receive)
        link(one)
        monitor(two)
        info = process_info(self_pid())
        assert set(info.links) == {one, two}
        assert info.monitors == (two,)
        assert process_info(two).parent == self_pid()

    await run_in_process(body)


# ------------------------------------------------------------------ who has ended


async def test_ended_processes_are_remembered_with_the_reason(runtime: Runtime) -> None:
    async def crash() -> None:
        await receive()
        raise ValueError("broken")

    pid = spawn(crash)
    register("crasher", pid)
    send(pid, "go")
    await until_ended(pid)
    newest = finished_processes(1)[0]
    assert (newest.pid, newest.name, newest.kind, newest.messages) == (pid, "crasher", "process", 1)
    assert (newest.orderly, newest.reason) == (False, "ValueError: broken")
    assert newest.qualname.endswith("crash")
    assert newest.started <= newest.ended


async def test_normal_exits_do_not_displace_the_others(runtime: Runtime) -> None:
    async def end(reason: object) -> None:
        raise Stop(reason)

    await until_ended(spawn(end, "trouble"))
    for _ in range(MAX_ENDS_KEPT + 10):
        await until_ended(spawn(end, "normal"))
    ended = finished_processes(2 * MAX_ENDS_KEPT)
    assert len(ended) == MAX_ENDS_KEPT + 1
    assert [one.reason for one in ended if not one.orderly] == ["trouble"]


async def test_a_reason_is_kept_as_a_bounded_text(runtime: Runtime) -> None:
    class Nasty:
        def __repr__(self) -> str:
            raise RuntimeError("no text of mine")

    for reason, text in ((Nasty(), "a Nasty whose text raised RuntimeError"), ("x" * 1000, "x" * 300 + "…")):
        exit(spawn(receive), reason)
        assert finished_processes(1)[0].reason == text


# ------------------------------------------------------------------ tasks behind the runtime's back


async def test_tasks_that_are_no_processes_are_shown_as_such(runtime: Runtime) -> None:
    pid, event = await gen_server.start(Worker), asyncio.Event()
    spawn(receive)
    spawn_task(event.wait)
    await call(pid, Worker.start_on_the_side, event)

    def aside() -> list[StrayTask]:
        return [task for task in stray_tasks() if "wait" in task.qualname]

    assert [task.name for task in aside()] == ["aside"]
    assert aside()[0].qualname == "Event.wait"
    assert aside()[0].owner == (pid if sys.version_info >= (3, 12) else None)
    event.set()
    await eventually(lambda: not aside())


async def test_a_call_by_a_task_beside_the_callback_is_shown_too(runtime: Runtime) -> None:
    pid, event = await gen_server.start(Worker), asyncio.Event()
    asked = asyncio.ensure_future(call(pid, Worker.wait, event))
    asked.set_name("asked")
    await eventually(lambda: process_info(pid).status == "running")
    assert [task.qualname for task in stray_tasks() if task.name == "asked"] == ["call"]
    event.set()
    await asked
    own = {task.qualname for task in stray_tasks()}
    assert not [name for name in own if "_run_in_task" in name or "_live" in name]


# ------------------------------------------------------------------ born in an upgrade


async def test_coroutines_spawned_inside_a_transaction_start_when_they_are_released(runtime: Runtime) -> None:
    log: list[str] = []

    async def begin(word: str) -> None:
        log.append(word)

    with live_processes.holding_started_processes(owner="upgrade") as born:
        one, two = spawn(begin, "one"), spawn_task(begin, "two")
    outside = spawn(begin, "outside")
    assert born == [one, two]
    await until_ended(outside)
    assert log == ["outside"]
    assert process_info(one).status == "suspended"
    await live_processes.hold(one, owner="upgrade", timeout=60)
    for pid in born:
        live_processes.release(pid, owner="upgrade")
    await eventually(lambda: sorted(log) == ["one", "outside", "two"])


@pytest.mark.parametrize("reason", ["shutdown", "kill"])
async def test_a_coroutine_that_has_not_started_may_be_ended(runtime: Runtime, reason: str) -> None:
    with live_processes.holding_started_processes(owner="upgrade") as born:
        spawn(receive)
        spawn_task(asyncio.sleep, 60)
    for pid in born:
        exit(pid, reason)
        live_processes.release(pid, owner="upgrade")
    assert not any(pid in runtime.processes for pid in born)
    assert not runtime.zombies
