"""Functions for code inside processes. Most follow a function of module erlang; their docstrings say which."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic
from types import CoroutineType
from typing import Any, ParamSpec

from . import current_runtime
from .coroutine_process import CoroutineProcess, TaskProcess
from .errors import NoProcess, NotInProcess
from .messages import DOWN
from .pid import ROOT, Pid, Ref, Target
from .process import Process
from .runtime import Runtime, runtime
from .timers import TimerRef, check_seconds
from .wait_graph import refuse_deadlock, wait_for_end

P = ParamSpec("P")


# ------------------------------------------------------------------ spawning


def spawn(function: Callable[P, Awaitable[object]], *args: P.args, **kwargs: P.kwargs) -> Pid:
    """Spawn a process that runs `function(*args, **kwargs)` and return its pid.

    The process starts in a later turn of the event loop. Raises TypeError if `function` is a coroutine or can't be
    called at all. Follows erlang:spawn/3.
    """
    return _spawn(CoroutineProcess, function, args, kwargs, link=False).pid


def spawn_link(function: Callable[P, Awaitable[object]], *args: P.args, **kwargs: P.kwargs) -> Pid:
    """Like `spawn`, and link the new process to the calling process, if there is one. Follows erlang:spawn_link/3."""
    return _spawn(CoroutineProcess, function, args, kwargs, link=True).pid


def spawn_monitor(function: Callable[P, Awaitable[object]], *args: P.args, **kwargs: P.kwargs) -> tuple[Pid, Ref]:
    """Like `spawn`, and let the calling process monitor the new one. Returns the pid and the `ref` of the monitor.

    Raises NotInProcess. Follows erlang:spawn_monitor/3.
    """
    watcher = runtime().require_caller("spawn_monitor")
    process = _spawn(CoroutineProcess, function, args, kwargs, link=False)
    return process.pid, watcher.runtime.monitor(watcher, process)


def spawn_task(function: Callable[P, Awaitable[object]], *args: P.args, **kwargs: P.kwargs) -> Pid:
    """Like `spawn_link`, for asyncio code that doesn't use the runtime and so receives no messages.

    An exit signal cancels the coroutine, and the process ends when the coroutine has ended; "kill" ends the process at
    once. OTP has no such process.
    """
    return _spawn(TaskProcess, function, args, kwargs, link=True).pid


def _spawn(
    process_type: type[CoroutineProcess],
    function: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    link: bool,
) -> CoroutineProcess:
    if not callable(function):
        if isinstance(function, CoroutineType):
            function.close()
        raise TypeError(f"{function!r} is not a coroutine function: pass the function itself, then its arguments")
    node = runtime()
    caller = node.calling_process()
    process = process_type(node, caller.pid if caller is not None else ROOT, function)
    node.add_process(process, link=caller if link else None)
    process.begin(args, kwargs)
    return process


# ------------------------------------------------------------------ messages


async def receive(timeout: float | None = None) -> Any:
    """Take the oldest message from the mailbox of the calling process, which must run a coroutine.

    Waits at most `timeout` seconds for a message; None waits forever. Raises TimeoutError if no
    message arrives in time, ValueError for an invalid time, and NotInProcess. Raises RuntimeError in
    a process with callbacks, or if another task of the process already waits. OTP's receive
    expression can select a message and leave others in the mailbox; this function can't.
    """
    process = runtime().require_caller("receive")
    if not isinstance(process, CoroutineProcess):
        raise RuntimeError(
            f"{process.title()} gets its messages through callbacks; call receive() only in a spawned coroutine"
        )
    if timeout is not None:
        check_seconds(timeout)
    return await process.next_message(timeout)


def send(target: Target, message: Any) -> None:
    """Put `message` into the target's mailbox. Never waits.

    A message to a process that has ended is dropped silently. Raises NoProcess for an unknown name. Follows
    erlang:send/2.
    """
    node = current_runtime.node or runtime()
    if node.zombies:
        node.refuse_zombie()
    known: dict[Any, Process] = node.names if isinstance(target, str) else node.processes
    try:
        process = known[target]
    except KeyError:
        if isinstance(target, str):
            raise NoProcess(target) from None
        return
    if (mail := process.mail) is not None:
        mail.append((None, message, None, None))
    else:
        node.post(process, (None, message, None, None))


def send_after(seconds: float, target: Target, message: Any) -> TimerRef:
    """Send `message` after `seconds` seconds; returns the timer.

    If `target` is a name, it is looked up when the timer fires. If `target` is a pid, the end of this process cancels
    the timer. Raises ValueError for an invalid time. Follows erlang:send_after/3.
    """
    check_seconds(seconds)
    node = runtime()
    node.refuse_zombie()
    process = None if isinstance(target, str) else node.processes.get(target)
    if process is None and not isinstance(target, str):
        return TimerRef(monotonic() + seconds, target, None, None)
    timer = TimerRef(monotonic() + seconds, target, message, process)
    timer.start(node.call_later(seconds, _deliver, node, timer), node.named_timers)
    return timer


def _deliver(node: Runtime, timer: TimerRef) -> None:
    target, message = timer.target, timer.message
    timer.clear(node.named_timers)
    process = node.names.get(target) if isinstance(target, str) else node.processes.get(target)
    if process is not None:
        node.post(process, (None, message, None, None))


def cancel_timer(timer: TimerRef) -> float | None:
    """Cancel a timer and return the seconds that were left.

    Returns None if the message has already been sent, its receiver has ended or the timer was already cancelled.
    Follows erlang:cancel_timer/1.
    """
    node = runtime()
    node.refuse_zombie()
    handle = timer.clear(node.named_timers)
    if handle is None:
        return None
    handle.cancel()
    return max(timer.due - monotonic(), 0.0)


# ------------------------------------------------------------------ links, monitors, exits


def link(pid: int) -> None:
    """Link the calling process and the process `pid`: each gets an exit signal when the other ends.

    If `pid` has ended, the calling process gets an exit signal "noproc". Raises NotInProcess. Follows erlang:link/1.
    """
    node = runtime()
    caller = node.require_caller("link")
    other = node.processes.get(pid)
    if other is None:
        node.signal(caller, Pid(pid), "noproc", by_link=True)
    elif other.links is not caller:  # a supervisor's new child is linked already
        node.link(caller, other)


def unlink(pid: int) -> None:
    """Remove the link to the process `pid`, if there is one. Raises NotInProcess. Follows erlang:unlink/1."""
    node = runtime()
    caller = node.require_caller("unlink")
    other = node.processes.get(pid)
    if other is not None:
        node.unlink(caller, other)


def monitor(target: Target) -> Ref:
    """Monitor the target and return a `ref`. When the target ends, the calling process gets DOWN(ref, pid, reason).

    If there is no such process, the calling process gets a DOWN with the reason "noproc" at once.
    Each call makes another monitor. Raises NotInProcess. Follows erlang:monitor/2.
    """
    node = runtime()
    caller = node.require_caller("monitor")
    process = node.names.get(target) if isinstance(target, str) else node.processes.get(target)
    if process is not None:
        return node.monitor(caller, process)
    return node.monitor_missing(caller, Pid(target) if isinstance(target, int) else ROOT)


def demonitor(ref: Ref, *, flush: bool = False) -> None:
    """End a monitor of the calling process. If `flush` is true, also remove its DOWN from the mailbox.

    Raises NotInProcess. Follows erlang:demonitor/2.
    """
    node = runtime()
    caller = node.require_caller("demonitor")
    node.demonitor(caller, ref)
    if flush:
        node.drop_messages(caller, lambda message: isinstance(message, DOWN) and message.ref is ref)


def exit(pid: Target, reason: object) -> None:
    """Send an exit signal to a process, which ends at once with `reason` unless it traps exits.

    "kill" ends any process, with the reason "killed". "normal" ends the target only if the target is
    the calling process. Does nothing if there is no such process. Outside of processes the sender is
    <0>. Follows erlang:exit/2.
    """
    node = runtime()
    node.refuse_zombie()
    caller = node.calling_process()
    target = node.names.get(pid) if isinstance(pid, str) else node.processes.get(pid)
    if target is not None:
        node.signal(target, caller.pid if caller is not None else ROOT, reason)


def trap_exit(flag: bool = True) -> bool:
    """Set whether the calling process receives exit signals as EXIT messages; returns the previous setting.

    Raises NotInProcess. Follows erlang:process_flag/2.
    """
    caller = runtime().require_caller("trap_exit")
    before, caller.trapping = caller.trapping, flag
    return before


# ------------------------------------------------------------------ names


def self_pid() -> Pid:
    """Return the pid of the calling process. Raises NotInProcess. Follows erlang:self/0."""
    caller = runtime().calling_process()
    if caller is None:
        raise NotInProcess("self_pid")
    return caller.pid


def register(name: str, pid: int) -> None:
    """Register the process `pid` as `name`. The end of the process removes the name.

    Raises NameTaken, NoProcess, and ValueError if the process has a name already or `name` is not a non-empty str.
    Follows erlang:register/2.
    """
    node = runtime()
    node.refuse_zombie()
    node.register(name, node.find(pid))


def unregister(name: str) -> None:
    """Remove the registration of `name`. Raises NoProcess. Follows erlang:unregister/1."""
    node = runtime()
    node.refuse_zombie()
    node.unregister(name)


def whereis(name: str) -> Pid | None:
    """Return the process that is registered as `name`, or None. Follows erlang:whereis/1."""
    process = runtime().names.get(name)
    return process.pid if process is not None else None


def registered() -> list[str]:
    """Return all registered names, sorted. Follows erlang:registered/0."""
    return sorted(runtime().names)


def is_alive(pid: int) -> bool:
    """Return whether the process `pid` has not ended. Follows erlang:is_process_alive/1."""
    return pid in runtime().processes


async def until_ended(target: Target) -> object:
    """Wait for the end of a process and return its exit reason. Works inside and outside of processes.

    There is no time limit. Raises NoProcess. Raises Deadlock at once if the target is the calling process or waits for
    the calling process. OTP has no such function: there the caller monitors the process and receives its DOWN.
    """
    node = runtime()
    process = node.find(target)
    refuse_deadlock(node.calling_process(), process)
    return await wait_for_end(process)
