"""Starts the OS process that reads a tarball, and waits for its report.

The process is a new Python with the same libraries as this process; the libraries are verified in the same way. It
inherits no open file except the tarball, and almost no environment. If anything goes wrong in the process, the tarball
is refused.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, BinaryIO

import msgspec

from node_runtime.code.verified_imports import release_command
from node_runtime.protocol.exit_codes import Refused

from .stage_child import MAX_CPU_SECONDS, MAX_PARSING_CPU_SECONDS, MAX_RELUP_CPU_SECONDS, StageReport, StageTask

DEADLINE_SECONDS = 110.0
"""The time limit for one tarball. A client waits slightly longer for the end of its upload."""
END_SECONDS = 5.0
"""The time limit for the end of the process after it has closed the pipe."""
MAX_REPORT_BYTES = 64 << 10
_MODULE = "node_runtime.releases.store.stage_child"
_KEPT_ENVIRONMENT = ("LD_LIBRARY_PATH", "PATH")
"""The variables that Python may need to start, and PATH, on which the Python of a release is looked up.

The process gets no other variables, because they may contain secrets.
"""


def run_stage_process(tarball: BinaryIO, name: str, directory: Path, stage: Path) -> None:
    """Unpack the new files of `tarball` to the folder `stage`. Raises `Refused` if the tarball is refused.

    `name` is the tarball's name for messages, `directory` is the node directory, which the process only reads. Blocks.
    """
    request = StageTask(name=name, directory=str(directory.absolute()), stage=str(stage), parent=os.getpid())
    command = release_command(_MODULE, msgspec.json.encode(request).decode())
    process = start_apart(command, stdin=tarball, folder=stage)
    assert process.stdout is not None
    with process.stdout as pipe:
        try:
            data = _read_report(pipe, time.monotonic() + DEADLINE_SECONDS)
            if data == b"":
                process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            data = None
        finally:
            process.kill()
            code = process.wait()
    report = _decoded(data)
    if report is None:
        raise Refused(f"{name} can't be staged: {_reason(data, code)}.")
    if report.refusal is not None:
        raise Refused(report.refusal)


def start_apart(command: Sequence[str], stdin: IO[bytes] | int, folder: Path) -> subprocess.Popen[bytes]:
    """Start a process that reads a tarball or its files, in a session of its own and without the node's environment.

    It runs in `folder`, and its report is its stdout. Raises OSError if the system refuses the process.
    """
    return subprocess.Popen(
        command,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env={key: os.environ[key] for key in _KEPT_ENVIRONMENT if key in os.environ},
        umask=0o077,
        start_new_session=True,
    )


def _read_report(pipe: IO[bytes], deadline: float) -> bytes | None:
    """Return what the stage process writes until it closes the pipe; None if it writes too much or takes too long."""
    data = b""
    waiting = select.poll()
    waiting.register(pipe)
    while len(data) <= MAX_REPORT_BYTES and (left := deadline - time.monotonic()) > 0:
        if waiting.poll(left * 1000):
            more = os.read(pipe.fileno(), MAX_REPORT_BYTES)
            if not more:
                return data
            data += more
    return None


def _decoded(data: bytes | None) -> StageReport | None:
    try:
        return None if data is None else msgspec.json.decode(data, type=StageReport)
    except msgspec.DecodeError:
        return None


def _reason(data: bytes | None, code: int) -> str:
    """Return a clause that says why the process has sent no report.

    `data` is what it has sent; `code` is its exit code.
    """
    if data is None:
        return f"reading it takes more than {DEADLINE_SECONDS:.0f} seconds"
    if data:
        return "the process that reads it has sent an unreadable report"
    if code == -signal.SIGPROF:
        return (
            f"its TOML files and appups take too much processor time (limit {MAX_PARSING_CPU_SECONDS:g} s for the "
            f"files, {MAX_RELUP_CPU_SECONDS:g} s for the relups with another release)"
        )
    if code == -signal.SIGXCPU:
        return f"reading it takes too much processor time (limit {MAX_CPU_SECONDS} s)"
    if code == -signal.SIGKILL:
        return (
            "the process that reads it was killed; if the system's log says that memory was short, free some and try "
            "again"
        )
    return f"the process that reads it ended with {f'signal {-code}' if code < 0 else f'code {code}'}"
