"""Listeners over real sockets: their responses, the faults that they survive, and the requests that they refuse."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import pytest_asyncio
from starlette.background import BackgroundTask
from starlette.responses import StreamingResponse

from node_runtime import Runtime, all_processes, application, exit, finished_processes, web, whereis
from node_runtime.behaviours.application_controller import applications
from node_runtime.behaviours.supervision.management import which_children
from node_runtime.protocol.exit_codes import Refused
from node_runtime.web import PlainTextResponse, Request, Response, Route
from tests.support.waiting import eventually
from tests.support.web.http_client import Client
from tests.support.web.site import listening, requests_of

doors: list[asyncio.Event] = []
"""The events that `patient` waits for, the last one. Each test has its own, since an event belongs to a loop."""

backgrounds: list[str] = []
"""The responses whose background tasks have run."""


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


async def streamed(_request: Request) -> Response:
    return StreamingResponse(iter(["one ", "two"]), background=BackgroundTask(backgrounds.append, "streamed"))


def followed(_request: Request) -> Response:
    return PlainTextResponse("first", background=BackgroundTask(backgrounds.append, "followed"))


ROUTES = [
    Route("/", f"{__name__}:hello"),
    Route("/users/{id:int}", f"{__name__}:user"),
    Route("/broken", f"{__name__}:broken"),
    Route("/wordless", f"{__name__}:wordless"),
    Route("/patient", f"{__name__}:patient"),
    Route("/streamed", f"{__name__}:streamed"),
    Route("/followed", f"{__name__}:followed"),
]


@pytest_asyncio.fixture
async def site() -> AsyncIterator[int]:
    """The port of a listener `site` with ROUTES."""
    doors.append(asyncio.Event())
    async with Runtime(), listening(ROUTES) as port:
        yield port


@pytest.fixture
def handlers() -> Iterator[ModuleType]:
    """A module that a test can change as an upgrade does."""
    module = sys.modules["handlers"] = ModuleType("handlers")
    exec("from node_runtime.web import PlainTextResponse\ndef now(_): return PlainTextResponse('one')", vars(module))
    yield module
    del sys.modules["handlers"]


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
    web.set_routes("site", [["/new", f"{__name__}:hello"]])  # as an appup's args give it
    assert (await client.get("/"))[0] == 404
    assert await client.get("/new") == (200, "hello")
    web.set_routes("site", before)
    assert await client.get("/") == (200, "hello")
    assert client.local_port == here


async def test_the_node_knows_the_addresses_of_its_listeners(site: int, tmp_path: Path) -> None:
    listening = applications().addresses["web"]
    await web.start_http("local", routes=[Route("/", f"{__name__}:hello")], uds=str(tmp_path / "socket"))
    assert listening() == [f"http://127.0.0.1:{site}", f"unix:{tmp_path}/socket"]
    await web.stop_http("local")
    assert listening() == [f"http://127.0.0.1:{site}"]


async def test_settled_waits_for_requests_of_an_earlier_table_only(client: Client, site: int) -> None:
    asked = asyncio.create_task(client.get("/patient"))
    listener = which_children("web_sup")[0].pid
    await eventually(lambda: requests_of(listener), what="the request's process")
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


async def test_a_wait_that_is_ended_names_the_requests_that_still_run(client: Client, site: int) -> None:
    asked = asyncio.create_task(client.get("/patient"))
    listener = which_children("web_sup")[0].pid
    await eventually(lambda: requests_of(listener), what="the request's process")
    web.set_routes("site", [Route("/", f"{__name__}:hello")])
    with pytest.raises(TimeoutError) as ended:
        async with asyncio.timeout(0):
            await web.settled("site")
    cancelled = ended.value.__cause__ or ended.value.__context__  # older patch releases of Python 3.11 set no cause
    assert cancelled is not None
    (note,) = cancelled.__notes__
    assert note.startswith("the listener site still answers GET /patient; retry when these requests have ended")
    doors[-1].set()
    assert await asked == (200, "at last")


async def test_invalid_routes_change_nothing(client: Client) -> None:
    with pytest.raises(ValueError, match="'module:function'"):
        web.set_routes("site", [Route("/", "hello")])
    with pytest.raises(ValueError, match="must begin with '/'"):
        web.set_routes("site", [Route("new", f"{__name__}:hello")])
    assert await client.get("/") == (200, "hello")


async def test_a_handler_that_does_not_exist_is_refused_when_the_routes_are_set(client: Client) -> None:
    for handler, why in (
        (f"{__name__}:helo", f"module {__name__} has no helo"),
        ("no_such_module:hello", "No module named 'no_such_module'"),
        (f"{__name__}:ROUTES", "it is a list, not a function"),
    ):
        sentence = f"the handler {handler!r} of the route '/' can't be used: {why}; correct its name"
        with pytest.raises(Refused, match=re.escape(sentence)):
            web.set_routes("site", [Route("/", handler)])
        with pytest.raises(Refused, match=re.escape(sentence)):
            await web.start_http("other", port=0, routes=[Route("/", handler)])
    assert await client.get("/") == (200, "hello")
    assert [child.id for child in which_children("web_sup")] == ["site"]


async def test_a_handler_that_an_upgrade_has_removed_is_an_error_500(client: Client, handlers: ModuleType) -> None:
    web.set_routes("site", [Route("/", "handlers:now")])
    del vars(handlers)["now"]
    assert (await client.get("/"))[0] == 500


async def test_a_listener_without_the_application_web_names_the_remedy() -> None:
    async with Runtime():
        with pytest.raises(Refused, match=r'add applications = \["web"\] to the app.toml of the application'):
            await web.start_http("site", port=0, routes=ROUTES)


async def test_a_handler_is_looked_up_at_each_request(client: Client, handlers: ModuleType) -> None:
    web.set_routes("site", [Route("/", "handlers:now")])
    assert await client.get("/") == (200, "one")
    vars(handlers)["now"] = lambda _request: PlainTextResponse("two")
    assert await client.get("/") == (200, "two")


async def test_a_request_is_a_process_below_its_listener_and_can_be_killed(client: Client) -> None:
    listener = which_children("web_sup")[0].pid
    asked = asyncio.create_task(client.get("/patient"))
    await eventually(lambda: requests_of(listener), what="the request's process")
    [request] = requests_of(listener)
    exit(request, "kill")
    assert (await asked)[0] == 500
    assert await client.get("/") == (200, "hello")


async def test_responses_that_stream_or_have_a_background_task_are_sent_by_themselves(client: Client) -> None:
    backgrounds.clear()
    assert await client.get("/streamed") == (200, "one two")
    await eventually(lambda: backgrounds == ["streamed"], what="the background task of the stream")
    assert await client.get("/followed") == (200, "first")
    await eventually(lambda: backgrounds == ["streamed", "followed"], what="the background tasks")


async def test_the_end_of_a_request_is_listed_like_that_of_any_process(client: Client) -> None:
    assert await client.get("/") == (200, "hello")
    await eventually(
        lambda: finished_processes(1)[0].module == "node_runtime.web.routing.request_process", what="the request's end"
    )
    [ended] = finished_processes(1)
    assert (ended.reason, ended.orderly, ended.kind, ended.name) == ("normal", True, "process", None)
    assert ended.parent == which_children("web_sup")[0].pid
    assert ended.started <= ended.ended
    assert 0 < ended.spent < 60


async def test_the_processes_of_pipelined_requests_are_siblings(site: int) -> None:
    listener = which_children("web_sup")[0].pid
    reader, writer = await asyncio.open_connection("127.0.0.1", site)
    writer.write(b"".join(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode() for path in ("/", "/patient")))
    await eventually(lambda: requests_of(listener) and doors[-1]._waiters, what="the second request's process")
    doors[-1].set()
    writer.write(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
    assert (await reader.read()).count(b" 200 OK") == 3
    writer.close()
    await eventually(lambda: not requests_of(listener), what="the end of the processes")


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


async def test_without_the_application_web_a_stop_is_refused_as_a_start_is(runtime: Runtime) -> None:
    for use in (web.stop_http("site"), web.start_http("site", port=0, routes=ROUTES)):
        with pytest.raises(Refused, match="the application web is not running"):
            await use


async def test_a_request_under_way_is_answered_while_its_listener_stops(client: Client) -> None:
    asked = asyncio.create_task(client.get("/patient"))
    listener = which_children("web_sup")[0].pid
    await eventually(lambda: requests_of(listener), what="the request's process")
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
