"""The node's parent, which OTP calls heart.

It boots the release that the commit record calls permanent, and boots it again when the node ends otherwise than in
order or its heart is silent. Where that release is damaged, or doesn't come up, it boots the newest one that was
permanent before. It holds var/parent.lock as long as it lives, and says in var/parent.json how the node is.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import time
from typing import IO, Any

from .node_directory import DIRECTORY, LOG, NAME, REFUSED, Failure, bootable, bundled, permanent, read_json, verify

STATE = DIRECTORY / "var" / "parent.json"
LOCK = DIRECTORY / "var" / "parent.lock"

MAX_UNREADY = 3  # boots in a row; then the parent gives the release up
SETTLED = 5.0  # seconds; a node that ends sooner after it was ready is booted again after a pause
MAX_PAUSE = 30.0
PATIENCE = 60.0  # seconds that the heart may be silent, until the node says something else
ROOM = 1000  # characters of a sentence in var/parent.json


def ended_by(code: int) -> str:
    """What the exit code says of a node's end."""
    return f"The node was ended by signal {-code}" if code < 0 else f"The node ended with {code}"


class Parent:
    """Boots the node, listens to its heart, boots it again."""

    def __init__(self) -> None:
        self.node: subprocess.Popen[bytes] | None = None
        self.stopping = self.waiting = False
        self.boots, self.ready_at, self.blamed = 0, 0.0, False
        self.last_word = self.error = self.why = self.phase = self.during = self.run_directory = ""
        self.given_up: dict[str, str] = {}  # releases that are damaged or don't come up, and why
        self.awake, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda number, frame: self.forward(number))

    def forward(self, number: int) -> None:
        """Tell the node to stop, or with SIGHUP to end and be booted again, at once; who says stop twice means it."""
        self.waiting = False
        if self.node is not None:
            self.node.send_signal(signal.SIGKILL if self.stopping else number)
        self.stopping = self.stopping or number != signal.SIGHUP

    def run(self) -> int:
        """Until the node has stopped in order (0), or can't be kept up (1)."""
        unready = hurried = 0
        while vsn := self.choose():
            self.live(vsn)
            if self.last_word == "stopped" or self.stopping:
                return 0
            if self.last_word == "restart":
                continue
            unready = 0 if self.ready_at else unready + 1
            hurried = 0 if self.ready_at and time.monotonic() - self.ready_at > SETTLED else hurried + 1
            refused = self.last_word == "failed" and unready == self.boots and len(bootable()) == 1
            if unready == MAX_UNREADY or refused:
                self.give_up(vsn, self.error)
                unready = hurried = 0
            else:
                self.say(f"{self.error} I boot it again.")
                self.pause(min(0.25 * 2**hurried, MAX_PAUSE))
        self.error = next(iter(self.given_up.values()))
        self.report("ended", next(iter(self.given_up)))
        return REFUSED

    def choose(self) -> str | None:
        """The release that boots now; None when all are given up."""
        for vsn in bootable():
            if vsn not in self.given_up:
                try:
                    verify(vsn)
                    bundled(vsn, "")
                except Failure as damage:
                    self.give_up(vsn, str(damage))
                else:
                    return vsn
        return None

    def give_up(self, vsn: str, why: str) -> None:
        """Boot this release no more."""
        self.given_up[vsn] = why
        self.say(f"{why} I give up {vsn}.")

    def say(self, sentence: str) -> None:
        """One line in the log. Where the disk takes none, the node is more important."""
        with contextlib.suppress(OSError):
            os.write(2, f"{time.strftime('%F %T')} parent of {NAME}: {sentence}\n".encode())

    def pause(self, seconds: float) -> None:
        """Let some time pass, unless somebody says stop, or restart."""
        until, self.waiting = time.monotonic() + seconds, not self.stopping
        while self.waiting and (left := until - time.monotonic()) > 0:
            if select.select([self.awake], [], [], left)[0]:
                os.read(self.awake, 4096)

    def live(self, vsn: str) -> None:
        """One life of the node, from its boot to its end."""
        ours, theirs = os.pipe()
        told = ["--heart", str(theirs)]
        if vsn != permanent():
            told += ["--because", self.given_up[permanent()]]
        if self.why:
            told += ["--after", self.why, "--during", self.during]
            if self.blamed:
                told.append("--blame")
        command = bundled(vsn, "node_runtime.cli.node", str(DIRECTORY), vsn, *told)
        self.boots, self.ready_at, self.last_word, self.error, self.phase = self.boots + 1, 0.0, "", "", ""
        node = self.node = subprocess.Popen(command, cwd=DIRECTORY, stdin=subprocess.DEVNULL, pass_fds=(theirs,))
        os.close(theirs)
        self.report("starting", vsn)
        if self.stopping:  # the signal came before there was anybody to forward it to
            node.terminate()
        with open(ours, "rb", buffering=0) as heart:
            self.listen(node, heart, vsn)
        code = node.wait()
        self.node = None
        if self.ready_at or not self.why:  # the next node that is ready is told, not one that isn't
            self.note_end(code)
        if self.last_word not in {"stopped", "restart"} and not self.error:
            self.error = f"{ended_by(code)}; its last words are in {LOG}."
        self.report("ended", vsn)

    def note_end(self, code: int) -> None:
        """Why the node has ended, for its next boot, and whether nobody else did that: who kills may have his reasons.

        What the node itself says of its end it has also written down.
        """
        self.during = self.phase
        in_order = self.last_word in {"stopped", "restart"}
        self.why = "" if in_order else self.error.rstrip(".") or ended_by(code)
        self.blamed = not self.last_word and (bool(self.error) or code != -signal.SIGKILL)

    def listen(self, node: subprocess.Popen[bytes], heart: IO[bytes], vsn: str) -> None:
        """Hear the node until it has ended; kill it when it is silent for too long."""
        patience, rest, ours = PATIENCE, b"", [heart.fileno(), self.awake]
        deadline = time.monotonic() + patience
        while True:
            heard, _, _ = select.select(ours, [], [], max(0.0, deadline - time.monotonic()))
            if self.awake in heard:
                os.read(self.awake, 4096)
            said = heart.read(4096) if heart.fileno() in heard else None
            if said:
                *lines, rest = (rest + said).split(b"\n")
                for line in lines:
                    patience = self.hear(line.decode("utf-8", "replace"), vsn) or patience
                deadline = time.monotonic() + patience
            elif node.poll() is not None:
                return
            elif said == b"":
                deadline, ours = min(deadline, time.monotonic() + SETTLED), [self.awake]
            elif time.monotonic() >= deadline:
                self.error = self.error or f"The node's heart was silent for {patience:g} s."
                node.kill()
                return

    def hear(self, line: str, vsn: str) -> float | None:
        """One word of the node; returns how long its heart may be silent if it says so, in seconds."""
        word, _, more = line.partition(" ")
        if word == "heart":
            return float(more)
        if word == "phase":
            self.phase = more
        if word == "ready":
            self.ready_at, self.run_directory = time.monotonic(), more
            self.given_up.clear()
            self.report("running", vsn)
        elif word in {"stopped", "restart", "failed"}:
            self.last_word, self.error = word, more
        return None

    def report(self, phase: str, vsn: str) -> None:
        """Say in var/parent.json how the node is."""
        who = {
            "directory": str(DIRECTORY),
            "pid": os.getpid(),
            "node_pid": self.node.pid if self.node else None,
            "vsn": vsn,
        }
        how = {"phase": phase, "boots": self.boots, "error": self.error[:ROOM], "run_directory": self.run_directory}
        said = json.dumps({**who, **how}).ljust(2 * ROOM)
        temporary = STATE.with_name(".parent.json.new")
        try:
            temporary.write_text(said)
            temporary.replace(STATE)
        except OSError:  # a full disk takes what stands in the place of something as long
            with contextlib.suppress(OSError), STATE.open("r+") as state:
                state.write(said)


def running() -> dict[str, Any] | None:
    """The state of the node, or None when no parent lives."""
    try:
        with LOCK.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return read_json(STATE) or None
    return None
