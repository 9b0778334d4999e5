"""A server whose state is migrated: release 2, with one more field."""

from dataclasses import dataclass
from typing import Any

from node_runtime import Down, GenServer, Pid, gen_server


@dataclass(slots=True)
class State:
    """The number of the worker, and how often it was called."""

    number: int
    count: int = 0
    tag: str = "new"


class Worker(GenServer[State]):
    """Counts its calls."""

    def init(self, number: int) -> State:
        """Start with a count of 0."""
        return State(number)

    def add(self) -> None:
        """Count this call."""
        self.state.count += 1

    @classmethod
    def code_change(cls, old_vsn: str | Down, state: Any, extra: Any) -> State:
        """Return a new state, made from the state of release 1."""
        return State(state.number, state.count)


async def start_link(number: int) -> Pid:
    """Start the worker with this number."""
    return await gen_server.start_link(Worker, number)
