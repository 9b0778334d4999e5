"""supervisor_SUITE: a running supervisor takes the flags and child specifications of a new version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from node_runtime import ChildSpec, Ignore, Runtime, Supervisor, is_alive, supervisor, until_ended, whereis
from node_runtime import exit as send_exit
from node_runtime.behaviours.upgrade import live_processes
from node_runtime.supervisor import BackOff, Flags
from tests.support.supervised import (
    child,
    clean,
    end,
    ended,
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
    upgraded,
)
from tests.support.waiting import eventually

__all__ = ["clean"]

told: list[Any] = []
"""The current result of the class's `children()`."""


class Changing(Supervisor):
    """A supervisor class whose versions change."""

    intensity = 5

    def children(self) -> Any:
        if told == ["ignore"]:
            raise Ignore
        return told[0] if told and isinstance(told[0], list) else list(told)


@pytest.fixture(autouse=True)
def _first_version(monkeypatch: pytest.MonkeyPatch) -> None:
    told.clear()
    for flag in ("strategy", "intensity", "period", "auto_shutdown", "back_off"):
        monkeypatch.setattr(Changing, flag, getattr(Changing, flag))


def version(*specs: Any, **flags: Any) -> Callable[[], None]:
    """Set the class's flags and children."""

    def change() -> None:
        told[:] = specs
        for flag, value in flags.items():
            setattr(Changing, flag, value)

    return change


async def begin(*specs: Any, **flags: Any) -> None:
    version(*specs, **flags)()
    await start_sup(Changing)


# ------------------------------------------------------------------ 39


async def test_code_change_flags(runtime: Runtime) -> None:
    """supervisor_SUITE:code_change. New flags apply at once, without effect on children."""
    await begin(child("a"))
    before = whereis("a")
    back_off = BackOff()
    await upgraded(version(
        child("a"), strategy="one_for_all", intensity=7, period=9.0, auto_shutdown="all_significant", back_off=back_off
    ))  # fmt: skip
    assert supervisor.flags("sup") == Flags("one_for_all", 7, 9.0, "all_significant", back_off)
    assert whereis("a") == before


async def test_code_change_children(runtime: Runtime) -> None:
    """supervisor_SUITE:code_change. Added ones aren't started, replaced ones go on, removed ones stay, at the end."""
    await begin(child("a"), child("b"), child("gone"))
    before = {name: whereis(name) for name in ("a", "b", "gone")}
    changes = await upgraded(version(child("new"), child("b", restart="transient", shutdown=1.0), child("a")))
    assert changes == live_processes.ChildSpecChanges(added=("new",), replaced=("b",), kept=("gone",))
    assert statuses() == {"new": "undefined", "b": "running", "a": "running", "gone": "running"}
    assert names() == ["new", "b", "a", "gone"]
    assert {name: whereis(name) for name in before} == before
    assert supervisor.get_childspec("sup", "b").shutdown == 1.0
    assert await supervisor.restart_child("sup", "new") == whereis("new")
    await ended("gone")
    assert whereis("gone") not in (None, before["gone"])
    await ended("b", "normal")
    assert statuses()["b"] == "undefined"
    await supervisor.terminate_child("sup", "gone")
    await supervisor.delete_child("sup", "gone")
    assert names() == ["new", "b", "a"]


async def test_code_change_start_function(runtime: Runtime) -> None:
    """supervisor_SUITE:code_change. A new start function is used at the next start."""
    await begin(child("a"))
    await upgraded(version(ChildSpec("a", "tests.support.supervised:start", ("renamed",))))
    assert (whereis("renamed"), whereis("a") is not None) == (None, True)
    await ended("a")
    assert (whereis("renamed") is not None, whereis("a")) == (True, None)


async def test_code_change_order(runtime: Runtime) -> None:
    """supervisor_SUITE:code_change. The new order is the order of the next shutdown."""
    await begin(child("a"), child("b"), child("kept"))
    await upgraded(version(child("b"), child("a")))
    log.clear()
    send_exit("sup", "shutdown")
    await until_ended("sup")
    assert logged("stop") == ["kept", "a", "b"]


async def test_code_change_keeps_the_history_of_restarts(runtime: Runtime) -> None:
    """Observed in OTP: a lower intensity applies from the next crash on."""
    await begin(child("a"), intensity=3, period=3600.0)
    await ended("a")
    await ended("a")
    await upgraded(version(child("a"), intensity=1))
    pid = whereis("sup")
    assert pid is not None
    end("a")
    assert await until_ended(pid) == "shutdown"


async def test_code_change_ignore(runtime: Runtime) -> None:
    """supervisor_SUITE:code_change. Nothing changes."""
    await begin(child("a"))
    table = live_processes.raw_state("sup")
    assert await upgraded(version("ignore", strategy="one_for_all")) == live_processes.ChildSpecChanges()
    assert live_processes.raw_state("sup") is table
    assert (statuses(), supervisor.flags("sup").strategy) == ({"a": "running"}, "one_for_one")


@pytest.mark.parametrize(
    ("specs", "flags", "sentence"),
    [
        (["nothing"], {}, "'nothing' is not a child specification"),
        ([[child("a"), child("a")]], {}, "two children have the id 'a'"),
        ([child("a")], {"strategy": "faulty"}, "strategy is 'faulty'"),
        ([child("a")], {"intensity": "faulty"}, "intensity is 'faulty'"),
        ([child("a")], {"period": -1}, "period is -1"),
        ([child("a")], {"auto_shutdown": "faulty"}, "auto_shutdown is 'faulty'"),
        ([child("a", restart="transient", significant=True)], {}, "significant, but auto_shutdown is 'never'"),
    ],
)
async def test_code_change_faulty(runtime: Runtime, specs: list[Any], flags: dict[str, Any], sentence: str) -> None:
    """supervisor_SUITE:code_change, code_change_map. Refused, and nothing has changed."""
    await begin(child("a"), child("b"))
    table = live_processes.raw_state("sup")
    with pytest.raises(ValueError, match=sentence):
        await upgraded(version(*specs, **flags))
    assert live_processes.raw_state("sup") is table
    assert statuses() == {"a": "running", "b": "running"}
    await ended("a")
    assert statuses() == {"a": "running", "b": "running"}


async def test_code_change_of_an_ended_temporary_child(runtime: Runtime) -> None:
    """Unlike OTP, where it comes back as a child that was never started."""
    await begin(child("a", restart="temporary"), child("b", restart="temporary"), child("c"))
    await ended("a")
    changes = await upgraded(version(child("a", restart="temporary"), child("b", restart="temporary"), child("c")))
    assert changes == live_processes.ChildSpecChanges(left_out=("a",))
    assert names() == ["b", "c"]
    changes = await upgraded(version(child("a"), child("b", restart="temporary"), child("c")))
    assert changes == live_processes.ChildSpecChanges(added=("a",))
    assert statuses()["a"] == "undefined"


async def test_code_change_taken_back(runtime: Runtime) -> None:
    """Ours: the previous table is unchanged, so that a failed install can restore it."""
    await begin(child("a"), child("gone"))
    await live_processes.hold("sup", owner="test", timeout=60)
    table = live_processes.raw_state("sup")
    version(child("a", restart="transient"), child("new"), strategy="rest_for_one")()
    live_processes.reload_child_specs("sup")
    live_processes.adopt_state("sup", table)
    live_processes.release("sup", owner="test")
    assert statuses() == {"a": "running", "gone": "running"}
    assert supervisor.get_childspec("sup", "a").restart == "permanent"
    assert supervisor.flags("sup").strategy == "one_for_one"
    await ended("gone")
    assert statuses() == {"a": "running", "gone": "running"}


# ------------------------------------------------------------------ 40


async def test_code_change_simple(runtime: Runtime) -> None:
    """supervisor_SUITE:code_change_simple. New instances follow the new one, restarted ones keep their arguments."""
    await begin(instances("old"), strategy="simple_one_for_one")
    first = await supervisor.start_child("sup", [1])
    changes = await upgraded(version(instances("new", shutdown=1.0)))
    assert changes == live_processes.ChildSpecChanges(replaced=("instance",))
    second = await supervisor.start_child("sup", [2])
    assert first is not None
    assert second is not None
    assert supervisor.get_childspec("sup", first).shutdown == 1.0
    await ended(first)
    assert sorted(state(pid) for pid in pids()) == ["new 2", "old 1"]
    assert second in pids()


@pytest.mark.parametrize("count", [0, 2])
async def test_code_change_simple_faulty(runtime: Runtime, count: int) -> None:
    """supervisor_SUITE:code_change_simple. There must be exactly one specification."""
    await begin(instances(), strategy="simple_one_for_one")
    with pytest.raises(ValueError, match=f"has one child specification, not {count}"):
        await upgraded(version(*[instances()] * count))
    assert await supervisor.start_child("sup", [1]) in pids()


async def test_code_change_to_simple_and_back(runtime: Runtime) -> None:
    """Unlike OTP, where it is accepted and the supervisor crashes at the next call."""
    await begin(child("a"))
    with pytest.raises(ValueError, match="is one_for_one and can't become simple_one_for_one"):
        await upgraded(version(child("a"), strategy="simple_one_for_one"))
    assert statuses() == {"a": "running"}
    send_exit("sup", "shutdown")
    await until_ended("sup")

    await begin(instances(), strategy="simple_one_for_one")
    pid = await supervisor.start_child("sup", [1])
    with pytest.raises(ValueError, match="is simple_one_for_one and can't become one_for_all"):
        await upgraded(version(instances(), strategy="one_for_all"))
    assert pids() == [pid]
    assert await refused(supervisor.restart_child("sup", "instance")) == "simple_one_for_one"


async def test_instances_started_as_temporary_stay_temporary(runtime: Runtime) -> None:
    """Unlike OTP, where such an instance would be restarted without its arguments, which are not kept."""
    await begin(instances(restart="temporary"), strategy="simple_one_for_one")
    first = await supervisor.start_child("sup", [1])
    await upgraded(version(instances(restart="permanent")))
    second = await supervisor.start_child("sup", [2])
    assert first is not None
    assert second is not None
    await ended(first)
    await ended(second)
    assert [state(pid) for pid in pids()] == ["2"]


# ------------------------------------------------------------------ 41


def two(*, significant: bool = True) -> list[ChildSpec]:
    return [child(name, restart="transient", significant=significant) for name in "ab"]


@pytest.mark.parametrize(
    ("before", "after", "lives"),
    [
        ("any_significant", "all_significant", [True, False]),
        ("all_significant", "any_significant", [False]),
    ],
)
async def test_significant_upgrade_any_all(runtime: Runtime, before: str, after: str, lives: list[bool]) -> None:
    """supervisor_SUITE:significant_upgrade_any_all, significant_upgrade_all_any."""
    await begin(*two(), auto_shutdown=before)
    await upgraded(version(*two(), auto_shutdown=after))
    await _ends_one_by_one(lives)


@pytest.mark.parametrize(("after", "lives"), [("any_significant", [False]), ("all_significant", [True, False])])
async def test_significant_upgrade_never(runtime: Runtime, after: str, lives: list[bool]) -> None:
    """supervisor_SUITE:significant_upgrade_never_any, significant_upgrade_never_all."""
    await begin(*two(significant=False))
    await upgraded(version(*two(), auto_shutdown=after))
    await _ends_one_by_one(lives)


@pytest.mark.parametrize("before", ["any_significant", "all_significant"])
async def test_significant_upgrade_to_never(runtime: Runtime, before: str) -> None:
    """supervisor_SUITE:significant_upgrade_any_never, significant_upgrade_all_never."""
    await begin(*two(), auto_shutdown=before)
    with pytest.raises(ValueError, match="auto_shutdown is 'never'"):
        await upgraded(version(*two(), auto_shutdown="never"))
    await upgraded(version(*two(significant=False), auto_shutdown="never"))
    await _ends_one_by_one([True, True])


async def test_significant_upgrade_child(runtime: Runtime) -> None:
    """supervisor_SUITE:significant_upgrade_child. It becomes so, and ceases to be so, while it runs."""
    await begin(*two(significant=False), auto_shutdown="any_significant")
    await upgraded(version(*two()))
    await upgraded(version(*two(significant=False)))
    await ended("a", "normal")
    await upgraded(version(*two()))
    await _ends_one_by_one([False], "b")


async def _ends_one_by_one(lives: list[bool], order: str = "ab") -> None:
    """Returns whether the supervisor is alive after each permanent exit of a child."""
    pid = whereis("sup")
    assert pid is not None
    for name, alive in zip(order, lives, strict=False):
        end(name, "normal")
        if alive:
            await until_ended(name)
            await settled()
            assert is_alive(pid)
        else:
            await eventually(lambda: not is_alive(pid))


async def test_a_temporary_child_that_a_code_change_added_stays_when_it_ignores_its_start(runtime: Runtime) -> None:
    """Only a start by start_child or by init drops it."""
    await begin(child("a"))
    await upgraded(
        version(
            child("a"), ChildSpec("b", "tests.conformance.test_supervisor_code_change:ignores", restart="temporary")
        )
    )
    assert await supervisor.restart_child("sup", "b") is None
    assert (names(), statuses()["b"]) == (["a", "b"], "undefined")


async def ignores() -> None:
    raise Ignore
