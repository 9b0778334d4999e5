"""Type checker cases for plain processes. Comments give the revealed types and the expected errors."""

from __future__ import annotations

from typing import reveal_type

from node_runtime import (
    DOWN,
    EXIT,
    TIMEOUT,
    Pid,
    cancel_timer,
    finished_processes,
    monitor,
    process_info,
    receive,
    send,
    send_after,
    spawn,
    spawn_link,
    spawn_monitor,
    spawn_task,
    stray_tasks,
    until_ended,
    whereis,
)


async def worker(count: int, *, word: str = "") -> str:
    return word * count


async def use(pid: Pid) -> None:
    reveal_type(spawn(worker, 3))  # reveals: Pid
    reveal_type(spawn_link(worker, 3, word="x"))  # reveals: Pid
    reveal_type(spawn_monitor(worker, 3))  # reveals: tuple[Pid, Ref]
    reveal_type(spawn_task(worker, 3))  # reveals: Pid
    reveal_type(monitor("worker"))  # reveals: Ref
    reveal_type(whereis("worker"))  # reveals: Pid | None
    reveal_type(await until_ended(pid))  # reveals: object
    reveal_type(cancel_timer(send_after(1.0, pid, "later")))  # reveals: float | None
    reveal_type(process_info(pid).callback)  # reveals: str | None
    reveal_type(finished_processes()[0].reason)  # reveals: str
    reveal_type(stray_tasks()[0].owner)  # reveals: Pid | None
    send(pid, object())
    match await receive(1.0):
        case EXIT(sender):
            reveal_type(sender)  # reveals: Pid
        case DOWN(ref=ref):
            reveal_type(ref)  # reveals: Ref
        case TIMEOUT(seconds):
            reveal_type(seconds)  # reveals: float


async def misuse(pid: Pid) -> None:
    spawn(worker)  # error
    spawn(worker, "three")  # error
    spawn(worker, 3, words="x")  # error
    spawn_link(print, "not async")  # error
    spawn_task(worker, 3, 4)  # error
    send(1.5, "nobody")  # error
    send_after("soon", pid, "later")  # error
    monitor(worker)  # error
