"""Links, monitors and exit signals, by OTP's rules."""

from __future__ import annotations

import asyncio
import logging

import pytest

from node_runtime import (
    DOWN,
    EXIT,
    Exit,
    Pid,
    Ref,
    Runtime,
    Stop,
    demonitor,
    exit,
    is_alive,
    link,
    monitor,
    process_info,
    receive,
    self_pid,
    send,
    send_after,
    spawn,
    spawn_link,
    spawn_monitor,
    trap_exit,
    unlink,
    until_ended,
)
from tests.support.in_process import run_in_process
from tests.support.waiting import eventually


async def wait_for_ever() -> None:
    await receive()


async def trap_into(got: list[object], *others: Pid) -> None:
    trap_exit()
    for other in others:
        link(other)
    while (message := await receive()) != EXIT(Pid(0), "shutdown"):
        got.append(message)


async def ends_with(reason: object) -> object:
    raise Stop(reason)


async def linked_pair() -> tuple[Pid, Pid]:
    """Two processes that are linked and wait."""
    other = spawn(wait_for_ever)

    async def links() -> None:
        link(other)
        await receive()

    pid = spawn(links)
    await eventually(lambda: other in _links_of(pid))
    return pid, other


def _links_of(pid: Pid) -> tuple[Pid, ...]:
    return process_info(pid).links


async def test_the_exit_of_a_process_ends_those_linked_to_it(runtime: Runtime) -> None:
    one, other = await linked_pair()
    exit(one, "trouble")
    assert not is_alive(one)
    assert not is_alive(other)


async def test_a_normal_end_does_not_end_those_linked(runtime: Runtime) -> None:
    one, other = await linked_pair()
    send(one, "go on, that is return")
    assert await until_ended(one) == "normal"
    assert is_alive(other)


async def test_an_unlinked_process_lives_on(runtime: Runtime) -> None:
    other = spawn(wait_for_ever)

    async def body() -> None:
        link(other)
        unlink(other)
        raise Exit("trouble")

    with pytest.raises(Exit):
        await run_in_process(body)
    assert is_alive(other)


async def test_a_trapped_exit_is_a_message(runtime: Runtime) -> None:
    got: list[object] = []
    other = spawn(wait_for_ever)
    trapper = spawn(trap_into, got, other)
    await eventually(lambda: other in _links_of(trapper))
    exit(other, "trouble")
    await eventually(lambda: got == [EXIT(other, "trouble")])
    assert is_alive(trapper)


async def test_a_process_that_traps_exits_gets_a_normal_exit_too(runtime: Runtime) -> None:
    async def body() -> object:
        trap_exit()
        pid = spawn_link(ends_with, "normal")
        return await receive(timeout=60) == EXIT(pid, "normal")

    assert await run_in_process(body)


async def test_an_exit_signal_normal_does_nothing_to_another_process(runtime: Runtime) -> None:
    pid = spawn(wait_for_ever)
    exit(pid, "normal")
    assert is_alive(pid)


async def test_kill_cannot_be_trapped_and_arrives_as_killed(runtime: Runtime) -> None:
    got: list[object] = []
    victim = spawn(trap_into, [])
    watcher = spawn(trap_into, got, victim)
    await eventually(lambda: victim in _links_of(watcher))
    exit(victim, "kill")
    await eventually(lambda: got == [EXIT(victim, "killed")])
    assert is_alive(watcher)


async def test_kill_as_the_reason_of_a_linked_process_can_be_trapped(runtime: Runtime) -> None:
    async def body() -> object:
        trap_exit()
        pid = spawn_link(ends_with, "kill")
        return await receive(timeout=60) == EXIT(pid, "kill")

    assert await run_in_process(body)


async def test_linking_to_an_ended_process_is_an_exit_signal_noproc(runtime: Runtime) -> None:
    gone = spawn(wait_for_ever)
    exit(gone, "kill")

    async def trapping() -> object:
        trap_exit()
        link(gone)
        return await receive(timeout=60)

    async def plain() -> None:
        link(gone)
        await receive()

    assert await run_in_process(trapping) == EXIT(gone, "noproc")
    assert await until_ended(spawn(plain)) == "noproc"


async def test_a_crash_is_the_reason_without_its_frames(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    async def crash() -> None:
        raise ValueError("broken")

    reason = await until_ended(spawn(crash))
    assert isinstance(reason, ValueError)
    assert reason.__traceback__ is None


async def test_no_part_of_the_reason_has_its_frames(runtime: Runtime) -> None:
    async def fail(text: str) -> None:
        try:
            raise KeyError(text)
        except KeyError:
            raise ValueError(text) from LookupError()

    async def crash() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail("one"))
            group.create_task(fail("other"))

    reason = await until_ended(spawn(crash))
    assert isinstance(reason, ExceptionGroup)
    parts = [one for error in reason.exceptions for one in (error, error.__cause__, error.__context__)]
    assert [type(part) for part in parts] == [ValueError, LookupError, KeyError] * 2
    assert not [part for part in parts if part is not None and part.__traceback__ is not None]


async def test_an_exit_signal_normal_to_itself_ends_the_process(runtime: Runtime) -> None:
    async def body() -> None:
        exit(self_pid(), "normal")
        await asyncio.Event().wait()

    assert await until_ended(spawn(body)) == "normal"


async def test_a_long_chain_of_links_ends_without_recursion(runtime: Runtime) -> None:
    pids: list[Pid] = []

    async def linked_to(other: Pid | None) -> None:
        if other is not None:
            link(other)
        pids.append(self_pid())
        await receive()

    last: Pid | None = None
    for _ in range(3000):
        last = spawn(linked_to, last)
    await eventually(lambda: len(pids) == 3000)
    exit(pids[0], "trouble")
    assert not any(is_alive(pid) for pid in pids)


async def test_a_monitor_reports_the_exit_once(runtime: Runtime) -> None:
    async def body() -> list[object]:
        pid, ref = spawn_monitor(ends_with, "done")
        return [await receive(timeout=60), DOWN(ref, pid, "done")]

    got, expected = await run_in_process(body)
    assert got == expected


async def test_a_monitor_on_no_process_reports_noproc_at_once(runtime: Runtime) -> None:
    async def body() -> object:
        ref = monitor("nobody")
        message = await receive(timeout=60)
        return message.ref is ref and message.reason == "noproc"

    assert await run_in_process(body)


async def test_a_monitor_does_not_end_the_watcher(runtime: Runtime) -> None:
    async def body() -> object:
        monitor(spawn(ends_with, "trouble"))
        return (await receive(timeout=60)).reason

    assert await run_in_process(body) == "trouble"


async def test_a_removed_monitor_reports_nothing(runtime: Runtime) -> None:
    async def body() -> object:
        pid = spawn(wait_for_ever)
        demonitor(monitor(pid))
        exit(pid, "kill")
        try:
            return await receive(timeout=0.01)
        except TimeoutError:
            return "nothing"

    assert await run_in_process(body) == "nothing"


async def test_every_monitor_of_a_process_gets_a_down_message(runtime: Runtime) -> None:
    async def body() -> set[Ref]:
        pid = spawn(wait_for_ever)
        refs = {monitor(pid), monitor(pid)}
        exit(pid, "kill")
        return refs - {(await receive(timeout=60)).ref, (await receive(timeout=60)).ref}

    assert await run_in_process(body) == set()


async def test_a_normal_exit_has_no_report(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    for reason in ("normal", "shutdown", ("shutdown", "for the night")):
        assert await until_ended(spawn(ends_with, reason)) == reason
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_monitor_that_is_ended_with_flush_leaves_no_message(runtime: Runtime) -> None:
    async def body() -> list[object]:
        other = spawn(receive)
        first, second = monitor(other), monitor(other)
        exit(other, "kill")
        send(self_pid(), "after")
        demonitor(first, flush=True)
        return [await receive(), await receive(), second]

    down, after, second = await run_in_process(body)
    assert isinstance(down, DOWN)
    assert (down.ref, after) == (second, "after")


async def test_a_mailbox_that_is_emptied_by_a_flush_takes_the_next_message(runtime: Runtime) -> None:
    async def body() -> object:
        ref = monitor("nobody")
        demonitor(ref, flush=True)
        send_after(0.001, self_pid(), "next")
        return await receive(1)

    assert await run_in_process(body) == "next"
