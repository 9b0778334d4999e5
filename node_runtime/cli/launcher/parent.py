"""The node's parent process, which OTP calls heart.

The parent boots the release that is permanent in the commit record. It restarts the node when the node fails or sends
no more heartbeats, but not after an orderly stop. A node that restarts into another release on probation reports this
release through its pipe. The parent boots that release once, and boots the permanent release afterwards, however the
run ended. The parent keeps the name of that release only in memory. If the permanent release is damaged or can't be
started, the parent boots the release that was permanent before it.

While the parent runs, it holds a lock on var/parent.lock and writes the node's status to var/parent.json. The parent
passes to the node through a pipe how its previous run ended, and not as an argument, because all users of the machine
can read a process's arguments.

A node with several workers has one OS process for each worker. The rules above are those of worker 1; the other workers
boot the release that worker 1 runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time

from .follower import Follower
from .inherited_sockets import take_inherited_sockets
from .installed_release import InstalledRelease
from .node_directory import DIRECTORY, NODE_LOCK, REFUSED, LauncherError, bootable, permanent
from .parent_lock import STATE, start_ticks
from .worker import MAX_SENTENCE, STABLE_SECONDS, WorkerProcess, restart_pause

MAX_UNREADY_BOOTS = 3  # in a row; after so many boots the parent gives up the release
TRIAL_VERSION = 5  # a release whose launcher is older ends no probation by itself after a boot


class Parent(WorkerProcess):
    """Boots and restarts worker 1 of the node, and reads its reports; has a `Follower` for each other worker."""

    def __init__(self, trial: str = "") -> None:
        sockets = take_inherited_sockets()  # before a pipe could get one of these descriptors
        super().__init__(1, NODE_LOCK, self.changed, self.pass_on)
        self.sockets = sockets
        self.trial, self.on_trial = trial, ""  # the release to boot once, on probation; the one that runs so now
        self.given_up: dict[str, str] = {}  # the reason for each release that is damaged or can't be started
        self.current = ""  # the release that worker 1 runs, while it is ready
        self.listens: dict[str, object] = {}  # where worker 1 accepts clients
        self.followers: list[Follower] = []
        self.status_lock = threading.Lock()
        signal.set_wakeup_fd(self.waker)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda number, frame: self.forward(number))

    def forward(self, number: int) -> None:
        """Forward a signal to the node. If worker 1 restarts, the others do so afterwards."""
        self.signal(number)
        if number != signal.SIGHUP:
            for follower in self.followers:
                follower.signal(number)

    def run(self) -> int:
        """Run until an orderly stop (returns 0), or until all releases are given up (returns 1)."""
        try:
            return self.run_leader()
        finally:
            self.set_workers(1)

    def run_leader(self) -> int:
        """Boot worker 1 until the node stops or can't boot."""
        unready_boots = short_runs = 0
        while release := self.choose():
            vsn = release.vsn
            trial = vsn == self.on_trial
            because = "" if trial or vsn == permanent() else self.given_up[permanent()]
            self.run_node(release, because, trial=trial)
            self.current = ""
            if self.ending == "stopped" or self.stopping:
                return 0
            if self.ending == "restart":
                for follower in self.followers:
                    follower.restart()
                continue
            if vsn == self.on_trial != permanent():
                self.log(f"{self.error} Release {vsn} was on probation; booting the permanent release.")
                continue
            unready_boots = 0 if self.ready_at else unready_boots + 1
            short_runs = 0 if self.ready_at and time.monotonic() - self.ready_at > STABLE_SECONDS else short_runs + 1
            refused = self.ending == "failed" and unready_boots == self.boots and len(bootable()) == 1
            if unready_boots == MAX_UNREADY_BOOTS or refused:
                self.give_up(vsn, self.error)
                unready_boots = short_runs = 0
            else:
                self.log(f"{self.error} Restarting.")
                self.pause(restart_pause(short_runs))
        self.error = next(iter(self.given_up.values()))
        self.report("ended", next(iter(self.given_up)))
        return REFUSED

    def choose(self) -> InstalledRelease | None:
        """Return the release to boot now: one on probation, else the first that isn't given up; None if all are."""
        if release := self.choose_trial():
            return release
        for vsn in bootable():
            if vsn not in self.given_up:
                try:
                    release = InstalledRelease(vsn)
                    release.verify()
                    release.command("")
                except LauncherError as damage:
                    self.give_up(vsn, str(damage))
                else:
                    return release
        return None

    def choose_trial(self) -> InstalledRelease | None:
        """Return the release to boot on probation, if there is one and it is intact. It is chosen once."""
        vsn, self.trial = self.trial, ""
        self.on_trial = vsn
        if not vsn:
            return None
        try:
            release = InstalledRelease(vsn)
            release.verify()
            if release.launcher_version() < TRIAL_VERSION:
                raise LauncherError(f"Release {vsn} is too old to be on probation after a boot.")
        except LauncherError as damage:
            self.on_trial, self.end_reason, self.own_fault = "", str(damage).rstrip("."), True
            self.log(f"{damage} Booting the permanent release.")
            return None
        return release

    def give_up(self, vsn: str, why: str) -> None:
        """Exclude this release from further boots."""
        self.given_up[vsn] = why
        self.log(f"{why} Giving up on release {vsn}.")

    def handle(self, line: str) -> float | None:
        """Handle one report of worker 1, which sends more kinds of reports than the other workers."""
        word, _, more = line.partition(" ")
        if word == "trial":
            self.trial = more
        elif word == "workers":
            self.set_workers(int(more))
        elif word == "current":
            self.current = more
            for follower in self.followers:
                follower.leader_is_ready()
        elif word == "heart":  # the first report of each boot
            self.listens = {}
        elif word == "listens":
            found = json.loads(more)
            self.listens = found if isinstance(found, dict) else {}
        elif word == "restart-worker":
            for follower in self.followers:
                if follower.number == int(more):
                    follower.restart()
        elif word == "ready":
            self.given_up.clear()
            if not self.current:  # the release can't run several workers
                self.set_workers(1)
        return super().handle(line)

    def set_workers(self, count: int) -> None:
        """Run `count` workers in all: start missing workers, or stop surplus ones and wait for their end."""
        while len(self.followers) < count - 1:
            self.followers.append(Follower(len(self.followers) + 2, self))
        ended = self.followers[count - 1 :]
        for follower in ended:
            if not follower.stopping:
                follower.signal(signal.SIGTERM)
        for follower in ended:  # they stay in the list meanwhile, so that a second signal kills them
            follower.close()
        del self.followers[count - 1 :]

    def pass_on(self, sender: int, receiver: int, text: str) -> None:
        """Pass a message of a worker on to another one."""
        for worker in (self, *self.followers):
            if worker.number == receiver:
                worker.mail(sender, text)

    def changed(self) -> None:
        """Write the status of the node, after that of a worker has changed."""
        with self.status_lock:  # held while reading, too: no thread may write an older status afterwards
            self._write(self.status, self.vsn)

    def report(self, phase: str, vsn: str) -> None:
        """Write the node's status to var/parent.json."""
        with self.status_lock:
            self._write(phase, vsn)

    def _write(self, phase: str, vsn: str) -> None:
        status = {
            "directory": str(DIRECTORY),
            "pid": os.getpid(),
            "began": start_ticks(os.getpid()),
            "node_pid": self.node.pid if self.node else None,
            "vsn": vsn,
            "phase": phase,
            "boots": self.boots,
            "error": self.error[:MAX_SENTENCE],
            "run_directory": self.run_directory,
            "listens": self.listens,
            "workers": [worker_status(follower) for follower in self.followers],
        }
        text = json.dumps(status).ljust(2 * MAX_SENTENCE)
        temporary = STATE.with_name(".parent.json.new")
        try:
            temporary.write_text(text)
            temporary.replace(STATE)
        except OSError:  # on a full disk, a text of the same length can still overwrite a file
            with contextlib.suppress(OSError), STATE.open("r+") as state:
                state.write(text)


def worker_status(follower: Follower) -> dict[str, object]:
    """Return the status of a worker other than worker 1, for var/parent.json."""
    return {
        "number": follower.number,
        "pid": follower.node.pid if follower.node else None,
        "vsn": follower.vsn,
        "phase": follower.status,
        "boots": follower.boots,
        "error": follower.error[:MAX_SENTENCE],
    }
