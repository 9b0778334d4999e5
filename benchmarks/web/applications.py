"""The applications that the servers of this benchmark serve."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from node_runtime.web import Handshake, JSONResponse, Request, Response, WebSocketHandler

HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"17")]
json_app = FastAPI()


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """Answer with a constant."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b'{"hello":"world"}'})


@json_app.get("/")
async def hello() -> dict[str, str]:
    """Answer with JSON, through FastAPI."""
    return {"hello": "world"}


def route(request: Request) -> Response:
    """The same as the function of a route."""
    return JSONResponse({"hello": "world"})


async def same_as_route(scope: Any, receive: Any, send: Any) -> None:
    """What `route` answers, as a bare application of Starlette's responses."""
    await route(Request(scope, receive))(scope, receive, send)


class Echo(WebSocketHandler[None]):
    """A websocket that sends each message back; it is a process."""

    def connected(self, request: Handshake) -> None:
        """Accept each client."""

    def handle_text(self, text: str) -> None:
        """Send the message back."""
        self.send_text(text)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """The same as the coroutine of a bare application."""
    assert scope["type"] == "websocket"
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
