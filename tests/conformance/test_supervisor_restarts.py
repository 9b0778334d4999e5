"""supervisor_SUITE: restarts that fail, hang, or exceed the intensity."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from node_runtime import ChildSpec, Pid, Runtime, Supervisor, is_alive, supervisor, until_ended, whereis
from node_runtime import exit as send_exit
from node_runtime.supervisor import BackOff
from tests.support.subclasses import subclass
from tests.support.supervised import (
    AllSup,
    RestSup,
    SimpleSup,
    Sup,
    child,
    clean,
    end,
    ended,
    faults,
    gates,
    ignoring,
    instances,
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
from tests.support.waiting import begun, eventually, passed

__all__ = ["clean"]


class Patient(Sup):
    intensity = 1_000_000


class PatientRest(Patient):
    strategy = "rest_for_one"


class PatientAll(Patient):
    strategy = "one_for_all"


class PatientSimple(Patient):
    strategy = "simple_one_for_one"


# ------------------------------------------------------------------ 43: restarts that fail


@pytest.mark.parametrize("cls", [Patient, PatientRest, PatientAll])
async def test_hanging_restart_loop(runtime: Runtime, cls: type[Patient]) -> None:
    """supervisor_SUITE:hanging_restart_loop, hanging_restart_loop_rest_for_one. It answers between two attempts."""
    await start_sup(cls, child("a"), child("b"))
    faults["a"] = 1_000_000
    end("a")
    await eventually(lambda: statuses()["a"] == "restarting")
    assert await refused(supervisor.start_child("sup", child("a"))) == "already_present"
    assert await refused(supervisor.restart_child("sup", "a")) == "restarting"
    assert await refused(supervisor.delete_child("sup", "a")) == "restarting"
    assert supervisor.count_children("sup").active == (1 if cls is Patient else 0)

    await supervisor.terminate_child("sup", "a")
    faults.clear()
    await settled()
    log.clear()
    assert statuses()["a"] == "undefined"
    assert await supervisor.restart_child("sup", "a") == whereis("a")
    assert log == [("start", "a")]


async def test_hanging_restart_loop_simple(runtime: Runtime) -> None:
    """supervisor_SUITE:hanging_restart_loop_simple. An instance that is being restarted goes by the pid that it had."""
    await start_sup(PatientSimple, instances())
    first = await supervisor.start_child("sup", [1])
    second = await supervisor.start_child("sup", [2])
    assert first is not None
    faults["1"] = 1_000_000
    end(first)
    await eventually(lambda: [one.status for one in supervisor.which_children("sup")].count("restarting"))
    assert await refused(supervisor.restart_child("sup", "instance")) == "simple_one_for_one"
    assert pids() == [second]
    await supervisor.terminate_child("sup", first)
    await settled()
    assert [one.pid for one in supervisor.which_children("sup")] == [second]


async def test_an_instance_is_restarted_with_its_own_arguments(runtime: Runtime) -> None:
    """supervisor_SUITE:simple_one_for_one, simple_one_for_one_extra."""
    await start_sup(SimpleSup, instances("base"))
    first = await supervisor.start_child("sup", [1])
    second = await supervisor.start_child("sup", [2])
    assert first is not None
    await ended(first)
    assert second in pids()
    assert first not in pids()
    assert sorted(state(pid) for pid in pids()) == ["base 1", "base 2"]


async def test_a_restart_loop_does_not_block_the_shutdown(runtime: Runtime) -> None:
    """supervisor_SUITE:hanging_restart_loop. The parent's order gets its turn, too."""
    for cls in (Patient, PatientAll, PatientRest):
        pid = await start_sup(cls, child("a"), child("b"))
        faults["a"] = 1_000_000
        end("a")
        await eventually(lambda: statuses()["a"] == "restarting")
        send_exit(pid, "shutdown")
        assert await until_ended(pid) == "shutdown"
        faults.clear()
        assert not runtime.processes


async def test_requests_during_a_hanging_start_are_answered_after_it(runtime: Runtime) -> None:
    """supervisor_SUITE:hanging_restart_loop. The attempt that is under way ends first, as in OTP."""
    await start_sup(Patient, child("a"))
    gates["a"] = asyncio.Event()
    faults["a"] = 1_000_000
    end("a")
    await until_ended("a")
    asked = asyncio.ensure_future(supervisor.terminate_child("sup", "a"))
    await begun(asked)
    assert not asked.done()
    gates["a"].set()
    await asked
    assert statuses() == {"a": "undefined"}


# ------------------------------------------------------------------ 44: a sibling's restart that fails


async def test_one_for_all_other_child_fails_restart(runtime: Runtime) -> None:
    """supervisor_SUITE:one_for_all_other_child_fails_restart. Those that run again are stopped for the next attempt."""
    await start_sup(AllSup, child("a"), child("b"))
    log.clear()
    faults["b"] = 1
    await ended("a")
    await eventually(lambda: statuses() == {"a": "running", "b": "running"})
    assert log == [
        ("stop", "a"), ("stop", "b"), ("start", "a"), ("fail", "b"), ("stop", "a"), ("start", "a"), ("start", "b"),
    ]  # fmt: skip


async def test_rest_for_one_other_child_fails_restart(runtime: Runtime) -> None:
    """supervisor_SUITE:rest_for_one_other_child_fails_restart. The next attempt begins at the child that failed."""
    await start_sup(RestSup, child("a"), child("b"), child("c"))
    log.clear()
    faults["b"] = 1
    await ended("a")
    await eventually(lambda: statuses()["c"] == "running")
    assert log == [
        ("stop", "a"), ("stop", "c"), ("stop", "b"), ("start", "a"), ("fail", "b"), ("start", "b"), ("start", "c"),
    ]  # fmt: skip


async def test_one_for_all_starts_what_was_terminated_too(runtime: Runtime) -> None:
    """Observed in OTP: a restart of all starts a terminated child, too."""
    await start_sup(AllSup, child("a"), child("b"))
    await supervisor.terminate_child("sup", "b")
    await ended("a")
    assert statuses() == {"a": "running", "b": "running"}


async def test_a_restart_that_ignores_leaves_the_child_without_a_process(runtime: Runtime) -> None:
    """supervisor_SUITE:sup_start_ignore_child. So it is when a restart says Ignore."""
    await start_sup(Sup, child("a"), child("b", restart="transient"))
    ignoring.update("ab")
    await ended("a")
    await ended("b")
    assert statuses() == {"a": "undefined", "b": "undefined"}


# ------------------------------------------------------------------ 49: too many restarts


async def test_multiple_restarts(runtime: Runtime) -> None:
    """supervisor_SUITE:multiple_restarts. Crashes with time between them are never too many."""

    class Quick(Sup):
        intensity = 1
        period = 0.01

    pid = await start_sup(Quick, child("a"), child("b"))
    for _ in range(4):
        await ended("a")
        later = runtime.loop.time() + 0.02
        await eventually(partial(passed, runtime, later))
    assert is_alive(pid)


async def test_multiple_restarts_in_a_burst(runtime: Runtime) -> None:
    """supervisor_SUITE:multiple_restarts. Crashes of different children count together, and take all down."""

    class Slow(Sup):
        intensity = 2
        period = 3600.0

    pid = await start_sup(Slow, child("a"), child("b"), child("c"))
    await ended("a")
    await ended("b")
    assert is_alive(pid)
    end("a")
    assert await until_ended(pid) == "shutdown"
    assert not runtime.names


@pytest.mark.parametrize("cls", [Sup, AllSup, RestSup])
async def test_escalation(runtime: Runtime, cls: type[Sup]) -> None:
    """supervisor_SUITE:one_for_one_escalation, one_for_all_escalation, rest_for_one_escalation."""
    strict = subclass("Strict", cls, intensity=0, __module__=__name__)
    pid = await start_sup(strict, child("a"), child("b", restart="temporary"))
    end("a")
    assert await until_ended(pid) == "shutdown"
    assert (whereis("a"), whereis("b")) == (None, None)


async def test_simple_one_for_one_escalation(runtime: Runtime) -> None:
    """supervisor_SUITE:simple_one_for_one_escalation."""
    strict = subclass("Strict", SimpleSup, intensity=0, __module__=__name__)
    pid = await start_sup(strict, instances())
    first = await supervisor.start_child("sup", [1])
    await supervisor.start_child("sup", [2])
    assert first is not None
    end(first)
    assert await until_ended(pid) == "shutdown"
    assert not runtime.processes


async def test_the_restart_of_a_group_counts_once(runtime: Runtime) -> None:
    """Observed in OTP: intensity 1 allows a restart of all children together."""
    once = subclass("Once", AllSup, intensity=1, __module__=__name__)
    pid = await start_sup(once, *(child(name) for name in "abcd"))
    await ended("b")
    assert is_alive(pid)
    assert logged("start") == list("abcdabcd")


# ------------------------------------------------------------------ ours: waiting between restarts


class BackingOff(Patient):
    back_off = BackOff(first=30.0, most=3600.0)


class BackingOffAll(BackingOff):
    strategy = "one_for_all"


def test_each_restart_waits_twice_as_long_as_the_one_before() -> None:
    back_off = BackOff(first=0.5, most=3.0)
    assert [back_off.seconds(failures) for failures in (1, 2, 3, 4, 5, 1000)] == [0.0, 0.5, 1.0, 2.0, 3.0, 3.0]
    with pytest.raises(ValueError, match="back_off is 0 to 30 s"):
        BackOff(first=0)


async def test_the_first_restart_is_made_at_once_and_the_next_one_waits(runtime: Runtime) -> None:
    await start_sup(BackingOff, child("a"), child("b"))
    await ended("a")
    assert statuses()["a"] == "running"
    await ended("a")
    assert statuses() == {"a": "restarting", "b": "running"}
    assert await refused(supervisor.restart_child("sup", "a")) == "restarting"


async def test_a_wait_ends_with_a_terminate_and_with_the_supervisor(runtime: Runtime) -> None:
    pid = await start_sup(BackingOff, child("a"), child("b"))
    for name in "ab":
        await ended(name)
        await ended(name)
    await supervisor.terminate_child("sup", "a")
    assert await supervisor.restart_child("sup", "a") == whereis("a")
    send_exit(pid, "shutdown")
    assert await until_ended(pid) == "shutdown"


async def test_siblings_do_not_run_while_one_for_all_waits(runtime: Runtime) -> None:
    await start_sup(BackingOffAll, child("a"), child("b"))
    await ended("a")
    await ended("a")
    assert statuses() == {"a": "restarting", "b": "undefined"}


async def test_a_wait_that_is_over_restarts(runtime: Runtime) -> None:
    class Short(Patient):
        back_off = BackOff(first=0.001, most=0.002)

    await start_sup(Short, child("a"))
    faults["a"] = 4
    end("a")
    await eventually(lambda: faults["a"] == 0 and whereis("a"))
    assert supervisor.which_children("sup")[0].restarts == 5


async def test_an_instance_that_waits_is_found_by_the_pid_it_had(runtime: Runtime) -> None:
    class Waiting(BackingOff):
        strategy = "simple_one_for_one"

    await start_sup(Waiting, instances())
    first = await supervisor.start_child("sup", [1])
    assert first is not None
    await ended(first)
    (second,) = pids()
    await ended(second)
    (waiting,) = supervisor.which_children("sup")
    assert (waiting.pid, waiting.status) == (None, "restarting")
    await supervisor.terminate_child("sup", second)
    assert supervisor.which_children("sup") == []


# ------------------------------------------------------------------ a supervisor below a supervisor


class Outer(Supervisor):
    intensity = 3

    def children(self) -> list[ChildSpec]:
        return [ChildSpec("inner", f"{__name__}:start_inner", type="supervisor")]


def restarted(before: Pid) -> bool:
    """Returns whether a new supervisor and its child are registered."""
    return whereis("sup") not in (None, before) and whereis("a") is not None


async def start_inner() -> Pid:
    return await start_sup(subclass("Inner", Sup, intensity=0, __module__=__name__), child("a"))


async def test_a_supervisor_that_gave_up_is_restarted_by_its_own_supervisor(runtime: Runtime) -> None:
    """supervisor_SUITE:one_for_one_escalation, one level up. Then that one gives up, too."""
    outer = await supervisor.start_link(Outer, name="outer")
    for _ in range(3):
        inner = whereis("sup")
        assert inner is not None
        end("a")
        await until_ended(inner)
        await eventually(partial(restarted, inner))
    end("a")
    assert await until_ended(outer) == "shutdown"
    assert not runtime.names


async def test_names_of_children_are_free_when_a_restart_begins(runtime: Runtime) -> None:
    """A killed child's name is free at once, even while one of its frames runs."""
    await start_sup(Sup, child("a", shutdown="brutal_kill"))
    before = whereis("a")
    send_exit("a", "kill")
    await eventually(lambda: whereis("a") not in (None, before))
    assert names() == ["a"]
