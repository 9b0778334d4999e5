"""The application: a supervisor, and the site."""

from __future__ import annotations

import logging
from typing import Any

from hub import sup
from node_runtime import Application, Pid, web
from node_runtime.application import get_env
from node_runtime.web import WebSocketRoute

LISTENER = "http"
WEBSOCKETS = [WebSocketRoute("/rooms/{room}/{name}", "hub.member:Member")]

logger = logging.getLogger(__name__)


class HubApp(Application):
    """Opens the site after the supervisor has started, and closes it before the supervisor ends."""

    async def start(self, start_type: str, args: Any) -> Pid:
        top = await sup.start_link()
        await web.start_asgi(LISTENER, "hub.site:app", port=get_env("hub", "http_port"), websockets=WEBSOCKETS)
        logger.info("hub is open on port %d", web.port(LISTENER))
        return top

    async def prep_stop(self) -> None:
        await web.stop_http(LISTENER)
