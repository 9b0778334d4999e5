"""A listener `site` in the running runtime, and the processes of its requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from node_runtime import all_processes, application, process_info, web
from node_runtime.web import Route


@asynccontextmanager
async def listening(routes: Iterable[Route] = ()) -> AsyncIterator[int]:
    """The port of a listener with these routes."""
    application.load(web.APPLICATION)
    await application.start("web")
    await web.start_http("site", port=0, routes=routes)
    yield web.port("site")
    await application.stop("web")


def requests_of(listener: object) -> list[int]:
    """The pids of the requests that the listener's process is the parent of."""
    return [pid for pid in all_processes() if process_info(pid).parent == listener]
