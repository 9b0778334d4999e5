"""A server whose state is migrated: release 1."""

from dataclasses import dataclass

from node_runtime import GenServer, Pid, gen_server


@dataclass(slots=True)
class State:
    """The number of the worker, and how often it was called."""

    number: int
    count: int = 0


class Worker(GenServer[State]):
    """Counts its calls."""

    def init(self, number: int) -> State:
        """Start with a count of 0."""
        return State(number)

    def add(self) -> None:
        """Count this call."""
        self.state.count += 1


async def start_link(number: int) -> Pid:
    """Start the worker with this number."""
    return await gen_server.start_link(Worker, number)
