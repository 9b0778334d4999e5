"""The supervisor of a listener's websockets. It is started when the listener's first websocket is opened."""

from __future__ import annotations

from node_runtime import gen_server
from node_runtime.processes import Pid, Target, runtime
from node_runtime.supervisor import ChildRefused, ChildSpec, Supervisor, start_child, terminate_child
from node_runtime.supervisor import start_link as start_supervisor

from .routes import handler_class

SHUTDOWN_SECONDS = 5.0


class WebSocketSup(Supervisor):
    """The supervisor of the handlers. The end of a handler doesn't affect others, and no handler is restarted."""

    strategy, intensity, period = "simple_one_for_one", 0, 1.0

    def children(self) -> list[ChildSpec]:
        start = "node_runtime.web.websockets.supervisor:start_link_handler"
        return [ChildSpec("websocket", start=start, restart="temporary", shutdown=SHUTDOWN_SECONDS)]


async def start_link(name: str) -> Pid:
    """Start a supervisor of websockets under a name."""
    return await start_supervisor(WebSocketSup, name=name)


async def start_link_handler(reference: str, number: int) -> Pid:
    """Start a handler of the current class "module:Class" for the connection with this number; return its pid.

    The function doesn't wait for the callback `connected`, which may take long. Raises Refused for an unusable class.
    """
    return await gen_server.spawn_link(handler_class(reference), number)


async def start_handler(above: Target, listener: str, reference: str, number: int) -> None:
    """Start the handler of a connection below its listener's supervisor of websockets.

    The supervisor is a child of `above`, and is started if necessary. Raises Refused, and Exit if a supervisor ends
    meanwhile.
    """
    name = supervisor_name(listener)
    if name not in runtime().names:
        spec = ChildSpec(
            name,
            start="node_runtime.web.websockets.supervisor:start_link",
            args=(name,),
            restart="temporary",
            type="supervisor",
        )
        try:
            await start_child(above, spec)
        except ChildRefused as refusal:
            if refusal.reason != "already_started":
                raise
    await start_child(name, (reference, number))


async def stop_handlers(above: Target, listener: str) -> None:
    """Stop the handlers of a listener that stops, and their supervisor. Raises Exit if a supervisor ends meanwhile."""
    if supervisor_name(listener) in runtime().names:
        await terminate_child(above, supervisor_name(listener))


def supervisor_name(listener: str) -> str:
    """Return the name of the supervisor of a listener's websockets."""
    return f"{listener}_websockets"
