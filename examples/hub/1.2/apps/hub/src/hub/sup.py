"""The supervisors: of the whole hub, and of its rooms."""

from __future__ import annotations

from node_runtime import ChildSpec, Pid, Supervisor, supervisor


class HubSup(Supervisor):
    """If another child crashes, the rooms go on."""

    strategy, intensity, period = "one_for_one", 5, 10.0

    def children(self) -> list[ChildSpec]:
        return [
            ChildSpec("directory", start="hub.directory:start_link"),
            ChildSpec("limiter", start="hub.limiter:start_link"),
            ChildSpec("statistics", start="hub.statistics:start_link"),
            ChildSpec("rooms", start="hub.sup:start_rooms", type="supervisor"),
        ]


class RoomsSup(Supervisor):
    """Has one child for each room, which starts with its first member. A room that crashes opens again, empty."""

    strategy, intensity, period = "simple_one_for_one", 5, 10.0

    def children(self) -> list[ChildSpec]:
        return [ChildSpec("room", start="hub.room:start_link", restart="transient")]


async def start_link() -> Pid:
    """Start the hub's supervisor and its children."""
    return await supervisor.start_link(HubSup, name="hub_sup")


async def start_rooms() -> Pid:
    """Start the supervisor of the rooms, without rooms."""
    return await supervisor.start_link(RoomsSup, name="hub_rooms")
