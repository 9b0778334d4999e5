"""Supervisors and children for the cases of supervisor_SUITE, and a log of their starts and exits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from node_runtime import (
    ChildSpec,
    GenServer,
    Ignore,
    Pid,
    Stop,
    Supervisor,
    cast,
    gen_server,
    process_info,
    runtime,
    supervisor,
    trap_exit,
    until_ended,
    whereis,
)
from node_runtime.behaviours.upgrade import live_processes
from node_runtime.supervisor import ChildRefused
from tests.support.waiting import eventually

log: list[tuple[str, str]] = []
"""The actions of children, as ("start" | "fail" | "stop", name)."""
faults: dict[str, int] = {}
"""The number of next starts of a child that fail."""
ignoring: set[str] = set()
"""Children whose init ignores."""
gates: dict[str, asyncio.Event] = {}
"""Children whose start waits for an event."""


@pytest.fixture(autouse=True)
def clean() -> None:
    """Clear the traces of the test before."""
    for kept in (log, faults, ignoring, gates):
        kept.clear()


class Worker(GenServer[str]):
    """A worker registered under its name, which exits on request."""

    def init(self, name: str) -> str:
        trap_exit()
        log.append(("start", name))
        return name

    def stop(self, reason: object) -> None:
        raise Stop(reason)

    def terminate(self, reason: object) -> None:
        log.append(("stop", self.state))


async def start(name: str, *more: object) -> Pid:
    """Start a child as the test configured it."""
    if name in gates:
        await gates[name].wait()
    if faults.get(name):
        faults[name] -= 1
        log.append(("fail", name))
        raise ValueError(f"{name} does not start")
    if name in ignoring:
        raise Ignore
    return await gen_server.start_link(Worker, name, name=name)


async def start_nameless(*args: object) -> Pid:
    """An instance of a simple_one_for_one supervisor; its arguments are its state."""
    text = " ".join(str(arg) for arg in args)
    if faults.get(text):
        faults[text] -= 1
        raise ValueError(f"{text} does not start")
    if text in ignoring:
        raise Ignore
    return await gen_server.start_link(Worker, text)


def child(name: str, **kwargs: Any) -> ChildSpec:
    """A child that is registered as `name`."""
    return ChildSpec(name, "tests.support.supervised:start", (name,), **kwargs)


def instances(*args: object, **kwargs: Any) -> ChildSpec:
    """The one specification of a simple_one_for_one supervisor."""
    return ChildSpec("instance", "tests.support.supervised:start_nameless", args, **kwargs)


class Sup(Supervisor):
    """A supervisor of the children that it is started with."""

    intensity = 5

    def children(self, *specs: Any) -> Any:
        return list(specs)


class AllSup(Sup):
    strategy = "one_for_all"


class RestSup(Sup):
    strategy = "rest_for_one"


class SimpleSup(Sup):
    strategy = "simple_one_for_one"


class AnySup(Sup):
    auto_shutdown = "any_significant"


class EverySup(Sup):
    auto_shutdown = "all_significant"


async def start_sup(cls: type[Supervisor], *specs: Any) -> Pid:
    """Start a supervisor that is registered as sup."""
    return await supervisor.start_link(cls, *specs, name="sup")


def end(name: str | Pid, reason: object = "trouble") -> None:
    """Make a worker exit with `reason`."""
    cast(name, Worker.stop, reason)


async def ended(name: str | Pid, reason: object = "trouble") -> None:
    """Make a worker exit with `reason`, and wait until its supervisor has handled it."""
    end(name, reason)
    await until_ended(name)
    await settled()


async def settled(name: str = "sup") -> None:
    """Wait until a supervisor has nothing to do, or is gone."""
    await eventually(lambda: whereis(name) is None or (
        process_info(name).status == "idle" and not process_info(name).mailbox
    ))  # fmt: skip


def names() -> list[str]:
    """The ids of the children in start order."""
    return [one.id for one in supervisor.which_children("sup")]


def statuses() -> dict[str, str]:
    """The supervisor's status of each child."""
    return {one.id: one.status for one in supervisor.which_children("sup")}


def pids() -> list[Pid]:
    """The children that run."""
    return [one.pid for one in supervisor.which_children("sup") if one.pid is not None]


def state(pid: Pid) -> str:
    """The state with which a worker was started."""
    text: str = live_processes.raw_state(pid)
    return text


def logged(what: str) -> list[str]:
    """The names in the log's entries of one kind."""
    return [name for entry, name in log if entry == what]


async def refused(asked: Any) -> str:
    """The error code with which a supervisor refuses a request."""
    with pytest.raises(ChildRefused) as refusal:
        await asked
    return refusal.value.reason


async def upgraded(change: Callable[[], None], name: str = "sup") -> live_processes.ChildSpecChanges:
    """Change a running supervisor's code; an error is raised after the supervisor is resumed."""
    await live_processes.hold(name, owner="test", timeout=60)
    change()
    try:
        return live_processes.reload_child_specs(name)
    finally:
        live_processes.release(name, owner="test")


def kill(pid: Pid) -> None:
    """Kill a process."""
    node = runtime()
    node.signal(node.find(pid), Pid(0), "kill")
