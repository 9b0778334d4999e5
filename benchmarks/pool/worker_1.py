"""A server whose state is migrated: release 1."""

from dataclasses import dataclass

from node_runtime import GenServer, Pid, gen_server


@dataclass(slots=True)
class State:
    """The number of the worker, and how often it was called."""

    number: int
    count: int = 0


class Worker(GenServer[State]):
    """Counts."""

    def init(self, number: int) -> State:
        """Begin at 0."""
        return State(number)

    def add(self) -> None:
        """Count one more."""
        self.state.count += 1


async def start_link(number: int) -> Pid:
    """Start one."""
    return await gen_server.start_link(Worker, number)
