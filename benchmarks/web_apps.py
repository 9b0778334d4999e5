"""The applications that `benchmarks.web` serves: a bare one, FastAPI with JSON, and the function of a route."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from node_runtime.web import JSONResponse, Request, Response

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
