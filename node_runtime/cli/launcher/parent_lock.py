"""The lock that the node's parent process holds, the status that it writes, and signals to it.

A process id alone doesn't identify a process, because the system uses ids again. So the parent counts as running only
while the lock is held. A signal is sent only if the process with the parent's id has the start time in the status.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from pathlib import Path
from typing import Any

from .node_directory import DIRECTORY, NAME, LauncherError, read_json

STATE = DIRECTORY / "var" / "parent.json"
LOCK = DIRECTORY / "var" / "parent.lock"


def need_owner() -> None:
    """Raise LauncherError if the directory belongs to another user, who could change what this user would run."""
    if DIRECTORY.stat().st_uid != os.geteuid():
        raise LauncherError(
            f"{DIRECTORY} belongs to another user; start the node as the owner, or chown the directory."
        )


def make_private() -> str | None:
    """Close the node's directory to other users. Return a sentence that reports this; None if it was closed already."""
    if not DIRECTORY.stat().st_mode & 0o077:
        return None
    DIRECTORY.chmod(0o700)
    return f"{DIRECTORY} was open to other users; its mode is now 0700."


def acquire() -> int | None:
    """Take the parent's lock; return its descriptor, or None if another process holds the lock."""
    while True:
        descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            if _is_held_by_others():
                LOCK.unlink(missing_ok=True)
                continue
            return None
        found = os.fstat(descriptor)
        if not found.st_mode & 0o077 and _is_at(LOCK, found):
            return descriptor
        # Other users could open the file, so one of them could hold the lock later. Nobody but us holds it now.
        if _is_at(LOCK, found):
            LOCK.unlink()
        os.close(descriptor)


def _is_at(path: Path, found: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.lstat(), found)
    except FileNotFoundError:
        return False


def running() -> dict[str, Any] | None:
    """Return the contents of var/parent.json, or None if no parent runs."""
    try:
        with LOCK.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return None if _is_held_by_others() else read_json(STATE) or None
    return None


def _is_held_by_others() -> bool:
    """Return whether the lock file is open to other users, and the parent that var/parent.json names has ended.

    Older releases made such files. A user who opens one can hold the lock, so that the node can't start.
    """
    try:
        found = read_json(STATE)
        return bool(LOCK.stat().st_mode & 0o077) and not (found and _is_parent(found))
    except FileNotFoundError:
        return False


def send_signal(found: dict[str, Any], number: int) -> None:
    """Send a signal to the parent that wrote `found`. Raises LauncherError if its id is now another process's."""
    pid = found["pid"]
    with contextlib.ExitStack() as stack:
        handle = None
        if hasattr(os, "pidfd_open"):  # the descriptor refers to this process even after its end
            try:
                handle = os.pidfd_open(pid)
            except ProcessLookupError:
                raise _other_process(pid) from None
            stack.callback(os.close, handle)
        if not _is_parent(found):
            raise _other_process(pid)
        if handle is None:
            os.kill(pid, number)
        else:
            signal.pidfd_send_signal(handle, number)


def start_ticks(pid: int) -> int | None:
    """Return when a process began, in clock ticks since the machine's boot; None if the system doesn't report it."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    return int(fields.rpartition(b")")[2].split()[19])  # the name of the program, in parentheses, may contain spaces


def _is_parent(found: dict[str, Any]) -> bool:
    """Return whether the process is the parent. A parent before version 2 is identified by its command."""
    began = start_ticks(found["pid"])
    if began is None:
        return start_ticks(os.getpid()) is None  # without start times, the lock has to suffice
    if found.get("began") is not None:
        return bool(began == found["began"])
    *program, verb, _ = Path(f"/proc/{found['pid']}/cmdline").read_bytes().split(b"\0")
    return verb == b"foreground" and any(os.path.basename(word) == NAME.encode() for word in program)


def _other_process(pid: int) -> LauncherError:
    return LauncherError(
        f"{LOCK} is held, but process {pid}, which {STATE.name} names, is not the node's parent; no signal was sent. "
        f"Find the holder of the lock, for example with `fuser {LOCK}`."
    )
