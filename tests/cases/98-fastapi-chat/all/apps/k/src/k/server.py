import contextlib

import uvicorn

from k import api, sockets


class Server(uvicorn.Server):
    """A server whose signals the node handles."""

    @contextlib.contextmanager
    def capture_signals(self):
        yield


async def site(scope, receive, send):
    """Requests of HTTP go to the application that changes often, so that it is not kept by open websockets."""
    module = api if scope["type"] == "http" else sockets
    await module.app(scope, receive, send)


async def run():
    server = Server(uvicorn.Config(site, port=int("@PORT@"), log_config=None, timeout_graceful_shutdown=1))
    try:
        await server.serve()
    finally:
        if server.started:
            await server.shutdown()
