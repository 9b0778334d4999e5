"""What every process is: an identity, mail, links, and one slot that says whether it may be served now.

`gate` is the one thing that the fast path of a call tests. It is None exactly while the process is idle and its
callbacks may run in anybody's turn; every other condition is one of the values below, so that suspending or
killing costs nothing until it is used.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from node_runtime.protocol.messages import Kind, Status

from .messages import EXIT
from .pid import Pid, Ref
from .sparse import Seldom

if TYPE_CHECKING:
    from .reply_future import Awaited
    from .runtime import Runtime
    from .thread_pool import Work
    from .timers import TimerRef

BUSY: Final = "busy"
"""A callback runs, or waits at an `await`."""
YIELDING: Final = "yielding"
"""As BUSY, and something has to happen as soon as the callback ends: see `Process.between`."""
WAITING: Final = "waiting"
"""A plain coroutine waits in `receive`."""
HELD: Final = "held"
"""Suspended between two callbacks; mail queues."""
DEAD: Final = "dead"
"""Ended. If a frame of it still runs, it is a zombie."""

STATUS: Final[dict[str | None, Status]] = {
    None: "idle", WAITING: "idle", BUSY: "running", YIELDING: "running", HELD: "suspended", DEAD: "zombie",
}  # fmt: skip

Item: TypeAlias = "tuple[Any, Any, Any, Awaited | None]"
"""One piece of mail: what it is (None for a plain message), two operands, and where the answer goes.

A request's are its positional and its keyword arguments, or its one argument and None: see `operands`."""


def operands(item: Item) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a request."""
    return ((item[1],), {}) if item[2] is None else (item[1], item[2])


here: ContextVar[Process | None] = ContextVar("node_runtime.process", default=None)
"""The process whose task this is. A plain callback has no task: see `Runtime.current`."""


class Process:
    """One process as the runtime sees it. User code holds its `pid` only."""

    __slots__ = (
        "calling",
        "gate",
        "handled",
        "item",
        "links",
        "mail",
        "name",
        "parent",
        "pid",
        "runtime",
        "seldom",
        "since",
        "spent",
        "started",
        "task",
        "trapping",
    )
    kind: ClassVar[Kind] = "process"
    reason: Seldom[Any] = Seldom()
    monitors: Seldom[dict[Ref, Process]] = Seldom()
    watchers: Seldom[dict[Ref, Callable[[object], None]]] = Seldom()
    held: Seldom[set[object]] = Seldom()
    between: Seldom[list[Callable[[], None]]] = Seldom()
    alarms: Seldom[set[TimerRef]] = Seldom()
    threads: Seldom[tuple[Work, ...]] = Seldom()
    ending: Seldom[dict[Process, None]] = Seldom()
    """Whom it waits for until all have ended."""

    def __init__(self, runtime: Runtime, parent: Pid) -> None:
        self.runtime = runtime
        self.pid = runtime.next_pid()
        self.parent = parent
        self.name: str | None = None
        self.gate: str | None = BUSY
        self.mail: deque[Item] | None = None
        self.trapping = False
        self.started = runtime.now()
        self.handled = 0
        self.spent = 0.0
        """Seconds in callbacks that have ended; see `busy_seconds`."""
        self.since = 0.0
        """When the async callback that runs now began, on the monotonic clock; 0.0 without one."""
        # The rest is None until used: most processes never need it.
        self.seldom: dict[str, Any] | None = None
        self.task: asyncio.Task[None] | None = None
        self.item: Item | None = None
        self.links: Process | dict[int, Process] | None = None
        self.calling: dict[asyncio.Task[Any] | None, tuple[Process, Item]] | None = None
        """Whom its tasks have asked and wait for."""

    @property
    def status(self) -> Status:
        """As shown to people."""
        return STATUS[self.gate]

    @property
    def module(self) -> str:
        """The module that its code comes from."""
        raise NotImplementedError

    @property
    def qualname(self) -> str:
        """The class or function of `module` that it runs."""
        raise NotImplementedError

    def run(self) -> int:
        """Handle queued mail, a bounded number; the scheduler calls it. Returns how many messages were handled."""
        raise NotImplementedError

    def die(self, reason: object) -> None:
        """An exit signal that it doesn't trap has arrived."""
        self.runtime.end(self, reason)

    def take_exit(self, sender: Pid, reason: object) -> None:
        """An exit signal that it traps has arrived."""
        self.runtime.post(self, (None, EXIT(sender, reason), None, None))

    def ended(self) -> None:
        """It has just ended: let go of what only this kind of process holds."""

    def buried(self) -> None:
        """Its last frame has ended."""

    def add_link(self, other: Process) -> None:
        """One side of a link. Most processes have one, to their supervisor: it needs no container."""
        links = self.links
        if links is None:
            self.links = other
        elif isinstance(links, dict):
            links[other.pid] = other
        elif links is not other:
            self.links = {links.pid: links, other.pid: other}

    def drop_link(self, other: Process) -> None:
        """Undo `add_link`."""
        if isinstance(self.links, dict):
            self.links.pop(other.pid, None)
        elif self.links is other:
            self.links = None

    def linked(self) -> tuple[Process, ...]:
        """The processes at the other ends of its links, oldest link first."""
        links = self.links
        if links is None:
            return ()
        return tuple(links.values()) if isinstance(links, dict) else (links,)

    def current_callback(self) -> str | None:
        """The name of the async callback that it is in the middle of."""
        return None

    def resumed(self) -> None:
        """Nobody holds it any more."""
        self.gate = None
        if self.mail is not None:
            self.runtime.make_ready(self)

    def busy_seconds(self) -> float:
        """How long it has been in callbacks, the time at their awaits included: when it could serve nobody."""
        return self.spent + (time.monotonic() - self.since if self.since else 0.0)

    def waits_for(self) -> Collection[Process]:
        """Those without whose answer or end its callback can't end. What other tasks of it ask doesn't stop it."""
        asked = (self.calling or {}).get(self.task)
        if asked is None or self.task is None or self.gate is DEAD:
            return ()
        process, item = asked
        if process.owes(item) or (item[3] is not None and item[3].done()):
            return ()
        return self.ending or (process,)

    def owes(self, item: Item) -> bool:
        """Whether the answer to `item` may come from elsewhere than the callback for it."""
        return False

    def answered(self, future: Awaited, answer: object) -> None:
        """Somebody has given the answer that it owed."""

    def settle_debt(self, future: Awaited) -> None:
        """The answer that it owed has been given."""

    def title(self) -> str:
        """Names it for people: `fil_color_fsm <12>`, or `<12>`."""
        return f"{self.name} {self.pid}" if self.name else str(self.pid)
