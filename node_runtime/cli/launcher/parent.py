"""The node's parent process, which OTP calls heart.

The parent boots the release that is permanent in the commit record. It restarts the node when the
node fails or sends no more heartbeats, but not after an orderly stop. A node that restarts into another release on
probation says so through its pipe; the parent boots that release once, and whatever ends it, boots the permanent one
afterwards. Only the parent's memory has that release, not the disk. If the permanent release is
damaged or can't be started, the parent boots the one that was permanent most recently before it.
While the parent runs, it holds a lock on var/parent.lock and writes the node's status to
var/parent.json. A pipe, and not the arguments, tells the node how its previous run ended, because
all users of the machine can read a process's arguments.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from typing import IO

from . import VERSION
from .inherited_sockets import AS_RECEIVER, take_inherited_sockets
from .installed_release import InstalledRelease
from .left_processes import end_left_processes
from .node_directory import DIRECTORY, LOG, NAME, NODE_LOCK, REFUSED, LauncherError, bootable, permanent
from .parent_lock import STATE, start_ticks

MAX_UNREADY_BOOTS = 3  # in a row; after so many boots the parent gives up the release
STABLE_SECONDS = 5.0  # if the node ends sooner after it was ready, the pause before the next boot grows
MAX_PAUSE_SECONDS = 30.0
DEFAULT_SILENCE_SECONDS = 60.0  # the longest time without a heartbeat, until the node sets another limit
MAX_WAIT_SECONDS = 1.0  # for a heartbeat, until the parent counts the time that has passed
MAX_SENTENCE = 1000  # characters of a sentence in var/parent.json, and of one for the next boot
TRIAL_VERSION = 5  # a release whose launcher is older ends no probation by itself after a boot
PIPE_VERSION = 2  # a release whose launcher is older gets the reasons of a boot as arguments


def end_clause(code: int) -> str:
    """Return the clause that describes an exit code of the node."""
    return f"The node was ended by signal {-code}" if code < 0 else f"The node ended with exit code {code}"


class Parent:
    """Boots the node, reads its reports from the pipe, and restarts it."""

    def __init__(self, trial: str = "") -> None:
        self.node: subprocess.Popen[bytes] | None = None
        self.stopping = self.waiting = False
        self.boots, self.ready_at, self.own_fault = 0, 0.0, False
        self.ending = self.error = self.end_reason = self.phase = self.end_phase = self.run_directory = ""
        self.trial, self.on_trial = trial, ""  # the release to boot once, on probation; the one that was booted so
        self.given_up: dict[str, str] = {}  # the reason for each release that is damaged or can't be started
        self.sockets = take_inherited_sockets()  # before a pipe could get one of these descriptors
        self.wakeup, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda number, frame: self.forward(number))

    def forward(self, number: int) -> None:
        """Forward a signal: SIGHUP restarts the node, SIGTERM and SIGINT stop it; a second stop signal kills it."""
        self.waiting = False
        if self.node is not None:
            self.node.send_signal(signal.SIGKILL if self.stopping else number)
        self.stopping = self.stopping or number != signal.SIGHUP

    def run(self) -> int:
        """Run until an orderly stop (returns 0), or until all releases are given up (returns 1)."""
        unready_boots = short_runs = 0
        while release := self.choose():
            vsn = release.vsn
            self.run_node(release)
            if self.ending == "stopped" or self.stopping:
                return 0
            if self.ending == "restart":
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
                self.pause(min(0.25 * 2**short_runs, MAX_PAUSE_SECONDS))
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

    def log(self, sentence: str) -> None:
        """Write one line to the log. A full disk is ignored: keeping the node running is more important."""
        with contextlib.suppress(OSError):
            os.write(2, f"{time.strftime('%F %T')} parent of {NAME}: {sentence}\n".encode())

    def pause(self, seconds: float) -> None:
        """Wait, unless a signal to stop or restart arrives."""
        until, self.waiting = time.monotonic() + seconds, not self.stopping
        while self.waiting and (left := until - time.monotonic()) > 0:
            if select.select([self.wakeup], [], [], left)[0]:
                os.read(self.wakeup, 4096)

    def run_node(self, release: InstalledRelease) -> None:
        """Boot the node once and wait for its end."""
        vsn = release.vsn
        reader, writer = os.pipe()
        reasons, told = self.reasons(release)
        command = release.command("node_runtime.cli.node", str(DIRECTORY), vsn, "--heart", str(writer), *reasons)
        self.boots, self.ready_at, self.ending, self.error, self.phase = self.boots + 1, 0.0, "", "", ""
        passed = (writer, *told)
        node = self.node = subprocess.Popen(
            [*(AS_RECEIVER if self.sockets else ()), *command],
            cwd=DIRECTORY,
            stdin=subprocess.DEVNULL,
            pass_fds=(*passed, *self.sockets),
            start_new_session=True,
        )
        for descriptor in passed:
            os.close(descriptor)
        self.report("starting", vsn)
        if self.stopping:  # the signal came before there was a node to forward it to
            node.terminate()
        with open(reader, "rb", buffering=0) as heart:
            self.listen(node, heart, vsn)
        code = node.wait()
        self.node = None
        if left := end_left_processes(NODE_LOCK, group=node.pid):
            self.log(left)
        if self.ready_at or not self.end_reason:  # if the node was never ready, the stored reason remains
            self.store_end(code)
        if self.ending not in {"stopped", "restart"} and not self.error:
            self.error = f"{end_clause(code)}; see the end of {LOG}."
        self.report("ended", vsn)

    def reasons(self, release: InstalledRelease) -> tuple[list[str], list[int]]:
        """Return the options that tell the node why it boots this release and how its previous run ended.

        The second list has the descriptor that the options name, if any.
        """
        trial = release.vsn == self.on_trial
        because = "" if trial or release.vsn == permanent() else self.given_up[permanent()]
        during, blame = (self.end_phase, self.own_fault) if self.end_reason else ("", False)
        reasons = {"because": because, "after": self.end_reason, "during": during}
        if release.launcher_version() < PIPE_VERSION:
            options = [word for key, reason in reasons.items() if reason for word in (f"--{key}", reason)]
            return [*options, *(["--blame"] if blame else [])], []
        reader, writer = os.pipe()
        with open(writer, "w") as pipe:  # so few bytes fit into the pipe without a reader
            facts = {"blame": blame, "trial": trial, "parent": VERSION}
            json.dump({key: reason[:MAX_SENTENCE] for key, reason in reasons.items()} | facts, pipe)
        return ["--reasons", str(reader)], [reader]

    def store_end(self, code: int) -> None:
        """Store for the next boot why the node has ended, and whether the node itself caused the end.

        A SIGKILL from outside is not the node's fault. An end that the node has reported does not
        count as its fault either, because the node has already recorded such a failure.
        """
        self.end_phase = self.phase
        in_order = self.ending in {"stopped", "restart"}
        self.end_reason = "" if in_order else self.error.rstrip(".") or end_clause(code)
        reported = bool(self.ending) and not self.on_trial  # a release on trial can't always record its failure
        self.own_fault = not in_order and not reported and (bool(self.error) or code != -signal.SIGKILL)

    def listen(self, node: subprocess.Popen[bytes], heart: IO[bytes], vsn: str) -> None:
        """Read the node's reports until the node ends; kill the node if it sends no heartbeat within the time limit.

        Only time in which the parent ran counts: whatever stops the parent for a while, such as a frozen container,
        stops the node, too. So it waits for a short time at once, and counts a wait that took longer as that time.
        """
        silence, rest, watched = DEFAULT_SILENCE_SECONDS, b"", [heart.fileno(), self.wakeup]
        left = silence
        while True:
            wait, began = max(0.0, min(left, MAX_WAIT_SECONDS, silence / 8)), time.monotonic()
            readable, _, _ = select.select(watched, [], [], wait)
            left -= min(wait, time.monotonic() - began)
            if self.wakeup in readable:
                os.read(self.wakeup, 4096)
            received = heart.read(4096) if heart.fileno() in readable else None
            if received:
                *lines, rest = (rest + received).split(b"\n")
                for line in lines:
                    silence = self.handle(line.decode("utf-8", "replace"), vsn) or silence
                left = STABLE_SECONDS if self.ending else silence
            elif node.poll() is not None:
                return
            elif received == b"":
                left, watched = min(left, STABLE_SECONDS), [self.wakeup]
            elif left <= 0:
                self.error = self.error or f"The node sent no heartbeat for {silence:g} s."
                node.kill()
                return

    def handle(self, line: str, vsn: str) -> float | None:
        """Handle one report of the node; return the new time limit for heartbeats in seconds, or None."""
        word, _, more = line.partition(" ")
        if word == "heart":
            return float(more)
        if word == "phase":
            self.phase = more
        if word == "trial":
            self.trial = more
        if word == "ready":
            self.ready_at, self.run_directory = time.monotonic(), more
            self.given_up.clear()
            self.report("running", vsn)
        elif word in {"stopped", "restart", "failed"}:
            self.ending, self.error = word, more
        return None

    def report(self, phase: str, vsn: str) -> None:
        """Write the node's status to var/parent.json."""
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
        }
        text = json.dumps(status).ljust(2 * MAX_SENTENCE)
        temporary = STATE.with_name(".parent.json.new")
        try:
            temporary.write_text(text)
            temporary.replace(STATE)
        except OSError:  # on a full disk, a text of the same length can still overwrite a file
            with contextlib.suppress(OSError), STATE.open("r+") as state:
                state.write(text)
