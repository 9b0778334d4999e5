"""supervisor_SUITE: the start and the stop of a supervisor, and which ends of a child lead to a restart."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from node_runtime import (
    ChildSpec,
    Exit,
    GenServer,
    Pid,
    Runtime,
    gen_server,
    is_alive,
    supervisor,
    trap_exit,
    until_ended,
    whereis,
)
from node_runtime import exit as send_exit
from node_runtime.supervisor import Flags
from tests.support.supervised import (
    Sup,
    child,
    clean,
    end,
    ended,
    faults,
    kill,
    logged,
    names,
    pids,
    settled,
    start_sup,
    statuses,
)
from tests.support.waiting import begun

__all__ = ["clean"]


@pytest.mark.parametrize(
    "wrong",
    [{"start": "nothing"}, {"restart": "prmanent"}, {"shutdown": -1}, {"type": "wrker"}, {"modules": "m"}, {"id": ""}],
    ids=str,
)
def test_child_specs(wrong: dict[str, Any]) -> None:
    """Each key of a specification is checked; the defaults are those of OTP."""
    with pytest.raises(ValueError, match=r"child|id"):
        ChildSpec(**{"id": "a", "start": "m:f", **wrong})
    fine = ChildSpec("a", "m:f")
    assert (fine.restart, fine.shutdown, fine.type, fine.modules, fine.significant) == (
        "permanent",
        5.0,
        "worker",
        ("m",),
        False,
    )
    assert ChildSpec("a", "m:f", type="supervisor").shutdown == "infinity"


@pytest.mark.parametrize("wrong", [("one_for_nobody", 1, 5.0), ("one_for_one", -1, 5.0), ("one_for_one", 1, 0.0)])
def test_sup_flags(wrong: tuple[Any, int, float]) -> None:
    """Each flag is checked."""
    with pytest.raises(ValueError, match=r"strategy|intensity|period"):
        Flags(*wrong)
    Flags("one_for_all", 0, 0.5)


async def test_sup_start_error_return(runtime: Runtime) -> None:
    """A child that doesn't start fails the start of its supervisor, which stops the children before it."""
    faults["b"] = 1
    with pytest.raises(Exit):
        await start_sup(Sup, child("a"), child("b"))
    assert (logged("start"), logged("stop")) == (["a"], ["a"])
    assert whereis("sup") is None


class Stubborn(GenServer[None]):
    """A server whose terminate never ends."""

    def init(self) -> None:
        trap_exit()

    def terminate(self, reason: object) -> Any:
        return asyncio.Event().wait()


async def start_stubborn() -> Pid:
    return await gen_server.start_link(Stubborn)


async def test_sup_stop_timeout(runtime: Runtime) -> None:
    """A child that exceeds its shutdown time is killed, and so is one whose shutdown is brutal."""
    start = f"{__name__}:start_stubborn"
    top = await start_sup(Sup, ChildSpec("a", start, shutdown=0.001), ChildSpec("b", start, shutdown="brutal_kill"))
    ends = [asyncio.ensure_future(until_ended(pid)) for pid in (top, *pids())]
    for ending in ends:
        await begun(ending)
    send_exit(top, "shutdown")
    assert await asyncio.gather(*ends) == ["shutdown", "killed", "killed"]
    assert not runtime.processes


async def test_scale_start_stop_many_children(runtime: Runtime) -> None:
    top = await start_sup(Sup)
    for number in range(1000):
        await supervisor.start_child(top, child(str(number)))
    assert supervisor.count_children(top).active == 1000
    for number in range(1000):
        await supervisor.terminate_child(top, str(number))
        await supervisor.delete_child(top, str(number))
    assert supervisor.count_children(top).specs == 0


ENDS = [
    ("permanent", "normal", True),
    ("permanent", "shutdown", True),
    ("permanent", "abnormal", True),
    ("transient", "normal", False),
    ("transient", "shutdown", False),
    ("transient", "abnormal", True),
    ("temporary", "normal", False),
    ("temporary", "shutdown", False),
    ("temporary", "abnormal", False),
]


@pytest.mark.parametrize(("restart", "reason", "restarted"), ENDS, ids=[f"{one[0]}_{one[1]}" for one in ENDS])
async def test_permanent_transient_temporary(runtime: Runtime, restart: Any, reason: str, restarted: bool) -> None:
    """permanent_normal to temporary_abnormal of the suite; a shutdown also with a reason."""
    await start_sup(Sup, child("a", restart=restart), child("b"))
    reasons: list[Any] = [reason, ("shutdown", "why")] if reason == "shutdown" else [reason]
    for each in reasons:
        if whereis("a") is not None:
            await ended("a", each)
    assert logged("start").count("a") == (1 + len(reasons) if restarted else 1)
    assert names() == (["a", "b"] if restart != "temporary" else ["b"])
    assert statuses().get("a") == ("running" if restarted else "undefined" if restart == "transient" else None)
    assert logged("start").count("b") == 1


async def test_child_killed_and_restarted(runtime: Runtime) -> None:
    await start_sup(Sup, child("a"))
    [before] = pids()
    kill(before)
    await settled()
    [after] = pids()
    assert after != before
    assert is_alive(after)
    end("a", "normal")
