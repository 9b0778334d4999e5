"""The handler of the path /."""

from __future__ import annotations

from node_runtime.web import PlainTextResponse, Request, Response


def hello(_request: Request) -> Response:
    """Return the greeting."""
    return PlainTextResponse("Hello world!")
