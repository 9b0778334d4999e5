"""Runs a command of this project in a fork of the command server, as `subprocess.run` would run it."""

from __future__ import annotations

import atexit
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from .command_server import COMMANDS, Request

_SERVER = Path(__file__).with_name("command_server.py")
_lock = threading.Lock()
_connections: dict[int, socket.socket] = {}


def run_forked(line: Sequence[str], env: Mapping[str, str], limit: float) -> subprocess.CompletedProcess[str]:
    """Run a command of `COMMANDS` to its end, without a terminal. Raises TimeoutExpired after `limit` seconds."""
    assert line[0] in COMMANDS
    ours, theirs = socket.socketpair()
    request = Request(line=list(line), env=dict(env), cwd=str(Path.cwd()))
    with ours, TemporaryFile() as out, TemporaryFile() as err, open(os.devnull, "rb") as nothing:
        with theirs:
            streams = [nothing.fileno(), out.fileno(), err.fileno(), theirs.fileno()]
            socket.send_fds(_server(), [b"."], streams)
        ours.settimeout(limit)
        with ours.makefile("rwb") as replies:
            replies.write(json.dumps(request).encode() + b"\n")
            replies.flush()
            pid = int(replies.readline())
            try:
                code = int(replies.readline())
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(list(line), limit, _text(out), _text(err)) from None
        return subprocess.CompletedProcess(list(line), code, _text(out), _text(err))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return io.TextIOWrapper(io.BytesIO(file.read()), encoding="utf-8").read()


def _server() -> socket.socket:
    """The connection to the command server of this process, which is started at the first command."""
    with _lock:
        if os.getpid() not in _connections:
            ours, theirs = socket.socketpair()
            with theirs:
                line = [sys.executable, str(_SERVER), str(theirs.fileno())]
                process = subprocess.Popen(line, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
            atexit.register(_stop, os.getpid(), process)
            _connections[os.getpid()] = ours
        return _connections[os.getpid()]


def _stop(pid: int, process: subprocess.Popen[bytes]) -> None:
    if pid == os.getpid():
        _connections.pop(pid).close()
        process.wait()
