"""The runtime: all processes of a node, their names, their signals, and the steps that end a process.

Signals take effect at once. An untrapped exit signal ends its target even in the middle of a callback. The callback may
continue to run, but can no longer call the runtime's functions.
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
from .errors import Exit, NameTaken, NoProcess, NotInProcess
from .exit_log import ExitLog
from .exit_reasons import reason_is
from .messages import DOWN, ProcessEvent
from .pid import ROOT, Pid, Ref, Target
from .process import BUSY, DEAD, YIELDING, Process, task_process
from .scheduler import Scheduler
from .thread_pool import ProcessThreadPool, ThreadWork
from .timers import check_seconds
from .transaction import current_transaction
from .wait_graph import wait_for_ends

T = TypeVar("T")
logger = logging.getLogger("node_runtime")
STOP_GRACE_SECONDS: Final = 5.0


class BlockedModules:
    """Modules that an upgrade is switching. Only its script may start their processes; other starts wait."""

    __slots__ = ("modules", "unblocked")

    def __init__(self, modules: Container[str]) -> None:
        self.modules = modules
        self.unblocked = asyncio.Event()


class Runtime(Scheduler):
    """The runtime; an OS process has one. It runs inside `async with Runtime():`, or from `start` to `stop`.

    Only the event loop's thread may use it; another thread sends messages by `loop.call_soon_threadsafe(send, …)`.

    `inline=False` prevents calls from running in their caller's turn. `start` replaces the event loop's default
    executor, which `asyncio.to_thread` uses, so that the runtime knows for which process each thread works.
    `threads=False` keeps the program's own executor. `on_halt(reason)` is called when an application ends and its start
    type requires that the node halts. All functions that need a runtime raise RuntimeError if no runtime runs. They
    raise Exit in a zombie: a process that has ended while one of its frames or threads still runs. OTP: the emulator,
    whose `init` halts the node.
    """

    def __init__(self, *, inline: bool = True, threads: bool = True) -> None:
        super().__init__(inline=inline)
        self._tracks_threads = threads
        self.processes: dict[int, Process] = {}
        self.names: dict[str, Process] = {}
        self.zombies: dict[int, Process] = {}
        """Ended processes with a frame or a thread that still runs."""
        self.exit_log = ExitLog()
        self.labels: dict[int, str] = {}  # texts that tell unnamed processes apart, by pid; as proc_lib:set_label/1
        self.vsn_of: Callable[[str, dict[str, Any]], str] = declared_vsn
        """`vsn_of(module, namespace)` returns the version of the module that has this namespace, or "" if unknown."""
        self.blocked_modules: BlockedModules | None = None
        """Modules that an upgrade is switching, so that their processes can't start now."""
        self.on_halt: Callable[[object], None] = lambda reason: logger.critical("the node should halt: %s", reason)
        self._numbers = count(1)
        self._last_now = 0.0
        self.subscribers: list[Callable[[ProcessEvent], None]] = []
        self._parts: dict[Callable[[], Any], Any] = {}
        self._ended: deque[tuple[Process, object]] | None = None

    # ------------------------------------------------------------------ start and stop

    async def start(self) -> None:
        """Start the runtime on the running event loop. Raises RuntimeError if another runtime runs already."""
        other = current_runtime.node
        if other is not None and not other.loop.is_closed():
            raise RuntimeError("a runtime is running already; stop it first")
        loop = asyncio.get_running_loop()
        self.bind(loop)
        if self._tracks_threads:
            loop.set_default_executor(ProcessThreadPool(self))
        current_runtime.node = self

    async def stop(self, grace: float = STOP_GRACE_SECONDS) -> None:
        """Shut down the processes without a live parent; after `grace` seconds, kill the processes that are left.

        Then wait at most `grace` seconds for frames that still run. Raises ValueError for an invalid time. OTP:
        init:stop/0.
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

    def singleton(self, make: Callable[[], T]) -> T:
        """Return this runtime's only object from `make()`. `make` is called only the first time."""
        if make not in self._parts:
            self._parts[make] = make()
        part: T = self._parts[make]
        return part

    # ------------------------------------------------------------------ the calling process

    def calling_process(self) -> Process | None:
        """Return the calling process, if there is one; in a worker thread, the process for which the thread works."""
        if self.current is not None and get_ident() == self.thread:
            return self.current
        return task_process.get()

    def require_caller(self, function: str) -> Process:
        """Return the live calling process. Raises NotInProcess, or Exit if the process has ended."""
        process = self.calling_process()
        if process is None:
            raise NotInProcess(function)
        if process.run_state is DEAD:
            raise Exit(process.reason)
        return process

    def refuse_zombie(self) -> None:
        """Raise Exit if the calling process is a zombie: its frames and threads can't act through the runtime."""
        if self.zombies and (process := self.calling_process()) is not None and process.pid in self.zombies:
            raise Exit(process.reason)

    def find(self, target: Target) -> Process:
        """Return the live process with this pid or name. Raises NoProcess."""
        process = self.names.get(target) if isinstance(target, str) else self.processes.get(target)
        if process is None:
            raise NoProcess(target)
        return process

    # ------------------------------------------------------------------ new processes and names

    def next_pid(self) -> Pid:
        """Return a pid that no process of this runtime has had."""
        return Pid(next(self._numbers))

    def now(self) -> float:
        """Return seconds since the epoch. To save memory, calls within a millisecond return the same float object."""
        now = time.time()
        if not 0 <= now - self._last_now < 0.001:
            self._last_now = now
        return self._last_now

    def check_name_free(self, name: str | None) -> None:
        """Raise NameTaken if another process has the name, and ValueError if the name is empty or not a str."""
        if name is None:
            return
        if not (isinstance(name, str) and name):
            raise ValueError(f"a name must be a non-empty str, not {name!r}")
        if (other := self.names.get(name)) is not None:
            inside = current_transaction()
            if inside is None or not inside.take_name(name, other):
                raise NameTaken(name, other.pid)

    def add_process(self, process: Process, name: str | None = None, link: Process | None = None) -> None:
        """Add a new process to the runtime, registered as `name` and linked to `link` if they are given."""
        self.refuse_zombie()
        if name is not None:
            self.check_name_free(name)
            self.names[name] = process
            process.name = name
        self.processes[process.pid] = process
        if link is not None:
            self.link(link, process)
        if self.subscribers:
            self._publish(ProcessEvent("born", process.pid, name))

    def register(self, name: str, process: Process) -> None:
        """Register the process under a name. Raises NameTaken, and ValueError if the process has a name already."""
        self.check_name_free(name)
        if process.name is not None:
            raise ValueError(f"{process.title()} has a name already; unregister that name first")
        self.names[name] = process
        process.name = name
        if self.subscribers:
            self._publish(ProcessEvent("registered", process.pid, name))

    def unregister(self, name: str) -> None:
        """Remove the registration of a name. Raises NoProcess."""
        process = self.find(name)
        del self.names[name]
        process.name = None
        if self.subscribers:
            self._publish(ProcessEvent("registered", process.pid, None))

    # ------------------------------------------------------------------ ends of processes

    def end(self, process: Process, reason: object, *, inside: bool = False) -> None:
        """End the process, and remove its name, links, monitors and messages.

        `inside` is True if the process itself makes this call, in its last frame. Linked processes that also end are
        queued, so that a long chain of links doesn't cause a deep recursion.
        """
        if process.run_state is DEAD:
            return
        framed = not inside and (process.task is not None or process.run_state in (BUSY, YIELDING))
        process.run_state = DEAD
        process.reason = reason
        self.exit_log.add(process, reason)
        del self.processes[process.pid]
        if process.name is not None:
            del self.names[process.name]
        if framed:
            self._cancel_frame(process)
        elif process.threads:
            self.zombies[process.pid] = process
        if self._ended is not None:
            self._ended.append((process, reason))
            return
        self._ended = deque(((process, reason),))
        try:
            while self._ended:
                self._propagate_exit(*self._ended.popleft())
        finally:
            self._ended = None

    def last_frame_ended(self, process: Process) -> None:
        """Forget an ended process after its last frame has ended, unless threads still work for the process."""
        if not process.threads:
            self.zombies.pop(process.pid, None)
        process.task = None
        process.on_last_frame_ended()

    def thread_ended(self, process: Process, work: ThreadWork) -> None:
        """Forget a thread that no longer works for the process."""
        process.threads = tuple(other for other in process.threads or () if other is not work) or None
        if process.run_state is DEAD and not process.threads and (process.task is None or process.task.done()):
            self.zombies.pop(process.pid, None)

    def _cancel_frame(self, process: Process) -> None:
        self.zombies[process.pid] = process
        if process.task is not None:
            process.task.add_done_callback(lambda _: self.last_frame_ended(process), context=self.context)
            process.task.cancel()

    def _propagate_exit(self, process: Process, reason: object) -> None:
        if process.current_item is not None:
            self.fail(process.current_item, Exit(reason))
        for item in process.mail or ():
            if item[3] is not None:
                self.fail(item, Exit(reason))
        process.mail = None
        process.on_ended()
        for ref, watched in (process.monitors or {}).items():
            if watched.watchers is not None:
                watched.watchers.pop(ref, None)
        for linked in process.linked():
            linked.drop_link(process)
            self.signal(linked, process.pid, reason, by_link=True)
        watchers, process.watchers = process.watchers, None
        for callback in (watchers or {}).values():
            callback(reason)
        process.links = process.monitors = None
        for timer in tuple(process.timer_refs or ()):
            if (handle := timer.clear(self.named_timers)) is not None:
                handle.cancel()
        if self.subscribers:
            self._publish(ProcessEvent("ended", process.pid, process.name, reason))

    # ------------------------------------------------------------------ signals

    def signal(self, target: Process, sender: Pid, reason: object, *, by_link: bool = False) -> None:
        """Deliver an exit signal.

        If an upgrade's script sends the signal, it is deferred until the script succeeds; a process that the script has
        started gets it at once. Follows erlang:exit/2 and the rules for links in the reference manual.
        """
        if target.run_state is DEAD:
            return
        inside = current_transaction()
        if inside is not None and target.pid not in inside.started:
            inside.defer(f"a signal to {target.title()}", partial(self._signal_later, target, sender, reason, by_link))
            if reason_is(reason, "kill") or not (target.trapping or reason_is(reason, "normal")):
                inside.exiting[target.pid] = target
            return
        if not by_link and reason_is(reason, "kill"):
            self.end(target, "killed")
        elif target.trapping:
            target.take_trapped_exit(sender, reason)
        elif not reason_is(reason, "normal") or (target.pid == sender and not by_link):
            target.take_untrapped_exit(reason)

    async def _signal_later(self, target: Process, sender: Pid, reason: object, by_link: bool) -> None:
        self.signal(target, sender, reason, by_link=by_link)

    def link(self, one: Process, other: Process) -> None:
        """Link two processes: each gets an exit signal when the other ends. Does nothing if they are the same."""
        if one is not other and other.links is not one:
            one.add_link(other)
            other.add_link(one)

    def unlink(self, one: Process, other: Process) -> None:
        """Undo `link`."""
        one.drop_link(other)
        other.drop_link(one)

    def watch(self, process: Process, callback: Callable[[object], None]) -> Ref:
        """Call `callback(reason)` once when the process ends."""
        ref = Ref()
        if process.watchers is None:
            process.watchers = {}
        process.watchers[ref] = callback
        return ref

    def monitor(self, watcher: Process, process: Process) -> Ref:
        """Send `watcher` a DOWN when the process ends."""

        def send_down(reason: object) -> None:
            if watcher.monitors is not None:
                watcher.monitors.pop(ref, None)
            self.post(watcher, (None, DOWN(ref, process.pid, reason), None, None))

        ref = self.watch(process, send_down)
        if watcher.monitors is None:
            watcher.monitors = {}
        watcher.monitors[ref] = process
        return ref

    def monitor_missing(self, watcher: Process, pid: Pid) -> Ref:
        """Make a monitor for a process that doesn't exist: its DOWN is sent at once."""
        ref = Ref()
        self.post(watcher, (None, DOWN(ref, pid, "noproc"), None, None))
        return ref

    def demonitor(self, watcher: Process, ref: Ref) -> None:
        """Undo `monitor`; a DOWN that was sent stays in the mailbox."""
        process = (watcher.monitors or {}).pop(ref, None)
        if process is not None and process.watchers is not None:
            process.watchers.pop(ref, None)

    def drop_messages(self, process: Process, unwanted: Callable[[Any], bool]) -> None:
        """Remove the `unwanted` messages from the mailbox of a running process. Calls and casts stay."""
        mail = process.mail
        if mail:
            kept = [item for item in mail if item[0] is not None or not unwanted(item[1])]
            mail.clear()  # the same queue object: its reader holds a reference to it
            mail.extend(kept)
            if not kept:
                process.mail = None

    async def _until_ended(self, processes: list[Process], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await wait_for_ends(processes)
        except TimeoutError:
            logger.warning("some processes did not shut down within %g s; killing them", seconds)

    # ------------------------------------------------------------------ subscribers

    def subscribe(self, callback: Callable[[ProcessEvent], None]) -> Callable[[], None]:
        """Call `callback(event)` at each start, end and registration of a process. Return a function that ends this.

        The calls are synchronous: the callback must be quick and change nothing. Its exceptions are only logged.
        """
        self.subscribers.append(callback)
        return lambda: self.subscribers.remove(callback)

    def _publish(self, event: ProcessEvent) -> None:
        for callback in tuple(self.subscribers):
            try:
                callback(event)
            except Exception:
                logger.exception("a subscriber of process events failed")


def declared_vsn(module: str, namespace: dict[str, Any]) -> str:
    """Return the `__vsn__` that a namespace declares, or "". Used if there is no code server."""
    return str(namespace.get("__vsn__", ""))


def runtime() -> Runtime:
    """Return the running runtime. Raises RuntimeError if there is none. OTP: the emulator, which is always there."""
    if current_runtime.node is None:
        raise RuntimeError("no runtime is running; start one with `await Runtime().start()`")
    return current_runtime.node
