"""supervisor_SUITE: children, how they start and end, and the functions that manage them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from node_runtime import (
    ChildSpec,
    Exit,
    Ignore,
    Pid,
    Runtime,
    gen_server,
    is_alive,
    self_pid,
    spawn_link,
    supervisor,
    trap_exit,
    unlink,
    until_ended,
    whereis,
)
from node_runtime import exit as send_exit
from node_runtime.behaviours.supervision.management import table_of
from node_runtime.processes import receive
from node_runtime.supervisor import ChildRefused, Counts, Supervisor
from tests.support.supervised import (
    AllSup,
    RestSup,
    SimpleSup,
    Sup,
    Worker,
    child,
    clean,
    end,
    ended,
    faults,
    ignoring,
    instances,
    kill,
    log,
    logged,
    names,
    pids,
    refused,
    settled,
    start_sup,
    state,
    statuses,
)
from tests.support.waiting import eventually

__all__ = ["clean"]


# ------------------------------------------------------------------ 38: the table of results


async def test_child_adm(runtime: Runtime) -> None:
    """supervisor_SUITE:child_adm. Each call, in each condition of the child."""
    await start_sup(Sup, child("child1"))
    first = whereis("child1")
    assert (names(), pids()) == (["child1"], [first])
    assert supervisor.count_children("sup") == Counts(specs=1, active=1, supervisors=0, workers=1)
    with pytest.raises(ChildRefused) as refusal:
        await supervisor.start_child("sup", child("child1"))
    assert (refusal.value.reason, refusal.value.pid) == ("already_started", first)
    assert await refused(supervisor.restart_child("sup", "child1")) == "running"
    assert await refused(supervisor.delete_child("sup", "child1")) == "running"

    await supervisor.terminate_child("sup", "child1")
    await supervisor.terminate_child("sup", "child1")
    assert (whereis("child1"), statuses()) == (None, {"child1": "undefined"})
    assert supervisor.count_children("sup") == Counts(specs=1, active=0, supervisors=0, workers=1)
    assert await refused(supervisor.start_child("sup", child("child1"))) == "already_present"

    again = await supervisor.restart_child("sup", "child1")
    assert again == whereis("child1") != first
    await supervisor.terminate_child("sup", "child1")
    await supervisor.delete_child("sup", "child1")
    assert names() == []
    for asked in (supervisor.delete_child, supervisor.restart_child, supervisor.terminate_child):
        assert await refused(asked("sup", "child1")) == "not_found"
    with pytest.raises(ChildRefused) as refusal:
        supervisor.get_childspec("sup", "child1")
    assert refusal.value.reason == "not_found"

    faults["child2"] = 1
    with pytest.raises(ChildRefused, match="child2 does not start") as refusal:
        await supervisor.start_child("sup", child("child2"))
    assert refusal.value.reason == "start_failed"
    assert isinstance(refusal.value.failure, ValueError)
    assert names() == []
    assert await supervisor.start_child("sup", child("child2")) == whereis("child2")
    assert supervisor.get_childspec("sup", "child2") == child("child2")


async def test_child_adm_simple(runtime: Runtime) -> None:
    """supervisor_SUITE:child_adm_simple. Instances are named by pid; what needs an id is refused."""
    await start_sup(SimpleSup, instances("base"))
    assert supervisor.count_children("sup") == Counts(specs=1, active=0, supervisors=0, workers=0)
    first = await supervisor.start_child("sup", [1])
    second = await supervisor.start_child("sup", (2, 3))
    assert first is not None
    assert second is not None
    assert [state(first), state(second)] == ["base 1", "base 2 3"]
    assert pids() == [first, second]
    assert supervisor.count_children("sup") == Counts(specs=1, active=2, supervisors=0, workers=2)
    assert supervisor.get_childspec("sup", first) == instances("base")
    assert await refused(supervisor.start_child("sup", child("other"))) == "bad_spec"
    for asked in (supervisor.delete_child, supervisor.restart_child, supervisor.terminate_child):
        assert await refused(asked("sup", "instance")) == "simple_one_for_one"

    await supervisor.terminate_child("sup", first)
    assert (is_alive(first), pids()) == (False, [second])
    await supervisor.terminate_child("sup", first)
    foreign = await gen_server.start(Worker, "foreign")
    assert await refused(supervisor.terminate_child("sup", foreign)) == "not_found"
    assert is_alive(foreign)
    faults["base 4"] = 1
    assert await refused(supervisor.start_child("sup", [4])) == "start_failed"
    assert pids() == [second]


async def test_extra_return(runtime: Runtime) -> None:
    """supervisor_SUITE:extra_return. Not so here: a start function returns a pid and nothing else."""
    with pytest.raises(Exit, match="a start function must return the pid of its process"):
        await start_sup(Sup, ChildSpec("extra", f"{__name__}:start_with_info"))
    await eventually(lambda: not runtime.processes)


async def start_with_info() -> Any:
    return await gen_server.start_link(Worker, "extra"), "extra"


async def test_which_children_is_in_start_order_and_sends_no_message(runtime: Runtime) -> None:
    """Unlike OTP, where the order is reversed and a busy supervisor does not reply."""
    await start_sup(Sup, child("a"), child("b"))
    assert names() == ["a", "b"]


# ------------------------------------------------------------------ 45: temporary children


async def test_temporary_bystander(runtime: Runtime) -> None:
    """supervisor_SUITE:temporary_bystander. A temporary sibling that is stopped for a restart doesn't come back."""
    for cls in (AllSup, RestSup):
        pid = await start_sup(cls, child("a"), child("b", restart="temporary"))
        await ended("a")
        assert (names(), whereis("b")) == (["a"], None)
        send_exit(pid, "shutdown")
        await until_ended(pid)


@pytest.mark.parametrize("cls", [Sup, AllSup, RestSup])
async def test_do_not_save_child_specs_for_temporary_children(runtime: Runtime, cls: type[Sup]) -> None:
    """supervisor_SUITE:do_not_save_child_specs_for_temporary_children. In whatever way the child ends."""
    await start_sup(cls)
    for reason in ("normal", "trouble", "kill"):
        pid = await supervisor.start_child("sup", child("child", restart="temporary"))
        assert pid is not None
        if reason == "kill":
            kill(pid)
            await settled()
        else:
            await ended("child", reason)
        assert names() == []
    await supervisor.start_child("sup", child("child", restart="temporary"))
    await supervisor.terminate_child("sup", "child")
    assert names() == []


@pytest.mark.parametrize("cls", [Sup, AllSup, RestSup])
async def test_do_not_save_start_parameters_for_temporary_children(runtime: Runtime, cls: type[Sup]) -> None:
    """supervisor_SUITE:do_not_save_start_parameters_for_temporary_children."""
    await start_sup(cls, child("a", restart="temporary"), child("b", restart="transient"))
    assert supervisor.get_childspec("sup", "a").args == ()
    assert supervisor.get_childspec("sup", "b").args == ("b",)


async def test_do_not_save_start_parameters_for_temporary_children_simple_one_for_one(runtime: Runtime) -> None:
    """supervisor_SUITE:do_not_save_start_parameters_for_temporary_children_simple_one_for_one."""
    await start_sup(SimpleSup, instances("base", restart="temporary"))
    big = ["big"] * 10
    pid = await supervisor.start_child("sup", [big])
    assert pid is not None
    assert supervisor.get_childspec("sup", pid).args == ("base",)
    assert [one.args for one in table_of("sup").by_pid.values()] == [()]
    await ended(pid)
    assert pids() == []


# ------------------------------------------------------------------ 46: stopping


async def test_sup_stop_race(runtime: Runtime) -> None:
    """supervisor_SUITE:sup_stop_race. Children end by themselves in the very moment in which they are stopped."""
    for reason in ("trouble", "normal", "kill"):
        pid = await start_sup(Sup, child("a"), child("b"), child("c", restart="temporary"))
        for name in "abc":
            if reason == "kill":
                send_exit(name, "kill")
            else:
                end(name, reason)
        send_exit(pid, "shutdown")
        assert await until_ended(pid) == "shutdown"
        assert not runtime.processes


async def test_sup_stop_non_shutdown_exit_dynamic(runtime: Runtime) -> None:
    """supervisor_SUITE:sup_stop_non_shutdown_exit_dynamic. One that ends oddly doesn't hang."""

    class OddSup(Sup):
        strategy = "simple_one_for_one"

        def children(self) -> list[ChildSpec]:
            return [ChildSpec("odd", f"{__name__}:start_odd")]

    pid = await start_sup(OddSup)
    for _ in range(3):
        await supervisor.start_child("sup", [])
    send_exit(pid, "shutdown")
    assert await until_ended(pid) == "shutdown"
    assert not runtime.processes


class Odd(Worker):
    def terminate(self, reason: object) -> None:
        raise RuntimeError("odd to the end")


async def start_odd() -> Pid:
    return await gen_server.start_link(Odd, "odd")


async def test_child_unlink(runtime: Runtime) -> None:
    """supervisor_SUITE:child_unlink. A child that has unlinked itself is still stopped, and waited for."""
    pid = await start_sup(Sup, ChildSpec("parting", f"{__name__}:start_parting"))
    (child_pid,) = pids()
    await eventually(lambda: pid not in [linked.pid for linked in runtime.processes[child_pid].linked()])
    await supervisor.terminate_child("sup", "parting")
    assert not is_alive(child_pid)


async def part(parent: Pid) -> None:
    trap_exit()
    unlink(parent)
    await receive()


def start_parting() -> Pid:
    return spawn_link(part, self_pid())


async def test_simple_one_for_one_shutdown(runtime: Runtime) -> None:
    """supervisor_SUITE:simple_one_for_one_shutdown. All instances get the exit signal at once and share one timeout."""
    pid = await start_sup(SimpleSup, ChildSpec("slow", f"{__name__}:start_slow", shutdown=0.2))
    for _ in range(3):
        await supervisor.start_child("sup", [])
    children = pids()
    send_exit(pid, "shutdown")
    await eventually(lambda: logged("told") == ["slow"] * 3)
    assert all(is_alive(one) for one in children)
    assert await until_ended(pid) == "shutdown"
    assert not runtime.processes


class Slow(Worker):
    async def terminate(self, reason: object) -> None:  # type: ignore[override]  # OTP's callbacks may be either
        log.append(("told", self.state))
        await asyncio.Event().wait()


async def start_slow() -> Pid:
    return await gen_server.start_link(Slow, "slow")


# ------------------------------------------------------------------ 47: order


async def test_order_of_children(runtime: Runtime) -> None:
    """supervisor_SUITE:order_of_children. Stops are in reverse order and starts in order, for any crashed child."""
    pid = await start_sup(RestSup, *(child(name) for name in "abcde"))
    assert logged("start") == list("abcde")
    log.clear()
    await ended("c")
    assert log == [("stop", "c"), ("stop", "e"), ("stop", "d"), ("start", "c"), ("start", "d"), ("start", "e")]
    log.clear()
    send_exit(pid, "shutdown")
    await until_ended(pid)
    assert logged("stop") == list("edcba")


# ------------------------------------------------------------------ 48 and 50: counting, and nothing to do


async def test_count_restarting_children(runtime: Runtime) -> None:
    """supervisor_SUITE:count_restarting_children. One that is being restarted is a worker and isn't active."""
    await start_sup(SimpleSup, instances("x"))
    for _ in range(2):
        await supervisor.start_child("sup", [])
    faults["x"] = 3
    (first, _) = pids()
    seen: list[Counts] = []
    end(first)
    await until_ended(first)
    while faults["x"]:
        seen.append(supervisor.count_children("sup"))
        await asyncio.sleep(0)
    assert {counts.workers for counts in seen} == {2}
    assert {counts.active for counts in seen} == {1}
    await eventually(lambda: supervisor.count_children("sup").active == 2)
    assert supervisor.count_children("sup") == Counts(specs=1, active=2, supervisors=0, workers=2)


async def test_simple_one_for_one_restart_ignore(runtime: Runtime) -> None:
    """supervisor_SUITE:simple_one_for_one_restart_ignore. An instance whose restart has nothing to do is forgotten."""
    await start_sup(SimpleSup, instances("x"))
    pid = await supervisor.start_child("sup", [])
    assert pid is not None
    ignoring.add("x")
    await ended(pid)
    assert supervisor.which_children("sup") == []


async def test_sup_start_ignore_init(runtime: Runtime) -> None:
    """supervisor_SUITE:sup_start_ignore_init. The starter gets the result, and nothing remains."""

    class Idle(Supervisor):
        def children(self) -> list[ChildSpec]:
            raise Ignore

    with pytest.raises(Ignore):
        await supervisor.start_link(Idle)
    assert not runtime.processes


async def test_sup_start_ignore_child(runtime: Runtime) -> None:
    """supervisor_SUITE:sup_start_ignore_child, sup_start_ignore_permanent_child_start_child."""
    ignoring.update("ab")
    await start_sup(Sup, child("a"), child("c"))
    assert await supervisor.start_child("sup", child("b")) is None
    assert statuses() == {"a": "undefined", "c": "running", "b": "undefined"}
    ignoring.clear()
    assert await supervisor.restart_child("sup", "a") == whereis("a")


async def test_sup_start_ignore_temporary_child(runtime: Runtime) -> None:
    """supervisor_SUITE:sup_start_ignore_temporary_child, _start_child, _start_child_simple."""
    ignoring.update(("a", "b", "x"))
    pid = await start_sup(Sup, child("a", restart="temporary"), child("c"))
    assert await supervisor.start_child("sup", child("b", restart="temporary")) is None
    assert names() == ["c"]
    send_exit(pid, "shutdown")
    await until_ended(pid)
    for restart in ("temporary", "permanent"):
        pid = await start_sup(SimpleSup, instances("x", restart=restart))
        assert await supervisor.start_child("sup", []) is None
        assert supervisor.which_children("sup") == []
        send_exit(pid, "shutdown")
        await until_ended(pid)


async def test_already_started_outside_supervisor(runtime: Runtime) -> None:
    """supervisor_SUITE:already_started_outside_supervisor. The name that the child wants belongs to another process."""
    outside = await gen_server.start(Worker, "a", name="a")
    await start_sup(Sup)
    with pytest.raises(ChildRefused, match="outside of this supervisor") as refusal:
        await supervisor.start_child("sup", child("a"))
    assert (refusal.value.reason, refusal.value.pid) == ("already_started", outside)
    assert names() == []
