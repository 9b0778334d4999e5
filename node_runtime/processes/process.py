"""The state that every process has: identity, mailbox, links, and the run state that decides whether callbacks may run.

`run_state` is None exactly while the process is idle and a callback may begin. Otherwise it is a constant of this
module, such as `BUSY` or `DEAD`. So a call needs only one test: None also means that the process is neither suspended
nor ended.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeAlias, TypeVar, overload

from node_runtime.protocol.messages import ProcessKind, RunStatus

from .messages import EXIT
from .pid import Pid, Ref

if TYPE_CHECKING:
    from typing import Self

    from .reply_future import AnyReplyFuture
    from .runtime import Runtime
    from .thread_pool import ThreadWork
    from .timers import TimerRef

T = TypeVar("T")

BUSY: Final = "busy"
"""A callback runs, or waits at an `await`."""
YIELDING: Final = "yielding"
"""Like BUSY; in addition, the functions in `Process.after_callback` are called when the callback ends."""
WAITING: Final = "waiting"
"""A plain coroutine waits in `receive`."""
HELD: Final = "held"
"""Suspended between two callbacks; messages wait in the mailbox."""
DEAD: Final = "dead"
"""Ended. While a frame or a thread of the process still runs, it is a zombie."""

STATUS: Final[dict[str | None, RunStatus]] = {
    None: "idle", WAITING: "idle", BUSY: "running", YIELDING: "running", HELD: "suspended", DEAD: "zombie",
}  # fmt: skip
"""The status that is shown for each value of `Process.run_state`."""

MailItem: TypeAlias = "tuple[Any, Any, Any, AnyReplyFuture | None]"
"""One entry of a mailbox: its tag (None for a plain message), two operands, and the future that gets the reply.

The operands of a request are its positional and its keyword arguments. If a request has only one argument, and this is
positional, the operands are the argument and None: see `request_arguments`.
"""


def request_arguments(item: MailItem) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the positional and the keyword arguments of a request."""
    return ((item[1],), {}) if item[2] is None else (item[1], item[2])


task_process: ContextVar[Process | None] = ContextVar("node_runtime.process", default=None)
"""The process whose task is running. A callback that isn't async has no task: see `Runtime.current`."""


class SparseAttribute(Generic[T]):
    """An attribute that most processes never set; it is None until it is assigned, and takes no memory until then.

    A slot would take 8 bytes in each process. Instead, a process has one dictionary for all sparse attributes. An
    assignment replaces the dictionary and never changes it. So processes with equal values can share a dictionary: an
    install that suspends a thousand processes needs only one.
    """

    def __set_name__(self, owner: type[Process], name: str) -> None:
        self.name = name

    @overload
    def __get__(self, process: None, owner: type[Process]) -> Self: ...
    @overload
    def __get__(self, process: Process, owner: type[Process]) -> T | None: ...
    def __get__(self, process: Process | None, owner: type[Process]) -> Any:
        if process is None:
            return self
        sparse = process.sparse  # read once: another thread may call this while the event loop is blocked
        return None if sparse is None else sparse.get(self.name)

    def __set__(self, process: Process, value: T | None) -> None:
        sparse = process.sparse
        if value is not None:
            process.sparse = {self.name: value} if sparse is None else {**sparse, self.name: value}
        elif sparse is not None and self.name in sparse:
            process.sparse = {name: sparse[name] for name in sparse if name != self.name} or None


NORMAL_END: Final[dict[str, Any]] = {"reason": "normal"}
"""The sparse attributes of all processes that have ended normally and have no other sparse attribute."""


class Process:
    """The runtime's object for a process. User code has only its `pid`."""

    __slots__ = (
        "awaited_calls",
        "callback_began",
        "current_item",
        "handled",
        "links",
        "mail",
        "name",
        "parent",
        "pid",
        "run_state",
        "runtime",
        "sparse",
        "spent",
        "started",
        "task",
        "trapping",
    )
    kind: ClassVar[ProcessKind] = "process"
    reason: SparseAttribute[Any] = SparseAttribute()
    monitors: SparseAttribute[dict[Ref, Process]] = SparseAttribute()
    watchers: SparseAttribute[dict[Ref, Callable[[object], None]]] = SparseAttribute()
    suspend_owners: SparseAttribute[set[object]] = SparseAttribute()
    """The owners that have suspended the process."""
    after_callback: SparseAttribute[list[Callable[[], None]]] = SparseAttribute()
    """Functions to call when the current callback ends."""
    timer_refs: SparseAttribute[set[TimerRef]] = SparseAttribute()
    threads: SparseAttribute[tuple[ThreadWork, ...]] = SparseAttribute()
    awaited_exits: SparseAttribute[dict[Process, None]] = SparseAttribute()
    """The processes whose ends this process awaits. An ended process stays listed until the last one has ended."""

    def __init__(self, runtime: Runtime, parent: Pid) -> None:
        self.runtime = runtime
        self.pid = runtime.next_pid()
        self.parent = parent
        self.name: str | None = None
        self.run_state: str | None = BUSY
        self.mail: deque[MailItem] | None = None
        self.trapping = False
        self.started = runtime.now()
        self.handled = 0
        self.spent = 0.0
        """Seconds spent in callbacks that have ended; see `busy_seconds`."""
        self.callback_began = 0.0
        """The time, on the monotonic clock, at which the current async callback began; 0.0 if none runs."""
        # The other attributes are None until used: most processes never need them.
        self.sparse: dict[str, Any] | None = None
        self.task: asyncio.Task[None] | None = None
        self.current_item: MailItem | None = None
        """The mailbox entry that the current async callback, or `terminate`, handles."""
        self.links: Process | dict[int, Process] | None = None
        self.awaited_calls: dict[asyncio.Task[Any] | None, tuple[Process, MailItem]] | None = None
        """For each task of this process that waits for a reply: the called process and the request."""

    @property
    def status(self) -> RunStatus:
        """The status that people see: "idle", "running", "suspended" or "zombie"."""
        return STATUS[self.run_state]

    @property
    def module(self) -> str:
        """The module of the code that the process runs."""
        raise NotImplementedError

    @property
    def qualname(self) -> str:
        """The class or function of `module` that the process runs."""
        raise NotImplementedError

    def run(self) -> int:
        """Handle queued messages, up to a limit, and return the number of handled messages. Called by the scheduler."""
        raise NotImplementedError

    def take_untrapped_exit(self, reason: object) -> None:
        """Handle an exit signal that the process doesn't trap."""
        self.runtime.end(self, reason)

    def take_trapped_exit(self, sender: Pid, reason: object) -> None:
        """Handle an exit signal that the process traps."""
        self.runtime.post(self, (None, EXIT(sender, reason), None, None))

    def on_ended(self) -> None:
        """Called when the process has just ended. Subclasses override this to release their resources."""

    def on_last_frame_ended(self) -> None:
        """Called when the last frame of an already ended process has ended.

        Subclasses override this method.
        """

    def add_link(self, other: Process) -> None:
        """Add `other` to the linked processes. A single link, the most frequent case, is stored without a container."""
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
        """Return the linked processes, oldest link first."""
        links = self.links
        if links is None:
            return ()
        return tuple(links.values()) if isinstance(links, dict) else (links,)

    def is_alone(self) -> bool:
        """Return whether the process has no name, links, monitors, messages, calls, timers or threads."""
        return (
            self.sparse is None
            and self.links is None
            and self.mail is None
            and self.name is None
            and self.current_item is None
            and not self.awaited_calls
        )

    def current_callback(self) -> str | None:
        """Return the name of the async callback that is suspended at an `await`, if any."""
        return None

    def on_resumed(self) -> None:
        """Become idle again, because the last owner of a suspend has resumed the process."""
        self.run_state = None
        if self.mail is not None:
            self.runtime.make_ready(self)

    def busy_seconds(self) -> float:
        """Return the seconds spent in callbacks, including their awaits.

        During an await, the process can handle no other message.
        """
        return self.spent + (time.monotonic() - self.callback_began if self.callback_began else 0.0)

    def waits_for(self) -> Collection[Process]:
        """Return the processes whose reply or exit the current callback awaits.

        Waits of other tasks that the process has started don't count.
        """
        asked = (self.awaited_calls or {}).get(self.task)
        if asked is None or self.task is None or self.run_state is DEAD:
            return ()
        process, item = asked
        if process.has_pending_reply(item) or (item[3] is not None and item[3].done()):
            return ()
        return self.awaited_exits or (process,)

    def has_pending_reply(self, item: MailItem) -> bool:
        """Return whether code outside of the callback for `item` may still reply to `item`."""
        return False

    def on_pending_reply_sent(self, future: AnyReplyFuture, answer: object) -> None:
        """Called when a pending reply of this process has been sent, with the value `answer`.

        Subclasses override it.
        """

    def forget_pending_reply(self, future: AnyReplyFuture) -> None:
        """Forget a pending reply, because it has been sent."""

    def title(self) -> str:
        """Return the name and the pid, for texts: `fil_color_fsm <12>`; only the pid if the process has no name."""
        return f"{self.name} {self.pid}" if self.name else str(self.pid)
