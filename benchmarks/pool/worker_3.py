"""A server whose state is migrated: release 3, in which the migration of the last server fails."""

from dataclasses import dataclass
from os import getpid
from typing import Any

from node_runtime import Down, GenServer, Pid, gen_server

NODE = getpid()


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
        """Return a new state, made from the state of release 1.

        Fail for worker 0, which is migrated last. Do not fail in a rehearsal, which runs in another
        OS process.
        """
        if not state.number and getpid() == NODE:
            raise ValueError("this one can't be migrated")
        return State(state.number, state.count)


async def start_link(number: int) -> Pid:
    """Start the worker with this number."""
    return await gen_server.start_link(Worker, number)
