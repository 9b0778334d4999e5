"""The application of `start_health`: reports whether the node is live and ready, and returns metrics for Prometheus."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from node_runtime.processes import runtime

from .listeners import Listener, listeners

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


async def live(_request: Request) -> Response:
    """Answer 200: the event loop runs."""
    return PlainTextResponse("live\n")


async def ready(_request: Request) -> Response:
    """Answer 200 if all listeners accept connections, else 503 with the names of those that don't."""
    waiting = [name for name, listener in listeners().items() if not _accepts(listener)]
    if waiting:
        return PlainTextResponse(f"not ready: {', '.join(sorted(waiting))}\n", status_code=503)
    return PlainTextResponse("ready\n")


async def metrics(_request: Request) -> Response:
    """Return the metrics of the node, and the metrics that the release has registered with prometheus_client."""
    lines = "".join(f"{line}\n" for line in _lines()).encode()
    if importlib.util.find_spec("prometheus_client") is not None:
        lines += importlib.import_module("prometheus_client").generate_latest()
    return Response(lines, headers={"content-type": METRICS_TYPE})


def _accepts(listener: Listener) -> bool:
    return listener.server is not None and listener.server.started


def _lines() -> Iterator[str]:
    yield "# TYPE node_runtime_processes gauge"
    yield f"node_runtime_processes {len(runtime().processes)}"
    known = [(one, one.server.server_state) for one in listeners().values() if one.server is not None]
    yield "# TYPE node_runtime_connections gauge"
    yield from (f'node_runtime_connections{{listener="{one.name}"}} {len(state.connections)}' for one, state in known)
    yield "# TYPE node_runtime_open_requests gauge"
    yield from (f'node_runtime_open_requests{{listener="{one.name}"}} {len(state.tasks)}' for one, state in known)
    yield "# TYPE node_runtime_requests_total counter"
    yield from (f'node_runtime_requests_total{{listener="{one.name}"}} {state.total_requests}' for one, state in known)


app = Starlette(routes=[Route("/-/live", live), Route("/-/ready", ready), Route("/metrics", metrics)])
