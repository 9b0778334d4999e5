"""One worker of the node: an OS process that the parent boots, monitors and restarts.

A node has one worker, unless node.toml sets another number. Each worker has two pipes to the parent: one for its
reports, and one for the messages of other workers, which the parent passes on unread.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from . import VERSION
from .inherited_sockets import AS_RECEIVER
from .installed_release import InstalledRelease
from .left_processes import end_left_processes
from .node_directory import DIRECTORY, LOG, NAME

STABLE_SECONDS = 5.0  # if a worker ends sooner after it was ready, the pause before its next boot grows
MAX_PAUSE_SECONDS = 30.0
DEFAULT_SILENCE_SECONDS = 60.0  # the longest time without a heartbeat, until the node sets another limit
MAX_WAIT_SECONDS = 1.0  # for a heartbeat, until the parent counts the time that has passed
MAX_SENTENCE = 1000  # characters of a sentence in var/parent.json, and of one for the next boot
MAX_REPORT_BYTES = 65_536  # of a report that is not complete yet
PIPE_VERSION = 2  # a release whose launcher is older gets the reasons of a boot as arguments
WORKERS_VERSION = 8  # a release whose launcher is older can't run several workers


def end_clause(code: int) -> str:
    """Return the clause that describes an exit code of the node."""
    return f"The node was ended by signal {-code}" if code < 0 else f"The node ended with exit code {code}"


def restart_pause(short_runs: int) -> float:
    """Return the seconds to wait before the next boot, after so many short runs in a row."""
    return float(min(0.25 * 2**short_runs, MAX_PAUSE_SECONDS))


class WorkerProcess:
    """Boots one OS process of the node at a time, and reads its reports from the pipe.

    `on_change()` is called when its status has changed, and `pass_on(number, text)` with a message for worker `number`.
    """

    def __init__(
        self, number: int, lock: Path, on_change: Callable[[], None], pass_on: Callable[[int, int, str], None]
    ) -> None:
        self.number, self.lock = number, lock
        self.sockets: tuple[int, ...] = ()  # the sockets of systemd, which all workers share
        self.on_change, self.pass_on = on_change, pass_on
        self.node: subprocess.Popen[bytes] | None = None
        self.stopping = self.waiting = False
        self.boots, self.ready_at, self.own_fault = 0, 0.0, False
        self.ending = self.error = self.end_reason = self.phase = self.end_phase = self.run_directory = ""
        self.status, self.vsn = "ended", ""
        self.wakeup, self.waker = os.pipe()
        os.set_blocking(self.waker, False)
        self._mail: int | None = None
        self._mail_lock = threading.RLock()  # reentrant: a signal's handler may interrupt the code that holds the lock

    def log(self, sentence: str) -> None:
        """Write one line to the log. A full disk is ignored: keeping the node running is more important."""
        worker = f", worker {self.number}" if self.number > 1 else ""
        with contextlib.suppress(OSError):
            os.write(2, f"{time.strftime('%F %T')} parent of {NAME}{worker}: {sentence}\n".encode())

    def wake(self) -> None:
        """End the present wait of this worker's thread."""
        with contextlib.suppress(BlockingIOError):
            os.write(self.waker, b"\0")

    def signal(self, number: int) -> None:
        """Forward a signal: SIGHUP restarts the process, SIGTERM and SIGINT stop it; a second stop signal kills it."""
        self.waiting, kills = False, self.stopping
        self.stopping = self.stopping or number != signal.SIGHUP  # set before `node` is read: see `run_node`
        if (node := self.node) is not None:
            node.send_signal(signal.SIGKILL if kills else number)
        self.wake()

    def pause(self, seconds: float) -> None:
        """Wait, unless a signal to stop or restart arrives."""
        until, self.waiting = time.monotonic() + seconds, True
        while self.waiting and not self.stopping and (left := until - time.monotonic()) > 0:
            if select.select([self.wakeup], [], [], left)[0]:
                os.read(self.wakeup, 4096)

    def mail(self, sender: int, text: str) -> None:
        """Pass a message of another worker on; it is dropped if this worker doesn't run."""
        with self._mail_lock:
            if self._mail is None:
                return
            try:
                os.write(self._mail, f"{sender} {text}\n".encode())
            except OSError as error:
                self.log(f"A message of worker {sender} was lost: {error}.")

    def run_node(self, release: InstalledRelease, because: str = "", *, trial: bool = False) -> None:
        """Boot the process once and wait for its end. `because` says why this release boots, `trial` on probation."""
        self.boots, self.ready_at, self.ending, self.error, self.phase = self.boots + 1, 0.0, "", "", ""
        node, reader = self._boot(release, because, trial)
        self._report("starting", release.vsn)
        if self.stopping:  # the signal came before there was a node to forward it to
            node.terminate()
        with open(reader, "rb", buffering=0) as heart:
            self._listen(node, heart)
        code = node.wait()
        self.node = None
        self._close_mail()
        if left := end_left_processes(self.lock, group=node.pid):
            self.log(left)
        if self.ready_at or not self.end_reason:  # if the node was never ready, the stored reason remains
            self._store_end(code, trial)
        if self.ending not in {"stopped", "restart"} and not self.error:
            self.error = f"{end_clause(code)}; see the end of {LOG}."
        self._report("ended", release.vsn)

    def _boot(self, release: InstalledRelease, because: str, trial: bool) -> tuple[subprocess.Popen[bytes], int]:
        """Start the process; return it, and the descriptor at which its reports arrive.

        If that fails, no descriptor stays open: the boot of a worker that can't start is tried again for ever.
        """
        reader, writer = os.pipe()
        passed = [writer]
        try:
            reasons = self._reasons(release, because, trial, passed)
            options = ("--heart", str(writer), *reasons)
            command = release.command("node_runtime.cli.node", str(DIRECTORY), release.vsn, *options)
            self.node = subprocess.Popen(
                [*(AS_RECEIVER if self.sockets else ()), *command],
                cwd=DIRECTORY,
                stdin=subprocess.DEVNULL,
                pass_fds=(*passed, *self.sockets),
                start_new_session=True,
            )
        except BaseException:
            os.close(reader)
            self._close_mail()
            raise
        finally:
            for descriptor in passed:
                os.close(descriptor)
        return self.node, reader

    def _report(self, status: str, vsn: str) -> None:
        self.status, self.vsn = status, vsn
        self.on_change()

    def _reasons(self, release: InstalledRelease, because: str, trial: bool, passed: list[int]) -> list[str]:
        """Return the options that tell the node why it boots this release and how its previous run ended.

        The descriptors that the options name, if any, are added to `passed`.
        """
        during, blame = (self.end_phase, self.own_fault) if self.end_reason else ("", False)
        reasons = {"because": because, "after": self.end_reason, "during": during}
        version = release.launcher_version()
        if version < PIPE_VERSION:
            options = [word for key, reason in reasons.items() if reason for word in (f"--{key}", reason)]
            return [*options, *(["--blame"] if blame else [])]
        reader, writer = os.pipe()
        facts: dict[str, object] = {"blame": blame, "trial": trial, "parent": VERSION}
        passed.append(reader)
        if version >= WORKERS_VERSION:
            mail, self._mail = os.pipe()
            os.set_blocking(self._mail, False)
            facts |= {"worker": self.number, "mail": mail}
            passed.append(mail)
        with open(writer, "w") as pipe:  # so few bytes fit into the pipe without a reader
            json.dump({key: reason[:MAX_SENTENCE] for key, reason in reasons.items()} | facts, pipe)
        return ["--reasons", str(reader)]

    def _close_mail(self) -> None:
        with self._mail_lock:
            if self._mail is not None:
                os.close(self._mail)
            self._mail = None

    def _store_end(self, code: int, trial: bool) -> None:
        """Store for the next boot why the node has ended, and whether the node itself caused the end.

        A SIGKILL from outside is not the node's fault. An end that the node has reported does not
        count as its fault either, because the node has already recorded such a failure.
        """
        self.end_phase = self.phase
        in_order = self.ending in {"stopped", "restart"}
        self.end_reason = "" if in_order else self.error.rstrip(".") or end_clause(code)
        reported = bool(self.ending) and not trial  # a release on trial can't always record its failure
        self.own_fault = not in_order and not reported and (bool(self.error) or code != -signal.SIGKILL)

    def _listen(self, node: subprocess.Popen[bytes], heart: IO[bytes]) -> None:
        """Read the node's reports until the node ends; kill the node if it sends no heartbeat within the time limit.

        Only time in which the parent ran counts, because a pause of the parent, such as that of a frozen container,
        pauses the node, too. So the parent waits in short steps, and a step that took longer than planned counts as
        long as planned.
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
                rest = rest[-MAX_REPORT_BYTES:]
                for line in lines:
                    silence = self._understood(line) or silence
                left = STABLE_SECONDS if self.ending else silence
            elif node.poll() is not None:
                return
            elif received == b"":
                left, watched = min(left, STABLE_SECONDS), [self.wakeup]
            elif left <= 0:
                self.error = self.error or f"The node sent no heartbeat for {silence:g} s."
                node.kill()
                return

    def _understood(self, line: bytes) -> float | None:
        """Handle one report. A report that can't be read is only logged, so that it does not affect other workers."""
        try:
            return self.handle(line.decode("utf-8", "replace"))
        except ValueError as error:
            self.log(f"A report of process {self.node.pid if self.node else '?'} can't be read: {error}.")
            return None

    def handle(self, line: str) -> float | None:
        """Handle one report of the node; return the new time limit for heartbeats in seconds, or None."""
        word, _, more = line.partition(" ")
        if word == "heart":
            return float(more)
        if word == "phase":
            self.phase = more
        elif word == "mail":
            number, _, text = more.partition(" ")
            self.pass_on(self.number, int(number), text)
        elif word == "ready":
            self.ready_at, self.run_directory = time.monotonic(), more
            self._report("running", self.vsn)
        elif word in {"stopped", "restart", "failed"}:
            self.ending, self.error = word, more
        return None
