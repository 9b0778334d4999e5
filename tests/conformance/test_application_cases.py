"""application_SUITE: environment, dependencies that have died, and stops that hang."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from node_runtime import (
    Application,
    AppSpec,
    Exit,
    GenServer,
    Pid,
    Runtime,
    Supervisor,
    application,
    call,
    exit,
    gen_server,
    is_alive,
    supervisor,
    trap_exit,
    whereis,
)
from node_runtime.behaviours.application import notify_config_changes
from node_runtime.supervisor import ChildSpec
from tests.support.supervised import Sup, child, clean, log
from tests.support.waiting import eventually

__all__ = ["clean"]

told: list[tuple[Any, ...]] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    told.clear()


class Shop(Application):
    """An application with one supervisor and one worker."""

    name = "shop"

    async def start(self, start_type: str, args: Any) -> Pid:
        return await supervisor.start_link(Sup, child(f"{self.name}_worker"), name=f"{self.name}_sup")

    async def config_change(self, changed: dict[str, Any], new: dict[str, Any], removed: tuple[str, ...]) -> None:
        told.append((self.name, changed, new, removed))


class Bank(Shop):
    name = "bank"


def spec(cls: type[Application], name: str, *needs: str, **env: Any) -> AppSpec:
    return AppSpec(name, "1", needs, f"{__name__}:{cls.__name__}", env=env)


def running() -> list[str]:
    return [one.spec.name for one in application.which_applications()]


# ------------------------------------------------------------------ the environment


async def test_config_change(runtime: Runtime) -> None:
    """application_SUITE:config_change. The operator's configuration wins, and only differences are passed on."""
    application.load(spec(Shop, "shop", colour="red", size=1, till=True), {"size": 2})
    application.load(spec(Bank, "bank", colour="red"))
    await application.start("shop")
    await application.start("bank")
    assert application.get_all_env("shop") == {"colour": "red", "size": 2, "till": True}
    before = {name: application.get_all_env(name) for name in ("shop", "bank")}
    application.load(spec(Shop, "shop", colour="blue", size=1, door="open"), {"size": 2})
    await notify_config_changes(before)
    assert told == [("shop", {"colour": "blue"}, {"door": "open"}, ("till",))]


async def test_config_change_that_fails(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    """application_SUITE:config_change. The failure is logged, the application runs, and the others are notified."""
    application.load(spec(Grumpy, "grumpy"))
    application.load(spec(Shop, "shop"))
    await application.start("grumpy")
    await application.start("shop")
    before = {name: application.get_all_env(name) for name in ("grumpy", "shop")}
    application.set_env("grumpy", "mood", "bad")
    application.set_env("shop", "door", "open")
    failures = await notify_config_changes(before)
    assert "config_change of application grumpy failed" in caplog.text
    assert [failure.partition(";")[0] for failure in failures] == [
        "config_change of application grumpy failed: RuntimeError: I like it as it was"
    ]
    assert told == [("shop", {}, {"door": "open"}, ())]
    assert running() == ["grumpy", "shop"]


class Grumpy(Shop):
    name = "grumpy"

    async def config_change(self, changed: dict[str, Any], new: dict[str, Any], removed: tuple[str, ...]) -> None:
        raise RuntimeError("I like it as it was")


class PlainGrumpy(Grumpy):
    def config_change(self, changed: dict[str, Any], new: dict[str, Any], removed: tuple[str, ...]) -> Any:
        raise RuntimeError("I like it as it was")


class NeverEndingGrumpy(Grumpy):
    async def config_change(self, changed: dict[str, Any], new: dict[str, Any], removed: tuple[str, ...]) -> None:
        await asyncio.Event().wait()


@pytest.mark.parametrize("behaviour", [Grumpy, PlainGrumpy, NeverEndingGrumpy])
async def test_a_config_change_that_fails_or_never_ends_keeps_no_application_from_stopping(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, behaviour: type[Shop]
) -> None:
    monkeypatch.setattr("node_runtime.behaviours.application.CONFIG_CHANGE_SECONDS", 0.05)
    halted: list[object] = []
    runtime.on_halt = halted.append
    application.load(spec(behaviour, "grumpy"))
    await application.start("grumpy", "permanent")
    application.set_env("grumpy", "mood", "bad")
    failures = await notify_config_changes({"grumpy": {}})
    assert len(failures) == 1
    assert (running(), halted) == (["grumpy"], [])
    async with asyncio.timeout(60):
        await application.stop("grumpy")
    assert running() == []


async def test_unset_env(runtime: Runtime) -> None:
    """application_SUITE:get_env, set_env, unset_env."""
    application.load(spec(Shop, "shop", colour="red"))
    application.unset_env("shop", "colour")
    application.unset_env("shop", "colour")
    assert application.get_env("shop", "colour", "none") == "none"
    assert application.get_all_env("nowhere") == {}


# ------------------------------------------------------------------ what an application needs


async def test_otp_4227(runtime: Runtime) -> None:
    """application_SUITE:otp_4227. A dependency that has died is started again; one that dies meanwhile is named."""
    application.load(spec(Bank, "bank"))
    application.load(spec(Shop, "shop", "bank"))
    await application.start("shop")
    await application.stop("shop")
    await _kill_top("bank")
    await application.start("shop")
    assert running() == ["bank", "shop"]

    await application.stop("shop")
    await application.stop("bank")
    application.load(spec(Fickle, "fickle", "bank"))
    application.load(spec(Shop, "shop", "bank", "fickle"))
    with pytest.raises(Exit, match="application 'shop' needs 'bank', which has ended") as refused:
        await application.start("shop")
    assert refused.value.reason == ("not_running", "bank")
    assert running() == []


class Fickle(Shop):
    """Stops the bank while it starts."""

    name = "fickle"

    async def start(self, start_type: str, args: Any) -> Pid:
        await _kill_top("bank")
        return await super().start(start_type, args)


async def _kill_top(name: str) -> None:
    exit(f"{name}_sup", "kill")
    await eventually(lambda: name not in running())


async def test_a_start_that_fails_stops_what_was_started_for_it(runtime: Runtime) -> None:
    """application:ensure_all_started. Applications that ran before continue."""
    application.load(spec(Bank, "bank"))
    application.load(spec(Shop, "shop"))
    application.load(spec(Broken, "broken", "bank", "shop"))
    await application.start("bank")
    with pytest.raises(Exit, match="broken"):
        await application.start("broken")
    assert running() == ["bank"]


async def test_a_start_that_is_cancelled_stops_what_was_started_for_it(runtime: Runtime) -> None:
    application.load(spec(Shop, "shop"))
    application.load(spec(Endless, "endless", "shop"))
    starting = asyncio.ensure_future(application.start("endless"))
    await eventually(lambda: running() == ["shop"])
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert running() == []
    assert not runtime.processes


class Endless(Application):
    async def start(self, start_type: str, args: Any) -> Pid:
        never: asyncio.Future[Pid] = asyncio.get_running_loop().create_future()
        return await never


class Broken(Application):
    async def start(self, start_type: str, args: Any) -> Pid:
        raise ValueError("broken")


async def test_two_starts_at_once_are_one(runtime: Runtime) -> None:
    """application_SUITE:start. Both return when the application runs."""
    application.load(spec(Bank, "bank"))
    application.load(spec(Shop, "shop", "bank"))
    await asyncio.gather(application.start("shop"), application.start("shop"), application.start("bank"))
    assert running() == ["bank", "shop"]


async def test_an_application_that_waits_for_its_own_start_fails_with_the_reason(runtime: Runtime) -> None:
    """Unlike OTP, where it waits for ever."""
    application.load(spec(Circular, "circular"))
    with pytest.raises(Exit, match="'circular' is being started and waits for the calling process"):
        await application.start("circular")


class Circular(Application):
    async def start(self, start_type: str, args: Any) -> Pid:
        await application.start("circular")
        raise AssertionError


# ------------------------------------------------------------------ stops


class Hanging(Application):
    """An application whose worker does not exit."""

    async def start(self, start_type: str, args: Any) -> Pid:
        return await supervisor.start_link(HangingSup, name="hanging_sup")


class HangingSup(Supervisor):
    def children(self) -> list[ChildSpec]:
        return [ChildSpec("hanging", f"{__name__}:start_hanging", shutdown="infinity")]


class HangingWorker(GenServer[None]):
    def init(self) -> None:
        trap_exit()

    async def terminate(self, reason: object) -> None:
        log.append(("told", "hanging"))
        await asyncio.Event().wait()


async def start_hanging() -> Pid:
    return await gen_server.start_link(HangingWorker, name="hanging")


async def test_shutdown_timeout(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    """application_SUITE:shutdown_timeout. After the timeout the remaining processes are killed."""
    application.load(spec(Hanging, "hanging"))
    await application.start("hanging")
    await application.stop("hanging", timeout=0.05)
    assert "application hanging did not stop within 0.05 s; its processes are killed" in caplog.text
    assert not runtime.processes
    await application.start("hanging")
    assert whereis("hanging") is not None
    await application.stop("hanging", timeout=0.05)


async def test_shutdown_deadlock(runtime: Runtime) -> None:
    """application_SUITE:shutdown_deadlock. While one hangs in its stop, others can be started and stopped."""
    application.load(spec(Hanging, "hanging"))
    application.load(spec(Shop, "shop"))
    await application.start("hanging")
    stopping = asyncio.ensure_future(application.stop("hanging", timeout=60.0))
    await eventually(lambda: ("told", "hanging") in log)
    await application.start("shop")
    assert running() == ["shop"]
    await application.stop("shop")
    assert not stopping.done()
    exit("hanging", "kill")
    await stopping


async def test_a_stop_and_a_start_wait_for_the_stop_that_is_under_way(runtime: Runtime) -> None:
    """As in OTP, whose application controller handles them in order."""
    application.load(spec(Hanging, "hanging"))
    await application.start("hanging")
    before = whereis("hanging")
    first = asyncio.ensure_future(application.stop("hanging"))
    await eventually(lambda: ("told", "hanging") in log)
    second = asyncio.ensure_future(application.stop("hanging", timeout=60.0))
    third = asyncio.ensure_future(application.start("hanging"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not any(one.done() for one in (first, second, third))
    exit("hanging", "kill")
    await asyncio.gather(first, second, third)
    assert running() == ["hanging"]
    assert whereis("hanging") not in (before, None)
    await application.stop("hanging", timeout=0.05)


async def test_a_second_stop_has_its_own_timeout(runtime: Runtime) -> None:
    """The first stop would wait for ever."""
    application.load(spec(Hanging, "hanging"))
    await application.start("hanging")
    first = asyncio.ensure_future(application.stop("hanging"))
    await eventually(lambda: ("told", "hanging") in log)
    await application.stop("hanging", timeout=0.05)
    assert not runtime.processes
    await asyncio.gather(first, return_exceptions=True)


async def test_shutdown_deadlock_from_within(runtime: Runtime) -> None:
    """application_SUITE:shutdown_deadlock. Callbacks that stop their own application do not wait."""
    application.load(spec(Inward, "inward"))
    await application.start("inward")
    await application.stop("inward")
    assert told == [("prep_stop", []), ("stop", [])]


class Inward(Shop):
    name = "inward"

    async def prep_stop(self) -> None:
        await application.stop("inward")
        application.set_env("inward", "stopping", True)
        told.append(("prep_stop", running()))

    async def stop(self) -> None:
        await application.stop("inward")
        told.append(("stop", running()))


async def test_a_process_that_stops_its_own_application_ends_with_it(runtime: Runtime) -> None:
    """application_SUITE:shutdown_deadlock. The two wait for each other, so the supervisor's timeout ends it."""
    application.load(spec(Suicidal, "suicidal"))
    await application.start("suicidal")
    with pytest.raises(Exit, match="shutdown"):
        await call("suicide", Suicide.stop_all)
    await eventually(lambda: not runtime.processes)


class Suicidal(Application):
    async def start(self, start_type: str, args: Any) -> Pid:
        return await supervisor.start_link(Sup, ChildSpec("suicide", f"{__name__}:start_suicide"))


class Suicide(GenServer[None]):
    def init(self) -> None: ...

    async def stop_all(self) -> None:
        await application.stop("suicidal")


async def start_suicide() -> Pid:
    return await gen_server.start_link(Suicide, name="suicide")


async def test_hooks_that_fail_do_not_stop_the_stop(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    """As OTP's application_master catches errors of prep_stop and stop."""
    application.load(spec(Clumsy, "clumsy"))
    await application.start("clumsy")
    top = whereis("clumsy_sup")
    assert top is not None
    await application.stop("clumsy")
    assert not is_alive(top)
    assert "prep_stop of application clumsy failed" in caplog.text
    assert "stop of application clumsy failed" in caplog.text


class Clumsy(Shop):
    name = "clumsy"

    async def prep_stop(self) -> None:
        raise RuntimeError

    async def stop(self) -> None:
        raise SystemExit


async def test_stopping_one_leaves_those_that_need_it(runtime: Runtime) -> None:
    """application:stop/1. As in OTP it stops this one only; a release stops all in dependency order."""
    application.load(spec(Bank, "bank"))
    application.load(spec(Shop, "shop", "bank"))
    await application.start("shop")
    await application.stop("bank")
    assert running() == ["shop"]
    assert whereis("shop_worker") is not None
