"""A frame that goes on after its process was killed has no effect: every function refuses it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from node_runtime import (
    AppSpec,
    ChildSpec,
    Exit,
    From,
    GenServer,
    GenStatem,
    Pid,
    Ref,
    Runtime,
    Supervisor,
    all_processes,
    application,
    call,
    call_now,
    call_within,
    cancel_timer,
    cast,
    deferred,
    demonitor,
    exit,
    gen_server,
    gen_statem,
    link,
    monitor,
    receive,
    register,
    reply,
    self_pid,
    send,
    send_after,
    spawn,
    spawn_link,
    spawn_monitor,
    spawn_task,
    supervisor,
    sys,
    trap_exit,
    unlink,
    unregister,
    whereis,
)
from tests.support.waiting import eventually


class Till(GenServer[list[object]]):
    def init(self) -> list[object]:
        return []

    def put(self, coin: object) -> None:
        self.state.append(coin)

    @deferred
    def change(self, from_: From[int]) -> None:
        self.state.append(from_)

    def handle_info(self, message: object) -> None:
        self.state.append(message)


class Lamp(GenStatem[None]):
    """A state machine that only the zombie sends to."""


class Undead(GenServer[list[object]]):
    """A server that is killed in the middle of a plain callback."""

    def init(self, said: list[object]) -> list[object]:
        return said

    def act(self, act: Callable[[], Any]) -> None:
        exit(self_pid(), "kill")
        try:
            result = act()
            if asyncio.iscoroutine(result):
                result.close()  # a plain frame cannot await
                raise Exit("closed")
            self.state.append(result)
        except Exception as error:
            self.state.append(error)


class Shop(Supervisor):
    def children(self) -> list[ChildSpec]:
        return [ChildSpec("till", f"{__name__}:start_till")]


async def start_till() -> Pid:
    return await gen_server.start_link(Till)


async def nothing() -> None:
    pass


def acts(till: Pid, shop: Pid, owed: From[int]) -> dict[str, Callable[[], Any]]:
    """Every function by which a process acts on others."""
    timer = send_after(600.0, till, "late")
    another = ChildSpec("another", f"{__name__}:start_till")
    return {
        "send": lambda: send(till, "coin"),
        "send_after": lambda: send_after(0.0, till, "coin"),
        "cancel_timer": lambda: cancel_timer(timer),
        "cast": lambda: cast(till, Till.put, "coin"),
        "call": lambda: call(till, Till.put, "coin"),
        "call_within": lambda: call_within(1.0, till, Till.put, "coin"),
        "call_now": lambda: call_now(till, Till.put, "coin"),
        "reply": lambda: reply(owed, 1),
        "receive": receive,
        "spawn": lambda: spawn(nothing),
        "spawn_link": lambda: spawn_link(nothing),
        "spawn_monitor": lambda: spawn_monitor(nothing),
        "spawn_task": lambda: spawn_task(nothing),
        "link": lambda: link(till),
        "unlink": lambda: unlink(till),
        "monitor": lambda: monitor(till),
        "demonitor": lambda: demonitor(Ref()),
        "trap_exit": trap_exit,
        "exit": lambda: exit(till, "kill"),
        "register": lambda: register("shop", shop),
        "unregister": lambda: unregister("till"),
        "gen_server.start": lambda: gen_server.start(Till),
        "gen_server.start_link": lambda: gen_server.start_link(Till),
        "gen_server.stop": lambda: gen_server.stop(till),
        "gen_server.continue_with": lambda: gen_server.continue_with("coin"),
        "gen_server.idle_timeout": lambda: gen_server.idle_timeout(0.0),
        "gen_statem.start": lambda: gen_statem.start(Lamp),
        "gen_statem.call": lambda: gen_statem.call(till, "coin"),
        "gen_statem.cast": lambda: gen_statem.cast(till, "coin"),
        "supervisor.start_link": lambda: supervisor.start_link(Shop),
        "supervisor.start_child": lambda: supervisor.start_child(shop, another),
        "supervisor.terminate_child": lambda: supervisor.terminate_child(shop, "till"),
        "supervisor.restart_child": lambda: supervisor.restart_child(shop, "till"),
        "supervisor.delete_child": lambda: supervisor.delete_child(shop, "till"),
        "sys.suspend": lambda: sys.suspend(till),
        "sys.resume": lambda: sys.resume(till),
        "sys.replace_state": lambda: sys.replace_state(till, lambda state: [*state, "coin"]),
        "sys.change_code": lambda: sys.change_code(till, "1"),
        "sys.terminate": lambda: sys.terminate(till),
        "sys.log": lambda: sys.log(till),
        "sys.trace": lambda: sys.trace(till),
        "sys.statistics": lambda: sys.statistics(till),
        "sys.install": lambda: sys.install(till, lambda state, event: state),
        "sys.remove": lambda: sys.remove(till, "watcher"),
        "sys.no_debug": lambda: sys.no_debug(till),
        "application.load": lambda: application.load(AppSpec("another", "1")),
        "application.unload": lambda: application.unload("shop"),
        "application.set_env": lambda: application.set_env("shop", "open", True),
        "application.unset_env": lambda: application.unset_env("shop", "hours"),
        "application.start": lambda: application.start("shop"),
        "application.stop": lambda: application.stop("shop"),
    }


@pytest.mark.parametrize("frame", ["plain", "coroutine"])
async def test_a_zombie_has_no_effect_on_any_process(runtime: Runtime, frame: str) -> None:
    till = await gen_server.start(Till, name="till")
    shop = await supervisor.start_link(Shop)
    application.load(AppSpec("shop", "1", env={"hours": 8}))
    owing = asyncio.ensure_future(call_within(None, till, Till.change))
    await eventually(lambda: len(runtime.find(till).raw_state()) == 1)  # type: ignore[attr-defined]  # a server's
    owed: From[int] = (await sys.get_state(till))[0]
    before = all_processes()
    done: dict[str, object] = {}
    for name, act in acts(till, shop, owed).items():
        said: list[object] = []
        if frame == "plain":
            cast(await gen_server.start(Undead, said), Undead.act, act)
        else:
            spawn(_die_and, act, said)
        await eventually(lambda said=said: said)  # type: ignore[misc]  # mypy sees a lambda without arguments
        if not isinstance(said[0], Exit):
            done[name] = said[0]
    assert done == {}
    assert await sys.get_state(till) == [owed]
    assert whereis("till") == till
    assert whereis("shop") is None
    assert not owing.done()
    assert application.get_all_env("shop") == {"hours": 8}
    assert application.loaded_applications() == [AppSpec("shop", "1", env={"hours": 8})]
    await eventually(lambda: not runtime.zombies)
    assert all_processes() == before
    owing.cancel()


async def _die_and(act: Callable[[], Any], said: list[object]) -> None:
    exit(self_pid(), "kill")
    while True:
        try:
            result = act()
            said.append(await result if asyncio.iscoroutine(result) else result)
        except asyncio.CancelledError:
            continue  # swallowed, as in a zombie
        except Exception as error:
            said.append(error)
        return
