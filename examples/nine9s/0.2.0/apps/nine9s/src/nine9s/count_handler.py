"""What /count answers."""

from __future__ import annotations

from nine9s import state_handler
from node_runtime.web import PlainTextResponse, Request, Response


async def count(_request: Request) -> Response:
    """How many greetings there were, as a number."""
    return PlainTextResponse(str(await state_handler.get_hello_world_count()))
