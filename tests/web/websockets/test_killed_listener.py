"""Websockets whose listener's process is killed or crashes."""

from __future__ import annotations

from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from node_runtime import Pid, exit, is_alive, self_pid, web
from node_runtime.web import Handshake, WebSocketHandler, WebSocketRoute
from node_runtime.web.listeners import listeners
from tests.support.waiting import eventually

from .conftest import Site

pytestmark = pytest.mark.each_loop

ends: list[int] = []
pids: list[Pid] = []


class Guest(WebSocketHandler[None]):
    """Remembers its pid and its end."""

    def connected(self, request: Handshake) -> None:
        pids.append(self_pid())
        self.send_text("welcome")

    def disconnected(self, code: int, reason: str) -> None:
        ends.append(code)


def kill(listener: Any) -> None:
    (pid,) = listener.processes
    exit(pid, "kill")


def crash(listener: Any) -> None:
    listener.server.on_tick = None  # uvicorn calls it


@pytest.mark.parametrize("harm", [kill, crash])
async def test_its_websockets_are_closed_with_1012_their_processes_end_and_clients_come_back(
    site: Site, harm: Any
) -> None:
    ends.clear()
    pids.clear()
    web.set_websockets("site", [WebSocketRoute("/", f"{__name__}:Guest")])
    async with site.client("/") as client:
        assert await client.recv() == "welcome"
        harm(listeners()["site"])
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
    await eventually(lambda: ends == [1012] and not is_alive(pids[0]), what="the end of the process")
    async with site.client("/") as client:
        assert await client.recv() == "welcome"
