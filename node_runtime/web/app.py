"""The `web` application: one supervisor, which gets a child for each listener that is started."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from node_runtime.application import Application, AppSpec
from node_runtime.processes import Pid
from node_runtime.supervisor import ChildSpec, Supervisor, start_link

from .listeners import SUPERVISOR, listeners


class WebApp(Application):
    """The callbacks of the application `web`. Other applications start their listeners with `start_http`."""

    async def start(self, start_type: str, args: Any) -> Pid:
        return await start_link(WebSup, name=SUPERVISOR)

    async def stop(self) -> None:
        listeners().close_all()


class WebSup(Supervisor):
    """The supervisor of the listeners. It starts without children. A listener that crashes does not affect others."""

    strategy, intensity, period = "one_for_one", 10, 10.0

    def children(self) -> list[ChildSpec]:
        return []


APPLICATION = AppSpec(
    name="web",
    vsn=metadata.version("hotdash"),
    mod="node_runtime.web.app:WebApp",
    registered=(SUPERVISOR,),
)
"""The built-in application web, which has the supervisor of all listeners."""
