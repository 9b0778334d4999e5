"""Messages, names and timers."""

from __future__ import annotations

import asyncio
import gc
import math
import weakref
from functools import partial
from typing import Any

import pytest

from node_runtime import (
    NameTaken,
    NoProcess,
    NotInProcess,
    Pid,
    Runtime,
    cancel_timer,
    exit,
    receive,
    register,
    registered,
    self_pid,
    send,
    send_after,
    spawn,
    unregister,
    whereis,
)
from tests.support.in_process import run_in_process
from tests.support.waiting import eventually


async def wait_for_ever() -> None:
    await receive()


async def test_messages_from_one_sender_arrive_in_the_order_they_were_sent(runtime: Runtime) -> None:
    got: list[int] = []

    async def collector() -> None:
        while True:
            got.append(await receive())

    pid = spawn(collector)
    for number in range(500):
        send(pid, number)
    await eventually(lambda: len(got) == 500)
    assert got == list(range(500))


async def test_two_processes_answer_each_other(runtime: Runtime) -> None:
    async def echo() -> None:
        while True:
            sender, message = await receive()
            send(sender, ("echo", message))

    async def ask() -> object:
        send(spawn(echo), (self_pid(), "hello"))
        return await receive(timeout=60)

    assert await run_in_process(ask) == ("echo", "hello")


async def test_receive_gives_up_after_its_timeout(runtime: Runtime) -> None:
    async def body() -> None:
        await receive(timeout=0.01)

    with pytest.raises(TimeoutError):
        await run_in_process(body)


@pytest.mark.parametrize("seconds", [math.nan, "5"])
async def test_receive_waits_for_a_time(runtime: Runtime, seconds: Any) -> None:
    with pytest.raises(ValueError, match=r"(nan|'5') is not a time; pass seconds"):
        await run_in_process(partial(receive, seconds))


async def test_a_reader_that_is_cancelled_loses_no_message(runtime: Runtime) -> None:
    sent = list(range(100))

    async def read() -> list[int]:
        got: list[int] = []
        task = asyncio.current_task()
        assert task is not None
        for number in sent:
            send(self_pid(), number)
        while len(got) < len(sent):
            asyncio.get_running_loop().call_soon(task.cancel)
            try:
                got.append(await receive(5))
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                task.uncancel()
        return got

    assert await asyncio.wait_for(run_in_process(read), 60) == sent


async def test_a_message_to_an_ended_pid_is_dropped_silently(runtime: Runtime) -> None:
    pid = spawn(wait_for_ever)
    exit(pid, "kill")
    send(pid, "anybody there?")


async def test_a_message_to_an_unknown_name_is_an_error(runtime: Runtime) -> None:
    with pytest.raises(NoProcess, match="no process is registered as 'nobody'"):
        send("nobody", "hello")


async def test_a_name_belongs_to_its_process_until_that_exits(runtime: Runtime) -> None:
    pid = spawn(wait_for_ever)
    register("waiter", pid)
    assert whereis("waiter") == pid
    assert registered() == ["waiter"]
    exit(pid, "kill")
    assert whereis("waiter") is None
    assert registered() == []


async def test_a_name_belongs_to_one_process(runtime: Runtime) -> None:
    first, second = spawn(wait_for_ever), spawn(wait_for_ever)
    register("waiter", first)
    with pytest.raises(NameTaken) as taken:
        register("waiter", second)
    assert taken.value.pid == first


async def test_a_process_has_one_name(runtime: Runtime) -> None:
    pid = spawn(wait_for_ever)
    register("one", pid)
    with pytest.raises(ValueError, match="has a name already"):
        register("two", pid)


async def test_an_unregistered_name_is_free_again(runtime: Runtime) -> None:
    first, second = spawn(wait_for_ever), spawn(wait_for_ever)
    register("waiter", first)
    unregister("waiter")
    register("waiter", second)
    assert whereis("waiter") == second


async def test_a_message_can_be_sent_later(runtime: Runtime) -> None:
    async def body() -> object:
        send_after(0.01, self_pid(), "later")
        return await receive(timeout=60)

    assert await run_in_process(body) == "later"


async def test_a_cancelled_timer_sends_nothing_and_returns_the_time_left(runtime: Runtime) -> None:
    async def body() -> tuple[float | None, float | None]:
        timer = send_after(60, self_pid(), "never")
        left, again = cancel_timer(timer), cancel_timer(timer)
        with pytest.raises(TimeoutError):
            await receive(timeout=0.01)
        return left, again

    left, again = await run_in_process(body)
    assert left is not None
    assert 59 < left <= 60
    assert again is None


async def test_the_end_of_its_receiver_cancels_a_timer(runtime: Runtime) -> None:
    class Message:
        pass

    message = Message()
    sent = weakref.ref(message)
    pid = spawn(wait_for_ever)
    timer = send_after(3600, pid, message)
    del message
    exit(pid, "kill")
    assert cancel_timer(timer) is None
    assert cancel_timer(send_after(3600, pid, "nobody is there")) is None
    await eventually(lambda: gc.collect() >= 0 and sent() is None)


async def test_a_timer_to_a_name_looks_it_up_when_it_fires(runtime: Runtime) -> None:
    got: list[object] = []

    async def late() -> None:
        got.append(await receive())

    send_after(0.01, "latecomer", "hello")
    register("latecomer", spawn(late))
    await eventually(lambda: got == ["hello"])


async def test_functions_that_act_for_a_process_need_one(runtime: Runtime) -> None:
    with pytest.raises(NotInProcess, match="self_pid"):
        self_pid()
    with pytest.raises(NotInProcess, match="receive"):
        await receive()


async def test_a_pid_is_its_number_and_reads_like_erlangs() -> None:
    pid = Pid(12)
    assert str(pid) == repr(pid) == f"{pid}" == "<12>"
    assert pid == Pid(12)
    assert hash(pid) == hash(12)


async def test_a_process_that_always_has_mail_does_not_starve_the_loop(runtime: Runtime) -> None:
    turns = 0

    async def busy() -> None:
        nonlocal turns
        me = self_pid()
        send(me, "again")
        while True:
            send(me, await receive())
            turns += 1

    spawn(busy)
    await eventually(lambda: turns > 5_000, what="turns of both", pause=0)


async def test_one_runtime_runs_at_a_time(runtime: Runtime) -> None:
    with pytest.raises(RuntimeError, match="running already"):
        await Runtime().start()


async def test_stopping_the_runtime_ends_every_process() -> None:
    ended: list[str] = []

    async def tidy() -> None:
        try:
            await receive()
        finally:
            ended.append("tidy")

    async with Runtime() as own:
        spawn(tidy)
        await eventually(lambda: all(process.status == "idle" for process in own.processes.values()))
    assert ended == ["tidy"]
    assert not own.processes
    assert not own.zombies
