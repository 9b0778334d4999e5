"""Counts the greetings."""

from __future__ import annotations

from dataclasses import dataclass

from node_runtime import GenServer, Pid, call, cast, gen_server

NAME = "state_handler"


@dataclass(slots=True)
class State:
    """The number of greetings so far."""

    count: int = 0


async def start_link() -> Pid:
    """Start the counter under its name."""
    return await gen_server.start_link(StateHandler, name=NAME)


def hello_world() -> None:
    """Count a greeting, without waiting for the counter."""
    cast(NAME, StateHandler.hello_world)


async def get_hello_world_count() -> int:
    """Return the number of greetings so far."""
    return await call(NAME, StateHandler.hello_world_count)


class StateHandler(GenServer[State]):
    """The counter's process."""

    def init(self) -> State:
        return State()

    def hello_world(self) -> None:
        self.state.count += 1

    def hello_world_count(self) -> int:
        return self.state.count
