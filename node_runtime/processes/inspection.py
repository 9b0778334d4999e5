"""Information about processes and about asyncio tasks outside of processes, read without sending a message."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType

from node_runtime.protocol.messages import ProcessKind, RunStatus

from .exit_log import MAX_ENDS_KEPT, Finished
from .pid import Pid, Target
from .process import Process, task_process
from .runtime import runtime


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """Information about a process at one moment.

    `started` is in seconds since the epoch. `mailbox` counts the queued messages, `messages` the handled messages.
    `spent` is the time in callbacks, in seconds. It includes each `await` in a callback, because the process can handle
    no other message then, but not a coroutine's waits in `receive`. `callback` names the current async callback.
    `awaiting` has the position of each suspended frame, outermost first: "file:line function". Follows
    erlang:process_info/1.
    """

    pid: Pid
    name: str | None
    kind: ProcessKind
    status: RunStatus
    module: str
    qualname: str
    parent: Pid | None
    started: float
    mailbox: int
    messages: int
    spent: float
    trapping: bool
    links: tuple[Pid, ...]
    monitors: tuple[Pid, ...]
    callback: str | None
    awaiting: tuple[str, ...]


def process_info(target: Target) -> ProcessInfo:
    """Return information about a live process or, by its pid, about a zombie. Raises NoProcess.

    Follows erlang:process_info/1.
    """
    node = runtime()
    zombie = node.zombies.get(target) if isinstance(target, int) else None
    process = zombie or node.find(target)
    return ProcessInfo(
        pid=process.pid,
        name=process.name,
        kind=process.kind,
        status=process.status,
        module=process.module,
        qualname=process.qualname,
        parent=process.parent or None,
        started=process.started,
        mailbox=len(process.mail or ()),
        messages=process.handled,
        spent=process.busy_seconds(),
        trapping=process.trapping,
        links=tuple(linked.pid for linked in process.linked()),
        monitors=tuple(watched.pid for watched in (process.monitors or {}).values()),
        callback=process.current_callback(),
        awaiting=awaiting(process),
    )


def finished_processes(limit: int = MAX_ENDS_KEPT) -> list[Finished]:
    """Return at most `limit` of the processes that ended most recently, each with its exit reason, the newest first.

    The runtime remembers 200 orderly ends and 200 other ends. OTP keeps no such list.
    """
    return runtime().exit_log.newest(limit)


@dataclass(frozen=True, slots=True)
class StrayTask:
    """An asyncio task that is not a process: user code started it without the runtime.

    The task is not supervised, and no exit signal reaches it. `owner` is the process that started the task, or None if
    no process did; before Python 3.12, it is always None. `awaiting` has the same meaning as in ProcessInfo. OTP has no
    such tasks.
    """

    name: str
    qualname: str
    owner: Pid | None
    awaiting: tuple[str, ...]


def stray_tasks() -> list[StrayTask]:
    """Return the event loop's tasks that belong neither to a process nor to the runtime.

    The duration of this call grows with the number of tasks. OTP has no such tasks, because there all
    code runs in a process.
    """
    node = runtime()
    process_tasks = {process.task for process in (*node.processes.values(), *node.zombies.values())}
    found = []
    for task in asyncio.all_tasks(node.loop):
        coroutine = task.get_coro()
        if task in process_tasks or _is_runtime_task(_frame_of(coroutine)[0]):
            continue
        get_context = getattr(task, "get_context", None)
        owner = get_context().get(task_process) if get_context is not None else None
        qualname = getattr(coroutine, "__qualname__", type(coroutine).__qualname__)
        found.append(StrayTask(task.get_name(), qualname, owner and owner.pid, _frames(coroutine)))
    return sorted(found, key=lambda task: task.name)


def all_processes() -> list[Pid]:
    """Return the pids of all live processes, oldest first, then the pids of the zombies. Follows erlang:processes/0."""
    node = runtime()
    return [process.pid for process in (*node.processes.values(), *node.zombies.values())]


def awaiting(process: Process) -> tuple[str, ...]:
    """Return the positions of the process's suspended frames, outermost first, then the positions in its threads.

    The result is empty if the process has no frames.
    """
    suspended = _frames(process.task.get_coro()) if process.task is not None else ()
    return (*suspended, *(_line(frame) for work in process.threads or () for frame in work.frames()))


def _frames(waiter: object) -> tuple[str, ...]:
    found: list[str] = []
    while waiter is not None:
        frame, waiter = _frame_of(waiter)
        if frame is None:
            break
        if not _is_runtime_code(frame):
            found.append(_line(frame))
    return tuple(found)


def _line(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_qualname}"


def _is_runtime_task(frame: FrameType | None) -> bool:
    # If a public coroutine of these two layers, such as `call`, runs in a separate task, user code has made the task.
    if frame is None or not _is_runtime_code(frame):
        return False
    layer = frame.f_globals["__name__"].split(".")[1]
    return layer not in ("processes", "behaviours") or frame.f_code.co_name.startswith("_")


def _is_runtime_code(frame: FrameType | None) -> bool:
    return frame is not None and frame.f_globals.get("__name__", "").startswith(__name__.partition(".")[0] + ".")


def _frame_of(waiter: object) -> tuple[FrameType | None, object]:
    if isinstance(waiter, CoroutineType):
        return waiter.cr_frame, waiter.cr_await
    if isinstance(waiter, GeneratorType):
        return waiter.gi_frame, waiter.gi_yieldfrom
    if isinstance(waiter, AsyncGeneratorType):
        return waiter.ag_frame, waiter.ag_await
    return None, None
