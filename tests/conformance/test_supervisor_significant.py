"""supervisor_SUITE: significant children, whose exit stops their supervisor."""

from __future__ import annotations

import pytest

from node_runtime import ChildSpec, Exit, Pid, Runtime, Supervisor, is_alive, supervisor, until_ended, whereis
from node_runtime import exit as send_exit
from tests.support.subclasses import subclass
from tests.support.supervised import (
    AnySup,
    EverySup,
    SimpleSup,
    Sup,
    child,
    clean,
    end,
    ended,
    faults,
    names,
    refused,
    start_sup,
    statuses,
)
from tests.support.waiting import eventually

__all__ = ["clean"]


def significant(name: str, restart: str = "transient") -> ChildSpec:
    return child(name, restart=restart, significant=True)


@pytest.mark.parametrize(
    ("restart", "reason"),
    [("transient", "normal"), ("transient", "shutdown"), ("temporary", "normal"), ("temporary", "trouble")],
)
async def test_any_significant(runtime: Runtime, restart: str, reason: str) -> None:
    """supervisor_SUITE:any_significant_transient, any_significant_temporary. The first one ends it, with all others."""
    pid = await start_sup(AnySup, significant("a", restart), significant("b", restart), child("c"))
    end("a", reason)
    assert await until_ended(pid) == "shutdown"
    assert not runtime.names


@pytest.mark.parametrize(
    ("restart", "reason"), [("transient", "normal"), ("temporary", "normal"), ("temporary", "trouble")]
)
async def test_all_significant(runtime: Runtime, restart: str, reason: str) -> None:
    """supervisor_SUITE:all_significant_transient, all_significant_temporary. The last one ends it."""
    pid = await start_sup(EverySup, significant("a", restart), significant("b", restart), child("c"))
    await ended("a", reason)
    assert is_alive(pid)
    end("b", reason)
    assert await until_ended(pid) == "shutdown"


async def test_a_significant_child_that_is_restarted_ends_nothing(runtime: Runtime) -> None:
    """supervisor_SUITE:any_significant_transient. A transient one that crashes comes back."""
    pid = await start_sup(AnySup, significant("a"))
    await ended("a", "trouble")
    assert is_alive(pid)
    assert statuses() == {"a": "running"}


async def test_one_that_is_being_restarted_counts_as_alive(runtime: Runtime) -> None:
    """supervisor_SUITE:all_significant_transient. So the last one that runs is not the last one."""

    class Patient(EverySup):
        intensity = 1_000_000

    pid = await start_sup(Patient, significant("a"), significant("b"))
    faults["a"] = 1_000_000
    end("a", "trouble")
    await eventually(lambda: statuses()["a"] == "restarting")
    end("b", "normal")
    await eventually(lambda: statuses()["b"] == "undefined")
    faults.clear()
    await eventually(lambda: statuses()["a"] == "running")
    assert is_alive(pid)
    end("a", "normal")
    assert await until_ended(pid) == "shutdown"


async def test_significant_by_hand(runtime: Runtime) -> None:
    """supervisor_SUITE:any_significant_*. A terminated child has not exited by itself."""
    pid = await start_sup(AnySup, significant("a"), significant("b", "temporary"))
    await supervisor.terminate_child("sup", "a")
    await supervisor.terminate_child("sup", "b")
    assert is_alive(pid)
    assert statuses() == {"a": "undefined"}


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_significant_bystander(runtime: Runtime, strategy: str) -> None:
    """supervisor_SUITE:significant_bystander. Nor has one that is stopped for a sibling's restart."""
    for base in (AnySup, EverySup):
        cls = subclass("Bystanding", base, strategy=strategy, __module__=__name__)
        pid = await start_sup(cls, child("a"), significant("b"), significant("c", "temporary"))
        await ended("a")
        assert is_alive(pid)
        assert statuses() == {"a": "running", "b": "running"}
        send_exit(pid, "shutdown")
        await until_ended(pid)


class Above(Supervisor):
    auto_shutdown = "any_significant"

    def children(self) -> list[ChildSpec]:
        inner = f"{__name__}:start_inner"
        return [ChildSpec("inner", inner, type="supervisor", restart="transient", significant=True)]


async def start_inner() -> Pid:
    return await start_sup(AnySup, significant("a"))


async def test_significant_escalation(runtime: Runtime) -> None:
    """supervisor_SUITE:significant_escalation. It ends with shutdown, and so may be significant itself."""
    above = await supervisor.start_link(Above, name="above")
    end("a", "normal")
    assert await until_ended(above) == "shutdown"
    assert not runtime.processes


@pytest.mark.parametrize("restart", ["transient", "temporary"])
async def test_nonsignificant(runtime: Runtime, restart: str) -> None:
    """supervisor_SUITE:nonsignificant_transient, nonsignificant_temporary."""
    for cls in (AnySup, EverySup):
        pid = await start_sup(cls, significant("a"), child("b", restart=restart))
        await ended("b", "normal")
        assert is_alive(pid)
        send_exit(pid, "shutdown")
        await until_ended(pid)


async def test_significant_simple(runtime: Runtime) -> None:
    """supervisor_SUITE:significant_simple. Instances can't be significant."""
    with pytest.raises(Exit, match="significant, but auto_shutdown is 'never'"):
        await start_sup(SimpleSup, significant("a"))
    simple = subclass("Simple", AnySup, strategy="simple_one_for_one", __module__=__name__)
    with pytest.raises(Exit, match="auto_shutdown must be 'never'"):
        await start_sup(simple, significant("a"))


async def test_significant_start_child(runtime: Runtime) -> None:
    """supervisor_SUITE:nonsignificant_*. A child refused at the start is refused later, too."""
    await start_sup(Sup)
    assert await refused(supervisor.start_child("sup", significant("a"))) == "bad_spec"
    assert (names(), whereis("a")) == ([], None)
