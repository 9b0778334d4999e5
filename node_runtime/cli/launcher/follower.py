"""Workers other than worker 1: a thread of the parent for each of them boots the release that worker 1 runs.

Only worker 1 changes the node's releases, so the other workers wait until worker 1 is ready. A worker that has ended is
booted again into the release that worker 1 runs at that time, which may not be the permanent one.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Protocol

from .installed_release import InstalledRelease
from .node_directory import DIRECTORY, LauncherError
from .worker import STABLE_SECONDS, WorkerProcess, restart_pause

LEADER = 1
MAX_REASON = 600  # characters of a reason in a message, so that it fits into one atomic write to a pipe


class LeaderStatus(Protocol):
    """The part of the parent that a follower uses. `current` is the release of worker 1; "" while it isn't ready."""

    current: str
    sockets: tuple[int, ...]

    def changed(self) -> None: ...
    def pass_on(self, sender: int, receiver: int, text: str) -> None: ...


def worker_lock(number: int) -> Path:
    """Return the lock file of a worker, which its process holds while it runs."""
    return DIRECTORY / "var" / "workers" / str(number) / "node.lock"


class Follower(WorkerProcess):
    """A worker that follows worker 1. Its thread ends when the worker is stopped."""

    def __init__(self, number: int, leader: LeaderStatus) -> None:
        super().__init__(number, worker_lock(number), leader.changed, leader.pass_on)
        self.leader, self.sockets = leader, leader.sockets
        self.asked = False  # whether a restart was requested: then the end of the process is not a failure
        self.thread = threading.Thread(target=self.run, name=f"worker {number}")
        self.thread.start()

    def run(self) -> None:
        """Boot the worker until it is stopped."""
        short_runs = 0
        while vsn := self._wait_for_leader():
            began, self.error, self.asked = time.monotonic(), "", False
            try:
                release = InstalledRelease(vsn)
                release.verify()
                self.lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self.run_node(release)
            except (LauncherError, OSError) as failure:
                self.ending, self.error = "failed", str(failure)
                self.on_change()
            if self.stopping:
                break
            why = "" if self.asked or self.ending in {"restart", "stopped"} else self.error
            ended = {"type": "WorkerEnded", "why": why[:MAX_REASON]}
            self.leader.pass_on(self.number, LEADER, json.dumps(ended, ensure_ascii=False))
            if self.error:
                self.log(f"{self.error} Restarting.")
            if not why:
                continue
            stable = self.ready_at and time.monotonic() - began > STABLE_SECONDS
            short_runs = 0 if stable else short_runs + 1
            self.pause(restart_pause(short_runs))

    def _wait_for_leader(self) -> str:
        """Return the release that worker 1 runs, as soon as it is ready; "" if this worker is stopped before."""
        while not self.stopping:
            if vsn := self.leader.current:
                return vsn
            self.pause(1.0)
        return ""

    def leader_is_ready(self) -> None:
        """End the wait for worker 1, or before the next boot."""
        self.waiting = False
        self.wake()

    def restart(self) -> None:
        """Shut the process down; it boots again into the release that worker 1 runs then."""
        if self.node is not None:
            self.asked, self.status = True, "ending"  # so that this run is not taken for the next one
            self.on_change()
            self.signal(signal.SIGHUP)

    def close(self) -> None:
        """Forget the worker, whose thread has ended."""
        self.thread.join()
        os.close(self.wakeup)
        os.close(self.waker)
