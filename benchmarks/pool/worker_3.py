"""A server whose state is migrated: release 3, in which the last server's migration fails."""

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
    """Counts."""

    def init(self, number: int) -> State:
        """Begin at 0."""
        return State(number)

    def add(self) -> None:
        """Count one more."""
        self.state.count += 1

    @classmethod
    def code_change(cls, old_vsn: str | Down, state: Any, extra: Any) -> State:
        """Returns a new state made from that of release 1; fails for number 0, the last one, outside a rehearsal."""
        if not state.number and getpid() == NODE:
            raise ValueError("this one can't be migrated")
        return State(state.number, state.count)


async def start_link(number: int) -> Pid:
    """Start one."""
    return await gen_server.start_link(Worker, number)
