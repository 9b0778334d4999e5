"""The runtime: all processes of a node, their names, and what happens when one of them ends.

Signals act at once. An exit signal that isn't trapped ends its target even in the middle of a callback: the process
is gone for everybody else, and a frame of it that still runs can't do anything through the runtime any more.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Container
from functools import partial
from itertools import count
from threading import get_ident
from typing import Any, Final, Self, TypeVar

from . import current_runtime
from .errors import Exit, NameTaken, NoProcess, NotInProcess, is_word
from .exit_log import Ends
from .messages import DOWN, ProcessEvent
from .pid import ROOT, Pid, Ref, Target
from .process import BUSY, DEAD, YIELDING, Process, here
from .scheduler import Scheduler
from .thread_pool import Threads, Work
from .timers import check_seconds
from .transaction import current_barrier
from .wait_graph import ends_of

T = TypeVar("T")
logger = logging.getLogger("node_runtime")
STOP_GRACE: Final = 5.0


class Closed:
    """Modules whose processes can't be born before `opened` is set, but for those that an upgrade's script starts."""

    __slots__ = ("modules", "opened")

    def __init__(self, modules: Container[str]) -> None:
        self.modules = modules
        self.opened = asyncio.Event()


class Runtime(Scheduler):
    """One per OS process and event loop: `async with Runtime():`, or `start` and `stop`.

    It belongs to the loop's thread: another one hands its messages over by `loop.call_soon_threadsafe(send, …)`.

    `inline=False` bars calls from running in their caller's turn. While it runs, `asyncio.to_thread` and the loop's
    default executor use threads that are known as those of the processes that they work for; `threads=False` leaves
    the program the executor that it has. `on_halt(reason)` is called when a permanent application has ended and the
    node must not go on. All functions that need a runtime raise RuntimeError where none runs, and Exit in a zombie: a
    frame or thread of a process that has ended. OTP: the emulator itself, whose `init` halts the node then.
    """

    def __init__(self, *, inline: bool = True, threads: bool = True) -> None:
        super().__init__(inline=inline)
        self._knows_threads = threads
        self.processes: dict[int, Process] = {}
        self.names: dict[str, Process] = {}
        self.zombies: dict[int, Process] = {}
        """Ended processes with a frame that still runs."""
        self.ends = Ends()
        """What has ended lately, and why."""
        self.vsn_of: Callable[[str, dict[str, Any]], str] = said_vsn
        """`vsn_of(module, namespace)`: which version of the module has the namespace. "" if nobody knows."""
        self.closed: Closed | None = None
        """What nobody is born of until an upgrade has switched it."""
        self.on_halt: Callable[[object], None] = lambda reason: logger.critical("the node should halt: %s", reason)
        self._numbers = count(1)
        self._last_now = 0.0
        self._subscribers: list[Callable[[ProcessEvent], None]] = []
        self._parts: dict[Callable[[], Any], Any] = {}
        self._ending: deque[tuple[Process, object]] | None = None

    # ------------------------------------------------------------------ life

    async def start(self) -> None:
        """Serve the running event loop. Raises RuntimeError if another runtime runs already."""
        other = current_runtime.node
        if other is not None and not other.loop.is_closed():
            raise RuntimeError("a runtime is running already; stop it first")
        loop = asyncio.get_running_loop()
        self.bind(loop)
        if self._knows_threads:
            loop.set_default_executor(Threads(self))
        current_runtime.node = self

    async def stop(self, grace: float = STOP_GRACE) -> None:
        """End every process: what has no parent is told to shut down, what is left after `grace` seconds is killed.

        Frames that go on have as long again. Raises ValueError for what is no time. OTP: init:stop/0.
        """
        check_seconds(grace)
        roots = [p for p in self.processes.values() if p.parent not in self.processes]
        for process in reversed(roots):
            self.signal(process, ROOT, "shutdown")
        await self._until_ended(roots, grace)
        for process in list(self.processes.values()):
            self.end(process, "killed")
        frames = [p.task for p in self.zombies.values() if p.task is not None]
        if frames:
            await asyncio.wait(frames, timeout=grace)
        self.deadlines.close()
        await self.unpark()
        current_runtime.node = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def part(self, make: Callable[[], T]) -> T:
        """The one `make()` of this runtime; a layer above keeps there what belongs to the node."""
        if make not in self._parts:
            self._parts[make] = make()
        part: T = self._parts[make]
        return part

    # ------------------------------------------------------------------ who

    def me(self) -> Process | None:
        """The calling process, if one is calling; in another thread, the one that it works for."""
        if self.current is not None and get_ident() == self.thread:
            return self.current
        return here.get()

    def caller(self, function: str) -> Process:
        """The calling process, alive. Raises NotInProcess, or Exit if it has been killed."""
        process = self.me()
        if process is None:
            raise NotInProcess(function)
        if process.gate is DEAD:
            raise Exit(process.reason)
        return process

    def refuse_zombie(self) -> None:
        """Raise Exit if the calling process is a zombie: its frame may do nothing through the runtime."""
        if self.zombies and (process := self.me()) is not None and process.pid in self.zombies:
            raise Exit(process.reason)

    def find(self, target: Target) -> Process:
        """The live process behind a pid or a name. Raises NoProcess."""
        process = self.names.get(target) if isinstance(target, str) else self.processes.get(target)
        if process is None:
            raise NoProcess(target)
        return process

    # ------------------------------------------------------------------ birth

    def next_pid(self) -> Pid:
        """A number that no process of this runtime has had."""
        return Pid(next(self._numbers))

    def now(self) -> float:
        """Seconds since the epoch, to the millisecond: processes that are born together share one number."""
        now = time.time()
        if not 0 <= now - self._last_now < 0.001:
            self._last_now = now
        return self._last_now

    def check_free(self, name: str | None) -> None:
        """Raise NameTaken if another process has the name, ValueError if it can be none."""
        if name is None:
            return
        if not (isinstance(name, str) and name):
            raise ValueError(f"a name is a text that isn't empty, not {name!r}")
        if (other := self.names.get(name)) is not None:
            inside = current_barrier()
            if inside is None or not inside.gives(name, other):
                raise NameTaken(name, other.pid)

    def born(self, process: Process, name: str | None = None, link: Process | None = None) -> None:
        """Let the process live, under `name`, linked to `link`."""
        self.refuse_zombie()
        self.check_free(name)
        self.processes[process.pid] = process
        if name is not None:
            self.names[name] = process
            process.name = name
        if link is not None:
            self.link(link, process)
        if self._subscribers:
            self._tell(ProcessEvent("born", process.pid, name))

    def register(self, name: str, process: Process) -> None:
        """Give the process a name; it may have one. Raises NameTaken, ValueError."""
        self.check_free(name)
        if process.name is not None:
            raise ValueError(f"{process.title()} has a name already; unregister it first")
        self.names[name] = process
        process.name = name
        if self._subscribers:
            self._tell(ProcessEvent("registered", process.pid, name))

    def unregister(self, name: str) -> None:
        """Take the name back. Raises NoProcess."""
        process = self.find(name)
        del self.names[name]
        process.name = None
        if self._subscribers:
            self._tell(ProcessEvent("registered", process.pid, None))

    # ------------------------------------------------------------------ death

    def end(self, process: Process, reason: object, *, inside: bool = False) -> None:
        """The process is over: names, links, monitors, mail. `inside`: its own last frame says so.

        Ends caused by this one wait for it, so that a long chain of links doesn't nest.
        """
        if process.gate is DEAD:
            return
        framed = not inside and (process.task is not None or process.gate in (BUSY, YIELDING))
        process.gate = DEAD
        process.reason = reason
        self.ends.note(process, reason)
        del self.processes[process.pid]
        if process.name is not None:
            del self.names[process.name]
        if framed:
            self._cut(process)
        elif process.threads:
            self.zombies[process.pid] = process
        if self._ending is not None:
            self._ending.append((process, reason))
            return
        self._ending = deque(((process, reason),))
        try:
            while self._ending:
                self._announce(*self._ending.popleft())
        finally:
            self._ending = None

    def bury(self, process: Process) -> None:
        """The last frame of an ended process is gone; threads may still work for it."""
        if not process.threads:
            self.zombies.pop(process.pid, None)
        process.task = None
        process.buried()

    def thread_over(self, process: Process, work: Work) -> None:
        """A thread works for the process no more."""
        process.threads = tuple(other for other in process.threads or () if other is not work) or None
        if process.gate is DEAD and not process.threads and (process.task is None or process.task.done()):
            self.zombies.pop(process.pid, None)

    def _cut(self, process: Process) -> None:
        self.zombies[process.pid] = process
        if process.task is not None:
            process.task.add_done_callback(lambda _: self.bury(process), context=self.context)
            process.task.cancel()

    def _announce(self, process: Process, reason: object) -> None:
        if process.item is not None:
            self.fail(process.item, Exit(reason))
        for item in process.mail or ():
            if item[3] is not None:
                self.fail(item, Exit(reason))
        process.mail = None
        process.ended()
        for ref, watched in (process.monitors or {}).items():
            if watched.watchers is not None:
                watched.watchers.pop(ref, None)
        for linked in process.linked():
            linked.drop_link(process)
            self.signal(linked, process.pid, reason, by_link=True)
        watchers, process.watchers = process.watchers, None
        for tell in (watchers or {}).values():
            tell(reason)
        process.links = process.monitors = None
        for timer in tuple(process.alarms or ()):
            if (handle := timer.over()) is not None:
                handle.cancel()
        if self._subscribers:
            self._tell(ProcessEvent("ended", process.pid, process.name, reason))

    # ------------------------------------------------------------------ signals

    def signal(self, target: Process, sender: Pid, reason: object, *, by_link: bool = False) -> None:
        """Deliver an exit signal; what an upgrade's script sends to others is put off until it has succeeded.

        Follows erlang:exit/2 and the rules for links in the reference manual.
        """
        if target.gate is DEAD:
            return
        inside = current_barrier()
        if inside is not None and target.pid not in inside.born:
            inside.endings.append(partial(self._signal_later, target, sender, reason, by_link))
            if is_word(reason, "kill") or not (target.trapping or is_word(reason, "normal")):
                inside.parked[target.pid] = target
            return
        if not by_link and is_word(reason, "kill"):
            self.end(target, "killed")
        elif target.trapping:
            target.take_exit(sender, reason)
        elif not is_word(reason, "normal") or (target.pid == sender and not by_link):
            target.die(reason)

    async def _signal_later(self, target: Process, sender: Pid, reason: object, by_link: bool) -> None:
        self.signal(target, sender, reason, by_link=by_link)

    def link(self, one: Process, other: Process) -> None:
        """From now on each gets an exit signal when the other ends. Does nothing to a process and itself."""
        if one is not other and other.links is not one:
            one.add_link(other)
            other.add_link(one)

    def unlink(self, one: Process, other: Process) -> None:
        """Undo `link`."""
        one.drop_link(other)
        other.drop_link(one)

    def watch(self, process: Process, tell: Callable[[object], None]) -> Ref:
        """Call `tell(reason)` once when the process ends."""
        ref = Ref()
        if process.watchers is None:
            process.watchers = {}
        process.watchers[ref] = tell
        return ref

    def monitor(self, watcher: Process, process: Process) -> Ref:
        """Send `watcher` a DOWN when the process ends."""

        def tell(reason: object) -> None:
            if watcher.monitors is not None:
                watcher.monitors.pop(ref, None)
            self.post(watcher, (None, DOWN(ref, process.pid, reason), None, None))

        ref = self.watch(process, tell)
        if watcher.monitors is None:
            watcher.monitors = {}
        watcher.monitors[ref] = process
        return ref

    def miss(self, watcher: Process, pid: Pid) -> Ref:
        """A monitor on what doesn't exist: its DOWN is sent at once."""
        ref = Ref()
        self.post(watcher, (None, DOWN(ref, pid, "noproc"), None, None))
        return ref

    def demonitor(self, watcher: Process, ref: Ref) -> None:
        """Undo `monitor`; what was sent already stays sent."""
        process = (watcher.monitors or {}).pop(ref, None)
        if process is not None and process.watchers is not None:
            process.watchers.pop(ref, None)

    def forget_mail(self, process: Process, unwanted: Callable[[Any], bool]) -> None:
        """Take the plain messages that are `unwanted` out of the mailbox of a process in whose turn this is."""
        mail = process.mail
        if mail:
            kept = [item for item in mail if item[0] is not None or not unwanted(item[1])]
            mail.clear()  # the same queue, for its reader has it in hand
            mail.extend(kept)
            if not kept:
                process.mail = None

    async def _until_ended(self, processes: list[Process], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await ends_of(processes)
        except TimeoutError:
            logger.warning("not everything shut down within %g s; the rest is killed", seconds)

    # ------------------------------------------------------------------ observers

    def subscribe(self, callback: Callable[[ProcessEvent], None]) -> Callable[[], None]:
        """Call `callback(event)` synchronously at every birth, end and registration; returns what ends that.

        It must be quick and change nothing. What it raises is logged and goes nowhere.
        """
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def _tell(self, event: ProcessEvent) -> None:
        for callback in tuple(self._subscribers):
            try:
                callback(event)
            except Exception:
                logger.exception("a subscriber of process events failed")


def said_vsn(module: str, namespace: dict[str, Any]) -> str:
    """The version that a module's namespace itself says it is. A code server knows that of the others, too."""
    return str(namespace.get("__vsn__", ""))


def runtime() -> Runtime:
    """The running runtime. Raises RuntimeError if there is none. OTP: the emulator, which nobody has to ask for."""
    if current_runtime.node is None:
        raise RuntimeError("no runtime is running; start one with `await Runtime().start()`")
    return current_runtime.node
