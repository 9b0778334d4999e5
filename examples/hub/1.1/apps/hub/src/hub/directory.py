"""Knows all rooms."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from node_runtime import Down, GenServer, Pid, Vsn, gen_server
from node_runtime.supervisor import ChildRefused, start_child

NAME = "directory"


@dataclass(slots=True)
class State:
    """The names of the rooms."""

    rooms: set[str] = field(default_factory=set)


async def start_link() -> Pid:
    """Start the directory under its name."""
    return await gen_server.start_link(Directory, name=NAME)


class Directory(GenServer[State]):
    """The directory's process."""

    def init(self) -> State:
        return State()

    async def open_room(self, room: str) -> str:
        """Open a room, unless it is open. Return the name of its process."""
        if room not in self.state.rooms:
            try:
                await start_child("hub_rooms", [room])
            except ChildRefused as refusal:
                if refusal.reason != "already_started":
                    raise
            self.state.rooms.add(room)
        return f"room {room}"

    def rooms(self) -> list[str]:
        """Return the names of all rooms."""
        return sorted(self.state.rooms)

    @classmethod
    def code_change(cls, old_vsn: Vsn | Down, state: Any, extra: Any) -> Any:
        """The limiter has taken what people have said lately; on the way down, 1.0 begins to count anew."""
        target = old_vsn.target.State if isinstance(old_vsn, Down) else State
        return target(rooms=state.rooms)
