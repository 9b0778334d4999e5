"""The application: a supervisor with the counter, and the site."""

from __future__ import annotations

import logging
from typing import Any

from nine9s import sup
from node_runtime import Application, Pid, web
from node_runtime.application import get_env
from node_runtime.web import Route

LISTENER = "http"
OLD_ROUTES = (Route("/", "nine9s.default_handler:hello"),)
NEW_ROUTES = (Route("/count", "nine9s.count_handler:count"), *OLD_ROUTES)

logger = logging.getLogger(__name__)


class Nine9sApp(Application):
    """Opens the site after its supervisor has started, and closes it after the supervisor has ended."""

    async def start(self, start_type: str, args: Any) -> Pid:
        top = await sup.start_link()
        await web.start_http(LISTENER, port=get_env("nine9s", "http_port"), routes=NEW_ROUTES)
        logger.info("nine9s says hello and counts on port %d", web.port(LISTENER))
        return top

    async def stop(self) -> None:
        await web.stop_http(LISTENER)


def set_routes_new() -> None:
    """Add the routes that 0.1.0 lacks; the appup applies this."""
    web.set_routes(LISTENER, NEW_ROUTES)
    logger.info("/count is there")


def set_routes_old() -> None:
    """Remove the routes that 0.1.0 lacks; the appup applies this."""
    web.set_routes(LISTENER, OLD_ROUTES)
    logger.info("/count is gone")
