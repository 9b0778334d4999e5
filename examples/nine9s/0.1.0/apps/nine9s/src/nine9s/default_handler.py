"""What / answers."""

from __future__ import annotations

from node_runtime.web import PlainTextResponse, Request, Response


def hello(_request: Request) -> Response:
    """The greeting."""
    return PlainTextResponse("Hello world!")
