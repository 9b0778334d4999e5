"""Knows how much each person has said lately."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic

from hub import directory
from node_runtime import GenServer, Pid, call, gen_server, sys
from node_runtime.application import get_env

NAME = "limiter"


@dataclass(slots=True)
class State:
    """The times of each person's last messages."""

    said: dict[str, list[float]] = field(default_factory=dict)


async def start_link() -> Pid:
    """Start the limiter under its name."""
    return await gen_server.start_link(Limiter, name=NAME)


class Limiter(GenServer[State]):
    """The limiter's process."""

    async def init(self) -> State:
        """In an upgrade from 1.0, continue with what the directory has counted; its state has not changed yet."""
        before = await sys.get_state(directory.NAME)
        return State(dict(getattr(before, "said", {})))

    def may_say(self, user: str) -> bool:
        """Return whether a person may say something now, and count it."""
        now, most, seconds = monotonic(), get_env("hub", "messages"), get_env("hub", "seconds")
        lately = [at for at in self.state.said.get(user, ()) if at > now - seconds]
        allowed = len(lately) < most
        self.state.said[user] = [*lately, now] if allowed else lately
        return allowed


async def may_say(user: str) -> bool:
    """Return whether a person may say something now, and count it."""
    return await call(NAME, Limiter.may_say, user)
