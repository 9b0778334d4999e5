"""Frames that outlive their process, plain asyncio code as a process, and the inspection of both."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from node_runtime import (
    Exit,
    GenServer,
    ProcessEvent,
    Runtime,
    all_processes,
    call,
    exit,
    finished_processes,
    gen_server,
    is_alive,
    process_info,
    receive,
    register,
    self_pid,
    send,
    spawn,
    spawn_link,
    spawn_task,
    until_ended,
)
from tests.support.in_process import run_in_process
from tests.support.waiting import eventually


class Keeper(GenServer[list[object]]):
    def init(self) -> list[object]:
        return []

    def handle_info(self, message: object) -> None:
        self.state.append(message)

    def count(self) -> int:
        return len(self.state)


async def wait_for_ever() -> None:
    await receive()


async def test_a_frame_that_survives_the_kill_is_a_listed_zombie(runtime: Runtime) -> None:
    let_go = asyncio.Event()

    async def stubborn() -> None:
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue

    pid = spawn(stubborn)
    register("stubborn", pid)
    await eventually(lambda: process_info(pid).awaiting)
    exit(pid, "kill")
    assert not is_alive(pid)
    assert "stubborn" not in runtime.names
    assert pid in all_processes()
    info = process_info(pid)
    assert info.status == "zombie"
    assert "stubborn" in info.awaiting[0]
    let_go.set()
    await eventually(lambda: pid not in all_processes())


async def test_a_zombie_can_send_nothing(runtime: Runtime) -> None:
    got: list[object] = []
    outcome: list[object] = []

    async def collector() -> None:
        while True:
            got.append(await receive())

    target = spawn(collector)

    async def ghost() -> None:
        try:
            await receive()
        except asyncio.CancelledError:
            try:
                send(target, "boo")
            except Exit as error:
                outcome.append(error.reason)
            raise

    pid = spawn(ghost)
    await eventually(lambda: process_info(pid).status == "idle")
    exit(pid, "kill")
    await eventually(lambda: outcome)
    assert outcome == ["killed"]
    assert got == []


@pytest.mark.parametrize("way", ["to_thread", "run_in_executor"])
async def test_a_thread_that_goes_on_after_the_kill_is_a_zombie_and_can_send_nothing(
    runtime: Runtime, way: str
) -> None:
    loop = asyncio.get_running_loop()
    begun, go_on = threading.Event(), threading.Event()
    outcome: list[object] = []

    def work() -> None:
        begun.set()
        go_on.wait(60)
        try:
            send(target, "boo")
        except Exit as error:
            outcome.append(error.reason)

    async def live() -> None:
        await (asyncio.to_thread(work) if way == "to_thread" else loop.run_in_executor(None, work))

    target = spawn(wait_for_ever)
    pid = spawn(live)
    await eventually(begun.is_set)
    exit(pid, "kill")
    await eventually(lambda: not process_info(pid).awaiting[0].endswith("live"))
    info = process_info(pid)
    assert info.status == "zombie"
    assert any(line.endswith("work") for line in info.awaiting)
    go_on.set()
    await eventually(lambda: pid not in all_processes())
    assert outcome == ["killed"]
    assert process_info(target).mailbox == process_info(target).messages == 0
    assert is_alive(target)


async def test_a_program_may_keep_its_own_executor() -> None:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(thread_name_prefix="its own") as own:
        loop.set_default_executor(own)
        async with Runtime(threads=False):
            assert (await asyncio.to_thread(threading.current_thread)).name.startswith("its own")
        async with Runtime():
            assert not (await asyncio.to_thread(threading.current_thread)).name.startswith("its own")


async def test_a_task_beside_an_ended_process_goes_on_despite_zombies(runtime: Runtime) -> None:
    server, go_on, late = await gen_server.start(Keeper), asyncio.Event(), asyncio.Event()
    done: list[object] = []

    async def on_the_side() -> None:
        await go_on.wait()
        send(server, "sent")
        done.append(await call(server, Keeper.count))

    async def live() -> None:
        done.append(asyncio.ensure_future(on_the_side()))

    async def undead() -> None:
        while not late.is_set():
            with suppress(asyncio.CancelledError):
                await late.wait()

    assert await until_ended(spawn(live)) == "normal"
    zombie = spawn(undead)
    await eventually(lambda: process_info(zombie).awaiting)
    exit(zombie, "kill")
    assert zombie in all_processes()
    go_on.set()
    await eventually(lambda: len(done) == 2)
    assert done[1] == 1
    late.set()


async def test_a_task_is_cancelled_by_an_exit_signal_and_ends_when_it_has_cleaned_up(runtime: Runtime) -> None:
    steps: list[str] = []
    clean = asyncio.Event()

    async def poll() -> None:
        steps.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            steps.append("cancelled")
            await clean.wait()
            steps.append("clean")

    pid = spawn_task(poll)
    await eventually(lambda: steps == ["begun"])
    exit(pid, "shutdown")
    await eventually(lambda: steps == ["begun", "cancelled"])
    assert is_alive(pid)
    clean.set()
    assert await until_ended(pid) == "shutdown"
    assert steps == ["begun", "cancelled", "clean"]


async def test_a_task_that_has_not_begun_ends_by_an_exit_signal(runtime: Runtime) -> None:
    begun: list[str] = []

    async def work() -> None:
        begun.append("work")

    pid = spawn_task(work)
    exit(pid, "shutdown")
    assert finished_processes(1)[0].reason == "shutdown"
    assert begun == []
    await eventually(lambda: not all_processes())


async def test_a_task_is_killed_at_once(runtime: Runtime) -> None:
    pid = spawn_task(asyncio.sleep, 3600)
    exit(pid, "kill")
    assert not is_alive(pid)


async def test_self_pid_is_right_after_awaits_and_in_tasks_of_the_process(runtime: Runtime) -> None:
    async def body() -> list[object]:
        me = self_pid()
        await asyncio.sleep(0)

        async def part() -> object:
            await asyncio.sleep(0)
            return self_pid()

        return [me, self_pid(), *(await asyncio.gather(part(), part()))]

    assert len(set(await run_in_process(body))) == 1


async def test_processes_know_their_parent_and_links(runtime: Runtime) -> None:
    async def body() -> bool:
        child = process_info(spawn_link(wait_for_ever))
        return child.parent == self_pid() and child.links == (self_pid(),)

    assert await run_in_process(body)


async def test_process_info_has_every_field(runtime: Runtime) -> None:
    before = time.time()
    pid = spawn(wait_for_ever)
    register("waiter", pid)
    await eventually(lambda: process_info(pid).status == "idle")
    info = process_info("waiter")
    assert (info.pid, info.name, info.kind, info.parent) == (pid, "waiter", "process", None)
    assert (info.module, info.qualname) == (__name__, "wait_for_ever")
    assert before <= info.started <= time.time()
    assert info.awaiting[0].endswith("wait_for_ever")
    assert __file__ in info.awaiting[0]


async def test_handled_and_waiting_messages_are_counted(runtime: Runtime) -> None:
    async def takes_two() -> None:
        await receive()
        await receive()
        await asyncio.Event().wait()

    pid = spawn(takes_two)
    for _ in range(5):
        send(pid, "message")
    await eventually(lambda: process_info(pid).messages == 2)
    assert process_info(pid).mailbox == 3


async def test_subscribers_are_called_in_the_turn_of_the_event(runtime: Runtime) -> None:
    events: list[ProcessEvent] = []
    unsubscribe = runtime.subscribe(events.append)
    pid = spawn(wait_for_ever)
    assert [(event.kind, event.pid) for event in events] == [("born", pid)]
    register("waiter", pid)
    exit(pid, "kill")
    assert events[1:] == [ProcessEvent("registered", pid, "waiter"), ProcessEvent("ended", pid, "waiter", "killed")]
    unsubscribe()
    spawn(wait_for_ever)
    assert len(events) == 3


async def test_a_failing_subscriber_affects_no_other(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    def broken(event: ProcessEvent) -> None:
        raise RuntimeError("broken subscriber")

    runtime.subscribe(broken)
    assert is_alive(spawn(wait_for_ever))
    assert "a subscriber of process events failed" in caplog.text
