"""Leases. A lease ends a suspend when its owner ends, or does not renew the lease in time.

In OTP a suspend has no owner: if a process suspends another process and then dies, the other
process stays suspended forever. Here a suspend without a lease needs an owner that certainly ends:
a process, or an operation of the runtime.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

from node_runtime.processes.pid import Pid, Ref
from node_runtime.processes.process import Process
from node_runtime.processes.runtime import Runtime, runtime

from . import live_processes


@dataclass(slots=True)
class Lease:
    """The timer and the monitors that end one owner's suspend of one process."""

    timer: asyncio.TimerHandle | None
    watching: tuple[tuple[Process, Ref], ...]

    def cancel(self) -> None:
        """Stop the timer and the monitors; the suspend remains."""
        if self.timer is not None:
            self.timer.cancel()
        for process, ref in self.watching:
            if process.watchers is not None:
                process.watchers.pop(ref, None)


class Leases:
    """The leases of a runtime, by process and owner."""

    def __init__(self) -> None:
        self.running: dict[tuple[Pid, object], Lease] = {}

    def begin(self, node: Runtime, process: Process, owner: object, seconds: float | None) -> None:
        """Begin a lease: it ends the suspend after `seconds`, or when the owner ends. Replaces an earlier lease."""
        self.drop(process.pid, owner)
        end = partial(self.end, process.pid, owner)
        watched = [process] if not isinstance(owner, Pid) else [process, node.find(owner)]
        self.running[process.pid, owner] = Lease(
            timer=None if seconds is None else node.call_later(seconds, end),
            watching=tuple((other, node.watch(other, lambda _: end())) for other in watched),
        )

    def drop(self, pid: Pid, owner: object) -> None:
        """Remove the lease and keep the suspend."""
        lease = self.running.pop((pid, owner), None)
        if lease is not None:
            lease.cancel()

    def end(self, pid: Pid, owner: object) -> None:
        """Remove the lease and end the suspend."""
        self.drop(pid, owner)
        live_processes.release(pid, owner=owner)


def leases() -> Leases:
    """Return the current runtime's leases."""
    return runtime().singleton(Leases)
