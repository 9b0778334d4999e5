"""The handler of the path /."""

from __future__ import annotations

from nine9s import state_handler
from node_runtime.web import PlainTextResponse, Request, Response


def hello(_request: Request) -> Response:
    """Return the greeting, and count it."""
    state_handler.hello_world()
    return PlainTextResponse("Hello world 2 !")
