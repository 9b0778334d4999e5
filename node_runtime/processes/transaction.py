"""What an upgrade's script does, until nothing can fail any more: all of it can still be taken back.

What is born inside a barrier is held from its first idle moment on. What is to end inside is only parked: it stays,
held, and ends when the script has succeeded. What has been changed inside has its inverse noted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from .pid import Pid

if TYPE_CHECKING:
    from .process import Process


class Barrier:
    """What one owner's script has done so far.

    `seconds` is how long it may take to hold a process that the script comes upon.
    """

    __slots__ = (
        "born",
        "earlier",
        "endings",
        "given",
        "held",
        "inverses",
        "kept",
        "over",
        "owner",
        "parked",
        "seconds",
    )

    def __init__(self, owner: object, seconds: float = 5.0) -> None:
        self.owner = owner
        self.seconds = seconds
        self.born: list[Pid] = []
        self.held: list[Pid] = []
        """Who was held only because the script had to do with it."""
        self.earlier: dict[str, dict[str, Any]] = {}
        """Namespaces of modules that are switched already, but by the script's word only from a later place on."""
        self.parked: dict[int, Process] = {}
        self.endings: list[Callable[[], Awaitable[object]]] = []
        """What has been put off, in order."""
        self.inverses: list[Callable[[], object]] = []
        """What takes back what has been done, to be called in the opposite order; it can't fail."""
        self.given: list[tuple[str, Process]] = []
        """Names of parked processes that something born inside has now."""
        self.kept: set[int] = set()
        """The supervisors whose state before has its inverse."""
        self.over = False
        """The script has ended, but tasks that it has started may still run."""

    def gives(self, name: str, holder: Process) -> bool:
        """Whether something born inside may have this name, since who holds it counts as ended: that one loses it."""
        above: Process | None = holder
        while above is not None and above.pid not in self.parked:
            above = holder.runtime.processes.get(above.parent)
        if above is None:
            return False
        del holder.runtime.names[name]
        holder.name = None
        self.given.append((name, holder))
        return True


barrier: ContextVar[Barrier | None] = ContextVar("node_runtime.barrier", default=None)


def current_barrier() -> Barrier | None:
    """The barrier that the caller acts inside of."""
    inside = barrier.get()
    return None if inside is None or inside.over else inside


@contextmanager
def entered(inside: Barrier) -> Iterator[Barrier]:
    """Act inside of it; may be entered several times, until it is over."""
    token = barrier.set(inside)
    try:
        yield inside
    finally:
        barrier.reset(token)
