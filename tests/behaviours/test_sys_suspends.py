"""A suspend has an owner and a lease. It ends with either, and never with another owner's."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from node_runtime import (
    Down,
    Exit,
    GenServer,
    NoProcess,
    Pid,
    Runtime,
    Vsn,
    call,
    exit,
    gen_server,
    link,
    process_info,
    receive,
    self_pid,
    send,
    spawn,
    sys,
    trap_exit,
    until_ended,
)
from node_runtime.behaviours.upgrade import live_processes
from tests.support.waiting import begun, eventually


class Counter(GenServer[int]):
    def init(self) -> int:
        return 0

    def add(self) -> int:
        self.state += 1
        return self.state

    async def suspend_myself(self) -> None:
        await sys.suspend(self_pid())

    async def wait(self, gate: asyncio.Event) -> None:
        await gate.wait()

    def fail(self) -> None:
        raise ValueError("broken")

    @classmethod
    def code_change(cls, old_vsn: Vsn | Down, state: int, extra: Any) -> int:
        if extra == "fail":
            raise ValueError("can't be converted")
        return state + 100


def suspended(pid: Pid) -> bool:
    return process_info(pid).status == "suspended"


async def suspender(target: Pid, lease: float | None) -> None:
    await sys.suspend(target, lease=lease)
    await receive()


async def test_a_suspend_ends_when_its_owner_dies(runtime: Runtime) -> None:
    pid = await gen_server.start(Counter)
    owner = spawn(suspender, pid, None)
    await eventually(lambda: suspended(pid))
    waiting = asyncio.ensure_future(call(pid, Counter.add))
    await begun(waiting)
    assert not waiting.done()
    exit(owner, "kill")
    assert await waiting == 1


async def test_a_suspend_ends_with_its_lease(runtime: Runtime) -> None:
    pid = await gen_server.start(Counter)
    await sys.suspend(pid, lease=0.01)
    assert await call(pid, Counter.add) == 1
    assert not suspended(pid)


async def test_suspending_again_renews_the_lease(runtime: Runtime) -> None:
    pid = await gen_server.start(Counter)
    await sys.suspend(pid, lease=0.01)
    await sys.suspend(pid, lease=60.0)
    ended = asyncio.Event()
    runtime.call_later(0.03, ended.set)
    await ended.wait()
    assert suspended(pid)
    sys.resume(pid)
    assert not suspended(pid)


async def test_a_second_try_that_gives_up_leaves_the_first_one(runtime: Runtime) -> None:
    pid = await gen_server.start(Counter)
    answer = asyncio.ensure_future(call(pid, Counter.wait, gate := asyncio.Event()))
    await begun(answer)
    first = asyncio.ensure_future(sys.suspend(pid, owner="test"))
    await begun(first)
    with pytest.raises(live_processes.NotHeld):
        await sys.suspend(pid, owner="test", timeout=0.01)
    gate.set()
    await answer
    await first
    assert suspended(pid)
    sys.resume(pid, owner="test")
    assert not suspended(pid)


async def test_each_owner_ends_only_its_own_suspend(runtime: Runtime) -> None:
    pid = await gen_server.start(Counter)
    owner = spawn(suspender, pid, None)
    await eventually(lambda: suspended(pid))
    await sys.suspend(pid, owner="operator")
    await sys.suspend(pid, owner="operator")
    sys.resume(pid)
    assert set((await sys.get_status(pid)).owners) == {owner, "operator"}
    sys.resume(pid, owner="operator")
    assert suspended(pid)
    sys.resume(pid, owner=owner)
    assert not suspended(pid)


async def test_a_suspend_that_could_never_be_resumed_is_refused(runtime: Runtime) -> None:
    pid = await gen_server.start(Counter)
    gone = spawn(receive)
    exit(gone, "kill")
    with pytest.raises(NoProcess):
        await sys.suspend(pid, owner=gone)
    with pytest.raises(ValueError, match="needs a lease"):
        await sys.suspend(pid, lease=None)
    assert not suspended(pid)
    with pytest.raises(Exit, match="could never resume"):
        await call(pid, Counter.suspend_myself)


async def test_nothing_of_a_lease_outlives_the_suspend(runtime: Runtime) -> None:
    from node_runtime.behaviours.upgrade.suspend_leases import leases

    pid, other = await gen_server.start(Counter), await gen_server.start(Counter)
    owner = spawn(receive)
    await sys.suspend(pid, owner=owner)
    await sys.suspend(other, owner=owner)
    sys.resume(pid, owner=owner)
    exit(other, "kill")
    assert not leases().running
    assert not runtime.processes[owner].watchers
    assert not runtime.processes[pid].watchers


async def test_a_suspended_process_handles_exit_signals_of_its_parent_only(runtime: Runtime) -> None:
    seen: list[object] = []

    class Child(Counter):
        def init(self) -> int:
            trap_exit()
            return 0

        def handle_info(self, message: Any) -> None:
            seen.append(message)

        def terminate(self, reason: object) -> None:
            seen.append(reason)

    async def parent() -> None:
        pid = await gen_server.start_link(Child, name="child")
        await sys.suspend(pid, owner="test")
        send(pid, "mail")
        stranger = spawn(receive)
        exit(stranger, "kill")
        await receive()

    pid = spawn(parent)
    await eventually(lambda: runtime.names.get("child") and suspended(runtime.names["child"].pid))
    child = runtime.names["child"].pid
    exit(child, "somebody's")
    assert seen == []
    exit(pid, "shutdown")
    await eventually(lambda: child not in runtime.processes)
    assert seen == ["shutdown"]


async def test_a_suspended_process_that_traps_nothing_dies_of_a_link(runtime: Runtime) -> None:
    pid = await gen_server.start(Counter)

    async def linked() -> None:
        link(pid)
        raise ValueError("broken")

    await sys.suspend(pid)
    spawn(linked)
    assert isinstance(await until_ended(pid), ValueError)


async def test_sys_terminate_ends_a_suspended_process_and_does_not_wait(runtime: Runtime) -> None:
    pid, other = await gen_server.start(Counter), await gen_server.start(Counter)
    await sys.suspend(pid)
    sys.terminate(pid, "enough")
    assert pid not in runtime.processes
    sys.terminate(other)
    assert await until_ended(other) == "normal"


async def test_change_code_takes_a_suspended_process_only(runtime: Runtime) -> None:
    pid = await gen_server.start(Counter)
    with pytest.raises(sys.NotHeld, match="not suspended"):
        sys.change_code(pid, "1")
    await sys.suspend(pid)
    with pytest.raises(ValueError, match="can't be converted"):
        sys.change_code(pid, "1", "fail")
    assert await sys.get_state(pid) == 0
    sys.change_code(pid, "1")
    sys.resume(pid)
    assert await call(pid, Counter.add) == 101


async def test_states_are_replaced_while_suspended(runtime: Runtime) -> None:
    pid = await gen_server.start(Counter)
    await sys.suspend(pid)
    assert await sys.replace_state(pid, lambda state: state + 10) == 10
    with pytest.raises(ZeroDivisionError):
        await sys.replace_state(pid, lambda state: state // 0)
    assert await sys.get_state(pid) == 10
    sys.resume(pid)
    assert await call(pid, Counter.add) == 11
