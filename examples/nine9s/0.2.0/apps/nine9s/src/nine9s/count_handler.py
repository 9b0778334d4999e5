"""The handler of the path /count."""

from __future__ import annotations

from nine9s import state_handler
from node_runtime.web import PlainTextResponse, Request, Response


async def count(_request: Request) -> Response:
    """Return the number of greetings so far."""
    return PlainTextResponse(str(await state_handler.get_hello_world_count()))
