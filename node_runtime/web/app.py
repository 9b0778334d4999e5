"""The `web` application: one supervisor, below which each listener is a child."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from node_runtime.behaviours.application import Application
from node_runtime.behaviours.application_controller import AppSpec
from node_runtime.behaviours.supervision.child_spec import ChildSpec
from node_runtime.behaviours.supervision.management import start_link
from node_runtime.behaviours.supervision.supervisor import Supervisor
from node_runtime.processes import Pid

from .listener import SUPERVISOR, close_all


class WebApp(Application):
    """Listeners are started by the applications that need them, with `start_http`."""

    async def start(self, start_type: str, args: Any) -> Pid:
        return await start_link(WebSup, name=SUPERVISOR)

    async def stop(self) -> None:
        close_all()


class WebSup(Supervisor):
    """Begins without children; a listener that falls does not disturb the others."""

    strategy, intensity, period = "one_for_one", 10, 10.0

    def children(self) -> list[ChildSpec]:
        return []


APPLICATION = AppSpec(
    name="web",
    vsn=metadata.version("hotdash"),
    mod="node_runtime.web.app:WebApp",
    registered=(SUPERVISOR,),
)
