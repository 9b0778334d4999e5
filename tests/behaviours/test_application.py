"""Applications: environment, order, stop hooks, and the exits that stop the node."""

from __future__ import annotations

from typing import Any

import pytest

from node_runtime import (
    Application,
    AppSpec,
    ChildSpec,
    Exit,
    GenServer,
    Pid,
    Runtime,
    Supervisor,
    application,
    exit,
    gen_server,
    is_alive,
    process_info,
    spawn,
    supervisor,
    until_ended,
    whereis,
)
from node_runtime.protocol.exit_codes import Refused
from tests.support.waiting import eventually

log: list[object] = []


@pytest.fixture(autouse=True)
def _clean() -> None:
    log.clear()


class Worker(GenServer[None]):
    def init(self) -> None: ...


class Top(Supervisor):
    intensity = 0

    def children(self, name: str) -> list[ChildSpec]:
        return [ChildSpec("worker", f"{__name__}:start_worker", (name,))]


async def start_worker(name: str) -> Pid:
    return await gen_server.start_link(Worker, name=name)


class Shop(Application):
    name = "shop"

    async def start(self, start_type: str, args: Any) -> Pid:
        log.append(("start", self.name, start_type))
        return await supervisor.start_link(Top, f"{self.name}_worker", name=f"{self.name}_sup")

    async def prep_stop(self) -> None:
        log.append(("prep_stop", self.name, whereis(f"{self.name}_sup") is not None))

    async def stop(self) -> None:
        log.append(("stop", self.name, whereis(f"{self.name}_sup") is not None))


class Bank(Shop):
    name = "bank"


class Failing(Application):
    async def start(self, start_type: str, args: Any) -> Pid:
        raise ValueError("no money")


class Wrong(Application):
    async def start(self, start_type: str, args: Any) -> Any:
        return None


def spec(name: str, cls: type | None, *needs: str, **env: Any) -> AppSpec:
    return AppSpec(name, "1.0", needs, None if cls is None else f"{__name__}:{cls.__name__}", env=env)


async def test_an_application_starts_after_those_it_needs(runtime: Runtime) -> None:
    application.load(spec("library", None))
    application.load(spec("bank", Bank, "library"))
    application.load(spec("shop", Shop, "bank", "library"))
    await application.start("shop")
    assert [running.spec.name for running in application.which_applications()] == ["library", "bank", "shop"]
    assert log == [("start", "bank", "normal"), ("start", "shop", "normal")]


async def test_a_started_application_has_a_master_and_a_top_supervisor(runtime: Runtime) -> None:
    application.load(spec("shop", Shop))
    await application.start("shop", "permanent")
    (running,) = application.which_applications()
    assert running.type == "permanent"
    assert running.top == whereis("shop_sup")
    assert running.master is not None
    assert process_info(running.master).kind == "application"
    assert process_info(running.top or 0).parent == running.master


async def test_starting_twice_does_nothing(runtime: Runtime) -> None:
    application.load(spec("shop", Shop))
    await application.start("shop")
    await application.start("shop")
    assert len(log) == 1


async def test_stopping_calls_the_hooks_around_the_end_of_the_processes(runtime: Runtime) -> None:
    application.load(spec("shop", Shop))
    await application.start("shop")
    await application.stop("shop")
    await application.stop("shop")
    assert log[1:] == [("prep_stop", "shop", True), ("stop", "shop", False)]
    assert application.which_applications() == []
    assert not runtime.processes


async def test_an_unknown_or_circular_application_is_refused(runtime: Runtime) -> None:
    with pytest.raises(Refused, match="'shop' is not loaded"):
        await application.start("shop")
    application.load(spec("shop", Shop, "bank"))
    with pytest.raises(Refused, match="'bank' is not loaded"):
        await application.start("shop")
    application.load(spec("bank", Bank, "shop"))
    with pytest.raises(Refused, match="shop -> bank -> shop"):
        await application.start("shop")
    assert application.which_applications() == []


async def test_a_start_that_fails_is_an_exit_with_the_reason(runtime: Runtime) -> None:
    application.load(spec("failing", Failing))
    with pytest.raises(Exit, match="ValueError: no money"):
        await application.start("failing")
    application.load(spec("wrong", Wrong))
    with pytest.raises(Exit, match="return the pid of the top supervisor there"):
        await application.start("wrong")
    assert application.which_applications() == []
    assert not runtime.processes


@pytest.mark.parametrize(("type", "halts"), [("permanent", True), ("transient", True), ("temporary", False)])
async def test_the_start_type_decides_whether_the_exit_of_an_application_stops_the_node(
    runtime: Runtime, type: Any, halts: bool
) -> None:
    reasons: list[object] = []
    runtime.on_halt = reasons.append
    application.load(spec("shop", Shop))
    await application.start("shop", type)
    exit("shop_worker", "kill")
    await eventually(lambda: not application.which_applications())
    assert reasons == (["shutdown"] if halts else [])
    assert log[-1] == ("stop", "shop", False)


async def test_an_ordered_stop_does_not_take_the_node_down(runtime: Runtime) -> None:
    reasons: list[object] = []
    runtime.on_halt = reasons.append
    application.load(spec("shop", Shop))
    await application.start("shop", "permanent")
    await application.stop("shop")
    assert reasons == []


async def test_a_killed_master_ends_its_application(runtime: Runtime) -> None:
    application.load(spec("shop", Shop))
    await application.start("shop")
    (running,) = application.which_applications()
    assert running.top is not None
    exit(running.master or 0, "kill")
    await eventually(lambda: not is_alive(running.top or 0))
    assert application.which_applications() == []


async def test_the_environment_has_defaults_overrides_and_changes(runtime: Runtime) -> None:
    application.load(spec("shop", Shop, port=8004, host="localhost"), env={"port": 9000})
    assert application.get_env("shop", "port") == 9000
    assert application.get_env("shop", "host") == "localhost"
    assert application.get_env("shop", "missing", "default") == "default"
    assert application.get_env("unknown", "port") is None
    application.set_env("shop", "port", 1)
    assert application.get_env("shop", "port") == 1
    with pytest.raises(Refused, match="not loaded"):
        application.set_env("unknown", "port", 1)


async def test_a_stopped_application_can_be_unloaded(runtime: Runtime) -> None:
    application.load(spec("shop", Shop, port=1))
    await application.start("shop")
    with pytest.raises(Refused, match="stop it before"):
        application.unload("shop")
    await application.stop("shop")
    application.unload("shop")
    assert application.loaded_applications() == []
    assert application.get_env("shop", "port") is None


async def test_an_application_started_by_a_process_outlives_it(runtime: Runtime) -> None:
    application.load(spec("shop", Shop))

    async def starter() -> None:
        await application.start("shop")

    await until_ended(spawn(starter))
    assert whereis("shop_sup") is not None
