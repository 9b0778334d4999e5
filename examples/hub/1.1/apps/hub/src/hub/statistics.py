"""Counts what happens in all rooms."""

from __future__ import annotations

from dataclasses import dataclass

from node_runtime import GenServer, Pid, call, cast, gen_server

NAME = "statistics"


@dataclass(slots=True)
class State:
    """The number of messages since the process began."""

    messages: int = 0


async def start_link() -> Pid:
    """Start the statistics under their name."""
    return await gen_server.start_link(Statistics, name=NAME)


class Statistics(GenServer[State]):
    """The process of the statistics."""

    def init(self) -> State:
        return State()

    def said(self) -> None:
        self.state.messages += 1

    def messages(self) -> int:
        return self.state.messages


def said() -> None:
    """Count a message, without waiting for the process."""
    cast(NAME, Statistics.said)


async def messages() -> int:
    """Return the number of messages since the process began."""
    return await call(NAME, Statistics.messages)
