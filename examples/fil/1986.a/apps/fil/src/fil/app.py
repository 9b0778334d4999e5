"""The application: a supervisor with the colour machine, and the site that shows it."""

from __future__ import annotations

from typing import Any

from fil import sup
from node_runtime import Application, Pid, web
from node_runtime.application import get_env
from node_runtime.web import Route

LISTENER = "main_http_listener"
ROUTES = (
    Route("/", "fil.handler:root"),
    Route("/which-color.json", "fil.handler:which_color"),
)


class FilApp(Application):
    """Opens the site after the colour machine has started, and closes it after the machine has ended."""

    async def start(self, start_type: str, args: Any) -> Pid:
        top = await sup.start_link()
        await web.start_http(LISTENER, port=get_env("fil", "http_port"), routes=ROUTES)
        return top

    async def stop(self) -> None:
        await web.stop_http(LISTENER)
