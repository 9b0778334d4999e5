"""Listeners over real sockets: their responses, the faults that they survive, and the requests that they refuse."""

from __future__ import annotations

import asyncio
import http.client
import logging
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from types import ModuleType

import pytest
import pytest_asyncio

from node_runtime import Runtime, all_processes, application, exit, process_info, web, whereis
from node_runtime.behaviours.supervision.management import which_children
from node_runtime.protocol.exit_codes import Refused
from node_runtime.web import PlainTextResponse, Request, Response, Route
from tests.support.waiting import eventually

doors: list[asyncio.Event] = []
"""The events that `patient` waits for, the last one. Each test has its own, since an event belongs to a loop."""


def hello(_request: Request) -> Response:
    return PlainTextResponse("hello")


async def user(request: Request) -> Response:
    body = await request.body()
    return PlainTextResponse(f"{request.method} {request.path_params['id']} {body.decode()}")


def broken(_request: Request) -> Response:
    raise ZeroDivisionError("on purpose")


def wordless(_request: Request) -> None:
    return None


async def patient(_request: Request) -> Response:
    await doors[-1].wait()
    return PlainTextResponse("at last")


ROUTES = [
    Route("/", f"{__name__}:hello"),
    Route("/users/{id:int}", f"{__name__}:user"),
    Route("/broken", f"{__name__}:broken"),
    Route("/wordless", f"{__name__}:wordless"),
    Route("/patient", f"{__name__}:patient"),
    Route("/missing", f"{__name__}:no_such_function"),
]


@pytest_asyncio.fixture
async def site() -> AsyncIterator[int]:
    """The port of a listener `site` with ROUTES."""
    doors.append(asyncio.Event())
    async with Runtime():
        application.load(web.APPLICATION)
        await application.start("web")
        await web.start_http("site", port=0, routes=ROUTES)
        yield web.port("site")
        await application.stop("web")


@pytest.fixture
def handlers() -> Iterator[ModuleType]:
    """A module that a test can change as an upgrade does."""
    module = sys.modules["handlers"] = ModuleType("handlers")
    exec("from node_runtime.web import PlainTextResponse\ndef now(_): return PlainTextResponse('one')", vars(module))
    yield module
    del sys.modules["handlers"]


class Client:
    """One connection. http.client blocks, so it works in a thread beside the loop that serves it."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    async def get(self, path: str, method: str = "GET", body: str | None = None) -> tuple[int, str]:
        return await asyncio.to_thread(self._get, path, method, body)

    def _get(self, path: str, method: str, body: str | None) -> tuple[int, str]:
        self.connection.request(method, path, body)
        answer = self.connection.getresponse()
        return answer.status, answer.read().decode()

    @property
    def local_port(self) -> int:
        return int(self.connection.sock.getsockname()[1])

    def close(self) -> None:
        self.connection.close()


@pytest.fixture
def client(site: int) -> Iterator[Client]:
    one = Client(site)
    yield one
    one.close()


async def test_plain_and_async_handlers_answer_and_see_path_method_and_body(client: Client) -> None:
    assert await client.get("/") == (200, "hello")
    assert await client.get("/users/7", "PUT", "colour") == (200, "PUT 7 colour")


async def test_an_unknown_path_is_not_found(client: Client) -> None:
    assert (await client.get("/nowhere"))[0] == 404
    assert (await client.get("/users/seven"))[0] == 404


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/broken", "on purpose"),
        ("/wordless", "must return a Response, not NoneType"),
        ("/missing", "no_such_function"),
    ],
)
async def test_a_handler_that_fails_is_an_error_500_in_the_log_and_the_connection_lives(
    client: Client, caplog: pytest.LogCaptureFixture, path: str, why: str
) -> None:
    assert (await client.get(path))[0] == 500
    here = client.local_port
    assert await client.get("/") == (200, "hello")
    assert client.local_port == here
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert f"GET {path}" in record.getMessage()
    assert why in caplog.text


async def test_new_routes_count_from_the_next_request_on_a_connection_that_stays_open(client: Client) -> None:
    assert await client.get("/") == (200, "hello")
    here = client.local_port
    before = web.routes("site")
    web.set_routes("site", [Route("/new", f"{__name__}:hello")])
    assert (await client.get("/"))[0] == 404
    assert await client.get("/new") == (200, "hello")
    web.set_routes("site", before)
    assert await client.get("/") == (200, "hello")
    assert client.local_port == here


async def test_settled_waits_for_requests_of_an_earlier_table_only(client: Client, site: int) -> None:
    asked = asyncio.create_task(client.get("/patient"))
    listener = which_children("web_sup")[0].pid
    await eventually(lambda: _requests_of(listener), what="the request's process")
    await web.settled("site")
    web.set_routes("site", [Route("/", f"{__name__}:hello")])
    settled = asyncio.create_task(web.settled("site"))
    other = Client(site)
    assert await other.get("/") == (200, "hello")
    assert not settled.done()
    doors[-1].set()
    await settled
    assert await asked == (200, "at last")
    other.close()


async def test_invalid_routes_change_nothing(client: Client) -> None:
    with pytest.raises(ValueError, match="'module:function'"):
        web.set_routes("site", [Route("/", "hello")])
    with pytest.raises(ValueError, match="must begin with '/'"):
        web.set_routes("site", [Route("new", f"{__name__}:hello")])
    assert await client.get("/") == (200, "hello")


async def test_a_handler_is_looked_up_at_each_request(client: Client, handlers: ModuleType) -> None:
    web.set_routes("site", [Route("/", "handlers:now")])
    assert await client.get("/") == (200, "one")
    vars(handlers)["now"] = lambda _request: PlainTextResponse("two")
    assert await client.get("/") == (200, "two")


async def test_a_request_is_a_process_below_its_listener_and_can_be_killed(client: Client) -> None:
    listener = which_children("web_sup")[0].pid
    asked = asyncio.create_task(client.get("/patient"))
    await eventually(lambda: _requests_of(listener), what="the request's process")
    [request] = _requests_of(listener)
    exit(request, "kill")
    assert (await asked)[0] == 500
    assert await client.get("/") == (200, "hello")


async def test_a_crashed_listener_is_restarted_on_its_port_with_its_routes(site: int, client: Client) -> None:
    web.set_routes("site", [Route("/new", f"{__name__}:hello")])
    before = which_children("web_sup")[0].pid
    assert before is not None
    exit(before, "kill")
    assert await client.get("/new") == (200, "hello")
    assert which_children("web_sup")[0].pid != before
    assert web.port("site") == site


async def test_a_busy_port_is_one_sentence_that_names_it_and_starts_nothing(site: int) -> None:
    with pytest.raises(Refused, match=rf"^port {site} is in use on 127\.0\.0\.1; .* http_port in etc/sys\.toml"):
        await web.start_http("other", port=site, routes=ROUTES)
    assert [child.id for child in which_children("web_sup")] == ["site"]
    with pytest.raises(Refused, match="no listener 'other'"):
        web.port("other")


async def test_a_listener_name_is_unique(site: int) -> None:
    with pytest.raises(Refused, match="'site' is running already"):
        await web.start_http("site", port=0, routes=ROUTES)
    assert web.port("site") == site


async def test_stopping_a_listener_closes_its_port_and_its_idle_connections(site: int, client: Client) -> None:
    assert await client.get("/") == (200, "hello")
    await web.stop_http("site")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", site), timeout=5)
    with pytest.raises(Refused, match="no listener 'site'"):
        await web.stop_http("site")
    await web.start_http("site", port=site, routes=ROUTES)
    client.close()
    assert await client.get("/") == (200, "hello")


async def test_a_request_under_way_is_answered_while_its_listener_stops(client: Client) -> None:
    asked = asyncio.create_task(client.get("/patient"))
    listener = which_children("web_sup")[0].pid
    await eventually(lambda: _requests_of(listener), what="the request's process")
    stopping = asyncio.create_task(web.stop_http("site"))
    doors[-1].set()
    assert await asked == (200, "at last")
    await stopping


async def test_stopping_the_application_stops_every_listener(site: int) -> None:
    await web.start_http("other", port=0, routes=ROUTES)
    await application.stop("web")
    assert whereis("web_sup") is None
    assert all_processes() == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", site), timeout=5)


def _requests_of(listener: object) -> list[int]:
    return [pid for pid in all_processes() if process_info(pid).parent == listener]
