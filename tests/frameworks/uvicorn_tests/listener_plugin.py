"""A plugin of pytest that puts the server of our listeners in the place of uvicorn's, in uvicorn's own tests.

`python -m tests.frameworks.uvicorn_tests` loads it beside uvicorn's package `tests`, so it imports nothing of ours.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any, Final, cast

import pytest

from node_runtime.processes import Pid
from node_runtime.web.clients.request_gate import RequestGate
from node_runtime.web.http_connection import connection_class
from node_runtime.web.lifespan.lifespan import Lifespan
from node_runtime.web.named_application import NamedApplication
from node_runtime.web.server import Server, ServerConfig
from node_runtime.web.server_options import ServerOptions
from node_runtime.web.websockets import WebSocketRoutes

MODULES: Final = ("tests.protocols.test_http", "tests.protocols.test_websocket")
ONE_WARNING: Final = "a listener combines the warnings about clients into one per minute"
NOT_APPLYING: Final = {
    "test_lifespan_state": (
        "in a listener, the lifespan's state in a request's scope belongs to one version of the application"
    ),
    "test_scopes": "an application of ASGI 2 is served only if it is a class, and its scope has the version 3.0",
    "test_huge_headers_h11protocol_failure": "the test uses uvicorn's own class; a listener answers 431 instead of 400",
    "test_large_post_request": (
        "a listener parses a body in pieces, one in each turn of the event loop, and the test runs no further turns"
    ),
    "test_invalid_http": (
        "a listener parses the request in pieces, one in each turn of the event loop, and the test runs no "
        "further turns"
    ),
    "test_early_response": (
        "a request with a short body begins when its body has arrived, so no response comes before the body"
    ),
    "test_keepalive_timeout": "a listener closes idle connections once a second, without timers",
    "test_unsupported_ws_upgrade_request_warn_on_auto": ONE_WARNING,
    "test_header_upgrade_is_not_websocket_depend_installed": ONE_WARNING,
    "test_header_upgrade_is_websocket_depend_not_installed": ONE_WARNING,
}
"""The tests that can't apply to a listener, each with the reason. docs/layers/web.md lists them."""
UVICORNS_DEFAULTS: Final[ServerOptions] = {"access_log": True, "server_header": True, "timeout_keep_alive": 5}
"""The defaults of uvicorn that tests rely on, and that a listener's differ from."""
_numbers: Final = itertools.count(1)


class TestedConfig(ServerConfig):
    """The configuration of a listener that serves the application of a test, which it looks up by its name."""

    def __init__(self, app: Any, *, port: int = 0, lifespan: str = "off", **options: Any) -> None:
        name = f"application_{next(_numbers)}"
        module = sys.modules[name] = ModuleType(name)
        module.app = app  # type: ignore[attr-defined]
        self.named = NamedApplication(f"{name}:app")
        known = {key: value for key, value in options.items() if key in ServerOptions.__optional_keys__}
        if "http" in known:
            known["http"] = getattr(known["http"], "of_uvicorn", known["http"])  # the server makes its own class of it
        chosen = cast("ServerOptions", {**UVICORNS_DEFAULTS, **known})
        super().__init__(self.named, chosen, "tested", WebSocketRoutes(()), RequestGate())
        self.port, self.with_lifespan = port, lifespan == "on"


@asynccontextmanager
async def run_server(config: TestedConfig, sockets: Any = None) -> AsyncIterator[Server]:
    """Run a listener's server, and the lifespan of the application if the test wants one."""
    lifespan = Lifespan(config.named.reference, config.named.current(), Pid(0), state={})
    if config.with_lifespan:
        await lifespan.startup()
        config.named.adopt(lifespan)
    started = asyncio.Event()
    server = Server(config, started.set)
    task = asyncio.create_task(server.serve(sockets=sockets))
    await started.wait()
    try:
        yield server
    finally:
        await server.shutdown()
        await lifespan.shutdown()
        task.cancel()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests that can't apply."""
    for item in items:
        reason = NOT_APPLYING.get(getattr(item, "originalname", item.name))
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Replace what the collected modules have imported of uvicorn."""
    for name in MODULES:
        module: Any = sys.modules.get(name)
        if module is not None:
            module.Config, module.run_server = TestedConfig, run_server
    conftest: Any = sys.modules["tests.conftest"]
    conftest.import_from_string = _listeners_protocol(conftest.import_from_string)


def _listeners_protocol(find: Callable[[str], Any]) -> Callable[[str], Any]:
    def found(name: str) -> Any:
        protocol = find(name)
        if ".http." not in name:
            return protocol
        listeners = connection_class(protocol)
        listeners.__name__ = protocol.__name__  # some tests look at it
        listeners.of_uvicorn = protocol
        return listeners

    return found
