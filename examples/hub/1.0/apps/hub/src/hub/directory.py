"""Knows all rooms, and how much each person has said lately."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic

from node_runtime import GenServer, Pid, call, gen_server
from node_runtime.application import get_env
from node_runtime.supervisor import ChildRefused, start_child

NAME = "directory"


@dataclass(slots=True)
class State:
    """The names of the rooms, and the times of each person's last messages."""

    rooms: set[str] = field(default_factory=set)
    said: dict[str, list[float]] = field(default_factory=dict)


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

    def may_say(self, user: str) -> bool:
        """Return whether a person may say something now, and count it."""
        now, most, seconds = monotonic(), get_env("hub", "messages"), get_env("hub", "seconds")
        lately = [at for at in self.state.said.get(user, ()) if at > now - seconds]
        allowed = len(lately) < most
        self.state.said[user] = [*lately, now] if allowed else lately
        return allowed


async def may_say(user: str) -> bool:
    """Return whether a person may say something now, and count it."""
    return await call(NAME, Directory.may_say, user)
