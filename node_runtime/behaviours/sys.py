"""System functions: they inspect, record, suspend and change processes with callbacks. Follows sys of OTP.

An inspection sends no message and restarts no timer. If the process runs a callback, the inspection waits for its end.
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
from node_runtime.processes.process import HELD, MailItem
from node_runtime.processes.runtime import runtime
from node_runtime.processes.timers import check_seconds
from node_runtime.processes.wait_graph import waiting_for
from node_runtime.protocol.messages import ProcessKind, RunStatus

from .behaviour import Down, Vsn, current_class
from .behaviour_process import BehaviourProcess
from .supervision.supervisor import SupervisorProcess
from .sys_debug import DebugFunction, DebugRecorder, Logged, MessageCounters, Statistics, TraceWriter
from .system_messages import STOP
from .upgrade import live_processes
from .upgrade.suspend_leases import leases

R = TypeVar("R")
DEFAULT_TIMEOUT: Final = 5.0
"""Seconds that a function of this module waits for the end of a callback."""
DEFAULT_LEASE: Final = 60.0
"""Seconds after which a suspend ends unless it is renewed."""


@dataclass(frozen=True, slots=True)
class Status:
    """The result of `get_status`: facts about a process. `state` is the result of the class's `format_status`.

    `owners` are the owners that have suspended the process. `mailbox` is the number of waiting messages.

    Follows sys:get_status/2.
    """

    pid: Pid
    name: str | None
    kind: ProcessKind
    module: str
    status: RunStatus
    owners: tuple[object, ...]
    parent: Pid
    mailbox: int
    state: object


# ------------------------------------------------------------------ suspending


async def suspend(
    target: Target,
    *,
    owner: Hashable | None = None,
    lease: float | None = DEFAULT_LEASE,
    timeout: float = DEFAULT_TIMEOUT,
) -> None:
    """Suspend the process until `resume`.

    While it is suspended, the process handles only its parent's exit and `terminate`. Other messages wait.

    The suspend belongs to `owner`, by default the calling process; outside of processes, to "sys". The suspend ends
    after `lease` seconds. If the owner is a process, the suspend also ends when the owner ends. Only a process may
    suspend without a lease. Suspending again renews the lease. If several owners have suspended a process, it continues
    when the last owner has resumed it.

    Raises NotHeld if the process has no callbacks, or has not ended its callback after `timeout` seconds. Raises
    NoProcess if there is no such process or the owner has ended. Raises Deadlock if the process waits for the caller.
    Raises Exit if the process is the calling process. Raises ValueError for an invalid time, and for a suspend that
    would never end. Follows sys:suspend/2.
    """
    node = runtime()
    node.refuse_zombie()
    process = node.find(target)
    check_seconds(timeout)
    if lease is not None:
        check_seconds(lease)
    holder = _owner(owner)
    if lease is None and not isinstance(holder, Pid):
        raise ValueError(f"a suspend by {holder!r}, which is not a process, needs a lease in seconds")
    if process is node.calling_process():
        raise Exit("calling_self", f"{process.title()} can't suspend itself: it could never resume")
    with waiting_for(process):
        await live_processes.hold(process.pid, owner=holder, timeout=timeout)
    try:
        leases().begin(node, process, holder, lease)
    except NoProcess:
        live_processes.release(process.pid, owner=holder)
        raise


def resume(target: Target, *, owner: Hashable | None = None) -> None:
    """End the suspend that belongs to `owner`, by default the calling process. Suspends by other owners continue.

    Raises NoProcess. Follows sys:resume/1.
    """
    node = runtime()
    node.refuse_zombie()
    leases().end(node.find(target).pid, _owner(owner))


def _owner(owner: Hashable | None) -> Hashable:
    if owner is not None:
        return owner
    caller = runtime().calling_process()
    return "sys" if caller is None else caller.pid


def terminate(target: Target, reason: object = "normal") -> None:
    """Let the process handle the messages in its mailbox and then terminate. A suspended process terminates at once.

    Doesn't wait until the process has ended. Raises NoProcess, and Exit for a process without callbacks. Follows
    sys:terminate/2.
    """
    node = runtime()
    process = _with_callbacks(target)
    item: MailItem = (STOP, reason, None, None)
    if process.run_state is HELD:
        process.serve(item)
    else:
        node.post(process, item)


def change_code(target: Target, old_vsn: Vsn | Down, extra: object = ()) -> None:
    """Convert the state of a suspended process by `code_change` of its current class.

    A supervisor gets the children that `children()` of its current class returns. If `code_change` or `children()`
    raises an error, this function raises the error, and the process is unchanged. Raises NoProcess if there is no such
    process, NotHeld if the process isn't suspended, Exit if it has no callbacks, LookupError if its module no longer
    has the class, and ValueError for invalid children. Follows sys:change_code/4.
    """
    process = _with_callbacks(target)
    if process.run_state is not HELD:
        raise live_processes.NotHeld(
            process.pid, f"{process.title()} is not suspended; suspend it before you change its code"
        )
    if isinstance(process, SupervisorProcess):
        live_processes.reload_child_specs(process.pid)
        return
    current = current_class(process.module, process.qualname)
    if not isinstance(current, type):
        raise LookupError(f"the current version of {process.module} has no class {process.qualname}")
    change: Any = getattr(current, "code_change", None)
    live_processes.adopt_state(process.pid, change(old_vsn, process.raw_state(), extra))


# ------------------------------------------------------------------ inspecting


async def get_state(target: Target, timeout: float = DEFAULT_TIMEOUT) -> Any:
    """Return the live state itself, not a copy: don't change it. For a state machine it is `(state_name, data)`.

    Waits until the process has ended its callback. Raises NoProcess if there is no such process or the process ends
    first, CallTimeout after `timeout` seconds, and Deadlock if the process waits for the caller. Raises Exit for a
    process without callbacks, and ValueError for an invalid time. Follows sys:get_state/2.
    """
    return await _between_callbacks(target, "get_state", timeout, lambda process: process.raw_state())


async def replace_state(target: Target, function: Callable[[Any], Any], timeout: float = DEFAULT_TIMEOUT) -> Any:
    """Replace the process's state by `function(state)` and return the new state. Waits and raises like `get_state`.

    If `function` raises an error, `replace_state` raises this error and keeps the state. Also raises TypeError for an
    async function. Follows sys:replace_state/3.
    """

    def replace(process: BehaviourProcess) -> Any:
        state = function(process.raw_state())
        if type(state) is CoroutineType:
            state.close()
            raise TypeError(f"{function!r} is async; replace_state takes a plain function")
        process.take_state(state)
        return state

    return await _between_callbacks(target, "replace_state", timeout, replace)


async def get_status(target: Target, timeout: float = DEFAULT_TIMEOUT) -> Status:
    """Return the status of the process, including its state. Waits and raises like `get_state`.

    If `format_status` fails, `state` names the error. Follows sys:get_status/2.
    """
    return await _between_callbacks(target, "get_status", timeout, _status)


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
        owners=tuple(process.suspend_owners or ()),
        parent=process.parent,
        mailbox=len(process.mail or ()),
        state=state,
    )


async def _between_callbacks(target: Target, what: str, timeout: float, function: Callable[[BehaviourProcess], R]) -> R:
    """Call `function(process)` when the process runs no callback, and return the result."""
    check_seconds(timeout)
    node = runtime()
    process = _with_callbacks(target)
    if not process.in_callback():
        return function(process)
    called: asyncio.Future[Callable[[], R]] = node.loop.create_future()

    def call() -> None:
        if not called.done():
            called.set_result(_captured(process, function))

    with waiting_for(process, called):
        process.call_after_callback(call)
        try:
            async with asyncio.timeout(timeout):
                outcome = await called
        except TimeoutError:
            raise CallTimeout(target, what, timeout) from None
    return outcome()


def _captured(process: BehaviourProcess, function: Callable[[BehaviourProcess], R]) -> Callable[[], R]:
    """Call `function(process)` now. Return a function that later returns the result or raises the error."""
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
        raise Exit("badcall", f"{process.title()} has no callbacks, so sys functions can't be used on it")
    return process


# ------------------------------------------------------------------ recording


def log(target: Target, size: int | None = 10) -> None:
    """Keep the last `size` events of the process, from its next message on; None turns the log off and empties it.

    A change of the size keeps the newest events that are in the log. Raises NoProcess, Exit for a
    process without callbacks, and ValueError for a size below zero. Follows sys:log/2.
    """
    with _recording(target) as (_, debug):
        debug.lines = None if size is None else deque(debug.lines or (), maxlen=size)


def get_log(target: Target) -> list[Logged]:
    """Return the logged events, oldest first; none if the log is off. Raises NoProcess and Exit like `log`.

    Follows `sys:log(Name, get)`.
    """
    debug = _with_callbacks(target).debug
    return [] if debug is None else list(debug.lines or ())


def trace(target: Target, on: bool = True, *, rate: int = 100) -> None:
    """Write the process's events to the logger `node_runtime.trace`, at most `rate` a second.

    The trace also has the number of omitted events. `on=False` ends the trace. Raises NoProcess, and
    Exit for a process without callbacks. Follows sys:trace/2.
    """
    with _recording(target) as (process, debug):
        if debug.trace is not None:
            debug.trace.finish(process)
        debug.trace = TraceWriter(rate) if on else None


def statistics(target: Target, on: bool = True) -> None:
    """Begin to count messages, from zero; `on=False` stops the count. Raises NoProcess and Exit like `log`.

    Follows sys:statistics/2.
    """
    with _recording(target) as (process, debug):
        debug.counters = MessageCounters(process) if on else None


def get_statistics(target: Target) -> Statistics | None:
    """Return the counts since `statistics` began to count; None if counting is off. Raises errors like `log`.

    Follows `sys:statistics(Name, get)`.
    """
    process = _with_callbacks(target)
    debug = process.debug
    return None if debug is None or debug.counters is None else debug.counters.read(process)


def install(target: Target, function: DebugFunction, state: Any = None, *, id: Hashable | None = None) -> None:
    """Call `function(state, event)` for each event. The function returns its next state, or DONE to be removed.

    A function that raises an error is removed, too. If a function with the same `id` is installed already, nothing
    changes; the default `id` is the function itself. The function runs in the process's turn, so it has to be quick.
    Raises NoProcess and Exit like `log`. Follows sys:install/2.
    """
    with _recording(target) as (_, debug):
        debug.functions.setdefault(function if id is None else id, (function, state))


def remove(target: Target, id: Hashable) -> None:
    """Remove the function that is installed under `id`, if any. Raises NoProcess and Exit like `log`.

    Follows sys:remove/2.
    """
    with _recording(target) as (_, debug):
        debug.functions.pop(id, None)


def no_debug(target: Target) -> None:
    """Turn off log, trace, statistics and functions. Raises NoProcess and Exit like `log`. Follows sys:no_debug/1."""
    process = _with_callbacks(target)
    if process.debug is not None:
        process.set_recorder(None)


@contextmanager
def _recording(target: Target) -> Iterator[tuple[BehaviourProcess, DebugRecorder]]:
    """Yield the process and a recorder. Afterwards, install the recorder if it has anything to record."""
    process = _with_callbacks(target)
    debug = process.debug or DebugRecorder()
    yield process, debug
    if debug.in_use() != (process.debug is not None):
        process.set_recorder(debug if debug.in_use() else None)
