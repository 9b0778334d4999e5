"""The attacks of another user of the machine. They run as that user, with the standard library only.

Each returns what the attacker has got; it should be nothing.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

PTRACE_ATTACH = 16
PROC_FILES = ("cmdline", "environ", "maps", "mem", "stack", "syscall", "auxv", "io", "fd", "cwd", "exe", "root")


def wait_for_the_end() -> None:
    """Wait until the test closes the standard input."""
    sys.stdin.read()


def read_files(paths: list[str]) -> list[str]:
    """Open files and list folders; returns those that could be read."""
    found = []
    for path in paths:
        with suppress(OSError):
            if os.path.isdir(path):
                os.listdir(path)
            else:
                os.close(os.open(path, os.O_RDONLY))
            found.append(path)
    return found


def write_below(folders: list[str], files: list[str]) -> list[str]:
    """Create, replace, link and delete files; returns what succeeded."""
    done = []
    for folder in folders:
        attempts = [
            succeeds(os.open, f"{folder}/evil.py", os.O_WRONLY | os.O_CREAT, 0o666),
            succeeds(os.mkdir, f"{folder}/evil"),
            succeeds(os.symlink, "/tmp", f"{folder}/evil-link"),
            succeeds(os.chmod, folder, 0o777),
            succeeds(os.rename, folder, f"{folder}-evil"),
        ]
        done += [folder] * any(attempts)
    for file in files:
        attempts = [
            succeeds(os.open, file, os.O_WRONLY),
            succeeds(os.truncate, file, 0),
            succeeds(os.unlink, file),
            succeeds(os.chmod, file, 0o666),
        ]
        done += [file] * any(attempts)
    return done


def succeeds(act: Callable[..., object], *arguments: object) -> bool:
    """Returns whether a system call is allowed."""
    try:
        act(*arguments)
    except OSError:
        return False
    return True


def link_files(paths: list[str], folder: str) -> list[str]:
    """Make hard links to files, which would keep them after they were deleted; returns those that exist."""
    os.makedirs(folder, exist_ok=True)
    found = []
    for number, path in enumerate(paths):
        with suppress(OSError):
            os.link(path, f"{folder}/{number}")
            found.append(path)
    return found


def hold_locks(paths: list[str]) -> list[str]:
    """Hold a lock on files and folders until the end of the test; prints those that are held."""
    held, descriptors = [], []
    for path in paths:
        for mode in (os.O_RDWR, os.O_RDONLY):
            with suppress(OSError):
                descriptor = os.open(path, mode)
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                descriptors.append(descriptor)
                held.append(path)
                break
    print(json.dumps(held), flush=True)
    wait_for_the_end()
    return held


def send_signals(pids: list[int]) -> list[int]:
    """Signal processes; returns those that could be reached."""
    reached = []
    for pid in pids:
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGSTOP, 0):
            with suppress(OSError):
                os.kill(pid, number)
                reached.append(pid)
    return reached


def trace_processes(pids: list[int]) -> list[int]:
    """Attach to processes as a debugger does; returns those that could be reached."""
    library = ctypes.CDLL(None, use_errno=True)
    return [pid for pid in pids if library.ptrace(PTRACE_ATTACH, pid, None, None) == 0]


def read_process_files(pids: list[int]) -> dict[str, str]:
    """The contents of /proc/<pid>/ that can be read."""
    found = {}
    for pid in pids:
        for name in PROC_FILES:
            path = f"/proc/{pid}/{name}"
            with suppress(OSError):
                if name == "fd":
                    found[path] = repr([os.readlink(f"{path}/{number}") for number in os.listdir(path)])
                elif name in ("cwd", "exe", "root"):
                    found[path] = os.readlink(path)
                else:
                    with open(path, "rb") as file:
                        found[path] = file.read(1 << 16).decode("utf-8", "replace")
    return {path: text for path, text in found.items() if text}


def squat_folder(path: str, target: str) -> str:
    """Make a folder, or a link to `target`, where somebody else's folder will be; returns its path."""
    with suppress(OSError):
        if target:
            os.symlink(target, path)
        else:
            os.mkdir(path, 0o777)
            os.chmod(path, 0o777)
    return path


def impersonate(port: int) -> list[str]:
    """Listen on a node's port, and take down what its clients send; prints whether the port could be had."""
    received: list[bytes] = []
    with socket.socket() as listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            listener.listen()
        except OSError:
            print("false", flush=True)
            wait_for_the_end()
            return []
        print("true", flush=True)
        connections: list[socket.socket] = []
        while not select.select([sys.stdin], [], [], 0)[0]:
            ready, _, _ = select.select([listener, sys.stdin, *connections], [], [], 1)
            if listener in ready:
                connection, _ = listener.accept()
                connection.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00CURVE".ljust(23, b"\0") + bytes(32))
                connections.append(connection)
            for connection in connections:
                if connection in ready:
                    with suppress(OSError):
                        received.append(connection.recv(1 << 16))
    return [data.hex() for data in received if data]


def connect_to(port: int, seconds: float) -> socket.socket:
    """A connection with a time limit; no host name is looked up, because that would import more modules."""
    connection = socket.socket()
    connection.settimeout(seconds)
    connection.connect(("127.0.0.1", port))
    return connection


def open_connections(port: int, number: int, first_bytes: str) -> int:
    """Open connections that then say no more; prints how many were opened."""
    connections = []
    for _ in range(number):
        with suppress(OSError):
            connection = connect_to(port, 5)
            connection.sendall(bytes.fromhex(first_bytes))
            connections.append(connection)
    print(json.dumps(len(connections)), flush=True)
    wait_for_the_end()
    return len(connections)


def talk_without_keys(port: int) -> dict[str, str]:
    """Greet the node as ZeroMQ does, with each mechanism that needs no key; returns the answers after the greeting."""
    answers = {}
    for mechanism in ("NULL", "PLAIN", "GSSAPI", "CURVE", ""):
        greeting = b"\xff" + bytes(7) + b"\x01\x7f\x03\x00" + mechanism.encode().ljust(20, b"\0") + bytes(32)
        ready = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"
        hello = b"\x04\x14\x05HELLO\x05admin\x06secret"
        request = b"\x00\x20" + b"\x83\xa2id\x01\xa6method\xa8snapshot"
        with suppress(OSError), connect_to(port, 2) as connection:
            connection.sendall(greeting + (hello if mechanism == "PLAIN" else ready) + request)
            data = b""
            with suppress(OSError):
                while more := connection.recv(1 << 16):
                    data += more
            answers[mechanism] = data[64:].hex()
    return answers


def connect_unix_sockets(folder: str) -> list[str]:
    """Connect to each Unix socket of the machine that has something to do with a folder; returns those that answer."""
    reached = []
    with open("/proc/net/unix") as table:
        names = {line.split()[-1] for line in table if folder in line or "node_runtime" in line or "hotdash" in line}
    for name in names:
        for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
            with suppress(OSError), socket.socket(socket.AF_UNIX, kind) as connection:
                connection.connect("\0" + name[1:] if name.startswith("@") else name)
                reached.append(name)
    return reached


def find_files_of(uid: int, folders: list[str]) -> list[str]:
    """The files of a user in shared folders that can be read or written by others."""
    found = []
    for folder in folders:
        for path in os.listdir(folder):
            with suppress(OSError):
                status = os.lstat(f"{folder}/{path}")
                if status.st_uid == uid and "node_runtime" in path and status.st_mode & 0o077:
                    found.append(f"{folder}/{path}")
    return found


def plant_modules(folder: str, names: list[str], mark: str) -> list[str]:
    """Write modules that leave a mark when they are imported; returns their paths."""
    os.makedirs(folder, exist_ok=True)
    paths = []
    for name in names:
        paths.append(f"{folder}/{name}")
        with open(paths[-1], "w") as file:
            file.write(f"open({mark!r}, 'a').write(__name__)\n")
    return paths
