"""The process of a request that a plain function of a route answers, and its response, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextvars import ContextVar

import pytest
import pytest_asyncio
from starlette.responses import StreamingResponse

from node_runtime import Runtime, exit, finished_processes, process_info, self_pid
from node_runtime.behaviours.supervision.management import which_children
from node_runtime.web import PlainTextResponse, Request, Response, Route
from node_runtime.web.listeners import listeners
from tests.support.waiting import eventually
from tests.support.web.http_client import Client
from tests.support.web.site import listening, requests_of


def hello(_request: Request) -> Response:
    return PlainTextResponse("hello")


async def user(request: Request) -> Response:
    body = await request.body()
    return PlainTextResponse(f"{request.method} {body.decode()}")


visitor: ContextVar[str] = ContextVar("visitor", default="nobody")


def visited(request: Request) -> Response:
    """Name the last visitor that this request knows of, and its process."""
    before = visitor.get()
    visitor.set(request.query_params["name"])
    return PlainTextResponse(f"{before} {process_info(self_pid()).parent}", headers={"X-Visitor": "yes"})


def killed(_request: Request) -> Response:
    exit(self_pid(), "kill")
    return PlainTextResponse("a dead process can't answer")


def exiting(_request: Request) -> Response:
    raise SystemExit(3)


def wrapped(request: Request) -> Awaitable[Response]:
    """A plain function that returns what an `async def` function returns."""
    return user(request)


def injected(_request: Request) -> Response:
    return Response(headers={"X-Name": "a\r\nX-Evil: b"})


def many_of_them(_request: Request) -> Response:
    return StreamingResponse(iter(["one ", str(self_pid())]))


ROUTES = [
    Route("/", f"{__name__}:hello"),
    Route("/visited", f"{__name__}:visited"),
    Route("/killed", f"{__name__}:killed"),
    Route("/exiting", f"{__name__}:exiting"),
    Route("/wrapped", f"{__name__}:wrapped"),
    Route("/injected", f"{__name__}:injected"),
    Route("/many", f"{__name__}:many_of_them"),
]


@pytest_asyncio.fixture
async def node() -> AsyncIterator[Runtime]:
    async with Runtime() as one:
        yield one


@pytest_asyncio.fixture
async def site(node: Runtime) -> AsyncIterator[int]:
    """The port of a listener `site` with ROUTES."""
    async with listening(ROUTES) as port:
        yield port


@pytest.fixture
def client(site: int) -> Iterator[Client]:
    one = Client(site)
    yield one
    one.close()


async def test_a_plain_function_runs_in_a_process_and_a_context_of_its_own(client: Client) -> None:
    listener = which_children("web_sup")[0].pid
    for name in ("ana", "ben"):
        assert await client.get(f"/visited?name={name}") == (200, f"nobody {listener}")
    assert not requests_of(listener)


@pytest.mark.parametrize("path", ["/killed", "/exiting"])
async def test_a_plain_function_that_ends_its_process_is_an_error_500(client: Client, node: Runtime, path: str) -> None:
    assert (await client.get(path))[0] == 500
    assert await client.get("/") == (200, "hello")
    await eventually(lambda: not node.zombies, what="the end of the process")
    assert not requests_of(which_children("web_sup")[0].pid)


async def test_a_plain_function_may_return_what_takes_longer(client: Client) -> None:
    assert await client.get("/wrapped", "GET") == (200, "GET ")
    status, text = await client.get("/many")
    assert status == 200
    await eventually(lambda: finished_processes(1)[0].pid == int(text.strip("one <>")), what="the end of one process")


async def test_a_plain_function_is_not_called_while_the_gate_is_closed(client: Client, node: Runtime) -> None:
    gate = listeners()["site"].gate
    await gate.close((), 60.0, 10)
    answer = asyncio.create_task(client.get("/many"))
    await eventually(lambda: gate.waiting or answer.done(), what="the request")
    assert not answer.done()
    gate.open()
    assert (await answer)[0] == 200


async def test_a_response_with_a_line_break_in_a_header_is_not_sent(client: Client) -> None:
    with pytest.raises(ConnectionError):
        await client.get("/injected")
    client.close()
    assert await client.get("/") == (200, "hello")


async def test_a_request_for_a_head_and_one_on_a_last_connection_get_what_uvicorn_sends(site: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site)
    writer.write(b"HEAD / HTTP/1.1\r\nHost: here\r\n\r\nGET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
    head, last = (await reader.read()).split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert b"content-length: 5\r\n" in head
    assert head.endswith(b"\r\n\r\n")
    assert b"connection: close" in last
    assert last.endswith(b"hello")
    writer.close()


async def test_of_pipelined_requests_only_the_first_is_answered_at_once(site: int, node: Runtime) -> None:
    turns: list[int] = []

    def noted(event: object) -> None:
        turns.append(asyncio.current_task() is None)

    unsubscribe = node.subscribe(noted)
    reader, writer = await asyncio.open_connection("127.0.0.1", site)
    writer.write(
        b"GET / HTTP/1.1\r\nHost: here\r\n\r\n" * 3 + b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
    )
    assert (await reader.read()).count(b" 200 OK") == 4
    unsubscribe()
    writer.close()
    assert turns == [True] * 2 + [False] * 6
