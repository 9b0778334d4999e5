"""Looking into a behaviour's process, recording what it does, and stopping it between callbacks. Follows sys of OTP.

Looking sends no message and restarts no timer. A process in the middle of a callback is looked at when that ends.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CoroutineType
from typing import Any, Final, TypeVar

from node_runtime.processes.errors import CallTimeout, Exit, NoProcess
from node_runtime.processes.pid import Pid, Target
from node_runtime.processes.process import HELD, Item
from node_runtime.processes.runtime import runtime
from node_runtime.processes.timers import check_seconds
from node_runtime.processes.wait_graph import waiting_for
from node_runtime.protocol.messages import Kind
from node_runtime.protocol.messages import Status as ProcessStatus

from .behaviour import Down, Vsn, current_class
from .behaviour_process import BehaviourProcess
from .supervision.supervisor import SupervisorProcess
from .sys_debug import Debug, Figures, Logged, Statistics, Trace, Watcher
from .system_messages import STOP
from .upgrade import live_processes
from .upgrade.suspend_leases import leases

R = TypeVar("R")
SECONDS: Final = 5.0
LEASE: Final = 60.0
"""Seconds after which a suspend ends that nobody renews."""


@dataclass(frozen=True, slots=True)
class Status:
    """A process as `get_status` shows it; `state` is what the class's `format_status` returns.

    `owners` have suspended it; `mailbox` counts what waits.

    Follows sys:get_status/2.
    """

    pid: Pid
    name: str | None
    kind: Kind
    module: str
    status: ProcessStatus
    owners: tuple[object, ...]
    parent: Pid
    mailbox: int
    state: object


# ------------------------------------------------------------------ suspending


async def suspend(
    target: Target, *, owner: Hashable | None = None, lease: float | None = LEASE, timeout: float = SECONDS
) -> None:
    """Handle no message until `resume`; mail queues. Only its parent's exit and `terminate` still reach the process.

    The suspend is its owner's: without `owner` the calling process's, outside of processes "sys"'s. It ends by itself
    after `lease` seconds, and when the owner is a process, with that one's life; such an owner may go without a lease.
    Suspending again renews the lease. A process that several owners have suspended goes on when the last of them has
    resumed it. Raises NotHeld when it has not ended its callback after `timeout` seconds or has no callbacks,
    NoProcess, also for an owner that has ended, Deadlock for one that waits for the caller, Exit for the calling
    process itself, and ValueError for no end at all and what is no time. Follows sys:suspend/2.
    """
    node = runtime()
    node.refuse_zombie()
    process = node.find(target)
    check_seconds(timeout)
    if lease is not None:
        check_seconds(lease)
    who = _owner(owner)
    if lease is None and not isinstance(who, Pid):
        raise ValueError(f"a suspend by {who!r}, which is no process, needs a lease of some seconds")
    if process is node.me():
        raise Exit("calling_self", f"{process.title()} suspends itself, and could never resume")
    with waiting_for(process):
        await live_processes.hold(process.pid, owner=who, timeout=timeout)
    try:
        leases().begin(node, process, who, lease)
    except NoProcess:
        live_processes.release(process.pid, owner=who)
        raise


def resume(target: Target, *, owner: Hashable | None = None) -> None:
    """End the suspend of that owner; without one, the calling process's. Another owner's goes on.

    Raises NoProcess. Follows sys:resume/1.
    """
    node = runtime()
    node.refuse_zombie()
    leases().end(node.find(target).pid, _owner(owner))


def _owner(owner: Hashable | None) -> Hashable:
    if owner is not None:
        return owner
    me = runtime().me()
    return "sys" if me is None else me.pid


def terminate(target: Target, reason: object = "normal") -> None:
    """Let the process terminate in order, after the mail it has, or at once if it is suspended. Doesn't wait for it.

    Raises NoProcess, and Exit for one without callbacks. Follows sys:terminate/2.
    """
    node = runtime()
    process = _with_callbacks(target)
    item: Item = (STOP, reason, None, None)
    if process.gate is HELD:
        process.serve(item)
    else:
        node.post(process, item)


def change_code(target: Target, old_vsn: Vsn | Down, extra: object = ()) -> None:
    """Give a suspended process the state that `code_change` of its current class makes of the present one.

    A supervisor's is what `children()` of its current class says. What either raises is raised here, and nothing has
    changed. Raises NotHeld for a process that isn't suspended, NoProcess, Exit for one without callbacks, LookupError
    if its module has no such class any more, and ValueError for children that make no sense. Follows sys:change_code/4.
    """
    process = _with_callbacks(target)
    if process.gate is not HELD:
        raise live_processes.NotHeld(
            process.pid, f"{process.title()} is not suspended; suspend it before its code is changed"
        )
    if isinstance(process, SupervisorProcess):
        live_processes.re_read(process.pid)
        return
    current = current_class(process.module, process.qualname)
    if not isinstance(current, type):
        raise LookupError(f"the current version of {process.module} has no class {process.qualname}")
    change: Any = getattr(current, "code_change", None)
    live_processes.adopt(process.pid, change(old_vsn, process.raw_state(), extra))


# ------------------------------------------------------------------ looking


async def get_state(target: Target, timeout: float = SECONDS) -> Any:
    """The live state itself, not a copy: don't change it. A state machine's is `(state_name, data)`.

    A process in the middle of a callback is waited for. Raises NoProcess, also when it ends meanwhile, CallTimeout
    after `timeout` seconds, Deadlock if it waits for the caller, Exit for a process without callbacks, and ValueError
    for what is no time. Follows sys:get_state/2.
    """
    return await _between(target, "get_state", timeout, lambda process: process.raw_state())


async def replace_state(target: Target, function: Callable[[Any], Any], timeout: float = SECONDS) -> Any:
    """Give the process the state `function(state)`, and return it, waiting and raising as `get_state`.

    What `function` raises is raised here, and the state stays as it is; so it does with TypeError for an async one.
    Follows sys:replace_state/3.
    """

    def replace(process: BehaviourProcess) -> Any:
        state = function(process.raw_state())
        if type(state) is CoroutineType:
            state.close()
            raise TypeError(f"{function!r} is async; replace_state takes a plain function")
        process.take_state(state)
        return state

    return await _between(target, "replace_state", timeout, replace)


async def get_status(target: Target, timeout: float = SECONDS) -> Status:
    """Everything about the process that `get_state` leaves out, waiting and raising as `get_state`.

    A `format_status` that fails is named in place of the state. Follows sys:get_status/2.
    """
    return await _between(target, "get_status", timeout, _status)


def _status(process: BehaviourProcess) -> Status:
    try:
        state = process.instance.format_status()
    except Exception as error:
        state = f"format_status raised {type(error).__name__}"
    return Status(
        pid=process.pid,
        name=process.name,
        kind=process.kind,
        module=process.module,
        status=process.status,
        owners=tuple(process.held or ()),
        parent=process.parent,
        mailbox=len(process.mail or ()),
        state=state,
    )


async def _between(target: Target, what: str, timeout: float, function: Callable[[BehaviourProcess], R]) -> R:
    """Call `function(process)` while no callback runs."""
    check_seconds(timeout)
    node = runtime()
    process = _with_callbacks(target)
    if not process.in_callback():
        return function(process)
    seen: asyncio.Future[Callable[[], R]] = node.loop.create_future()

    def look() -> None:
        if not seen.done():
            seen.set_result(_look(process, function))

    with waiting_for(process, seen):
        process.between_callbacks(look)
        try:
            async with asyncio.timeout(timeout):
                outcome = await seen
        except TimeoutError:
            raise CallTimeout(target, what, timeout) from None
    return outcome()


def _look(process: BehaviourProcess, function: Callable[[BehaviourProcess], R]) -> Callable[[], R]:
    """What `function(process)` returns or raises, for the one who asked: in the process's turn nothing may fail."""
    failure: BaseException
    try:
        runtime().find(process.pid)
        result = function(process)
    except BaseException as error:
        failure = error
    else:
        return lambda: result

    def fail() -> R:
        raise failure

    return fail


def _with_callbacks(target: Target) -> BehaviourProcess:
    node = runtime()
    node.refuse_zombie()
    process = node.find(target)
    if not isinstance(process, BehaviourProcess):
        raise Exit("badcall", f"{process.title()} has no callbacks, so sys can do nothing with it")
    return process


# ------------------------------------------------------------------ recording


def log(target: Target, size: int | None = 10) -> None:
    """Keep the last `size` events of the process, from its next message on; None forgets them and keeps no more.

    Another size keeps the events that are there. Raises NoProcess, Exit for one without callbacks, and ValueError for a
    size below zero. Follows sys:log/2.
    """
    with _recording(target) as (_, debug):
        debug.lines = None if size is None else deque(debug.lines or (), maxlen=size)


def get_log(target: Target) -> list[Logged]:
    """The events that are kept, oldest first; none if the log is off. Raises NoProcess and Exit as `log`.

    Follows `sys:log(Name, get)`.
    """
    debug = _with_callbacks(target).debug
    return [] if debug is None else list(debug.lines or ())


def trace(target: Target, on: bool = True, *, rate: int = 100) -> None:
    """Write each event to the logger `node_runtime.trace`, at most `rate` in a second; how many were left out is told.

    Raises NoProcess and Exit as `log`. Follows sys:trace/2.
    """
    with _recording(target) as (process, debug):
        if debug.trace is not None:
            debug.trace.finish(process)
        debug.trace = Trace(rate) if on else None


def statistics(target: Target, on: bool = True) -> None:
    """Count messages from now on, or stop that; counting anew begins at zero. Raises NoProcess and Exit as `log`.

    Follows sys:statistics/2.
    """
    with _recording(target) as (process, debug):
        debug.figures = Figures(process) if on else None


def get_statistics(target: Target) -> Statistics | None:
    """The figures since `statistics`; None if they are off. Raises NoProcess and Exit as `log`.

    Follows `sys:statistics(Name, get)`.
    """
    process = _with_callbacks(target)
    debug = process.debug
    return None if debug is None or debug.figures is None else debug.figures.read(process)


def install(target: Target, function: Watcher, state: Any = None, *, id: Hashable | None = None) -> None:
    """Call `function(state, event)` for each event; what it returns is its next state, and DONE removes it.

    One that raises is removed too. One whose `id` is installed already is not installed again; without an id the
    function itself is its id. It runs in the process's turn, so it has to be quick. Raises NoProcess and Exit as `log`.
    Follows sys:install/2.
    """
    with _recording(target) as (_, debug):
        debug.functions.setdefault(function if id is None else id, (function, state))


def remove(target: Target, id: Hashable) -> None:
    """Remove what is installed under that id, or that function, if it is. Raises NoProcess and Exit as `log`.

    Follows sys:remove/2.
    """
    with _recording(target) as (_, debug):
        debug.functions.pop(id, None)


def no_debug(target: Target) -> None:
    """Record nothing of the process any more. Raises NoProcess and Exit as `log`. Follows sys:no_debug/1."""
    process = _with_callbacks(target)
    if process.debug is not None:
        process.be_recorded(None)


@contextmanager
def _recording(target: Target) -> Iterator[tuple[BehaviourProcess, Debug]]:
    """What is recorded of the process, to be changed."""
    process = _with_callbacks(target)
    debug = process.debug or Debug()
    yield process, debug
    if debug.in_use() != (process.debug is not None):
        process.be_recorded(debug if debug.in_use() else None)
