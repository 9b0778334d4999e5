"""The OS process that reads a tarball. `run_stage_process` starts it and gets its report through a pipe.

The tarball may be malicious, so the memory, the time, the open files and the file size of this process are limited. If
it reaches a limit, it ends, and the node is not affected. It writes only to its stage folder. It also ends when the
process that started it has ended.
"""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from pathlib import Path

import msgspec

from node_runtime.protocol.clip import clip
from node_runtime.protocol.escape import escape
from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.tarball_limits import MAX_TOTAL_BYTES

from .receive import Reception, others_of, read_received, receive, translate_relups

MAX_MEMORY_BYTES = 1 << 30
"""The limit of the process's address space. A large release needs about a tenth of it."""
MAX_CPU_SECONDS = 100
"""Processor time for the whole tarball."""
MAX_PARSING_CPU_SECONDS = 1.0
"""Processor time for its TOML files. The node parses the same files later, so this must be short."""
MAX_RELUP_CPU_SECONDS = 2.0
"""Processor time for the relups with one other release, whose files are read for this."""
MAX_OPEN_FILES = 64
MAX_SENTENCE_CHARACTERS = 900
"""A sentence about a tarball may quote it, so it is also escaped: it must be one line for people."""
ORPHAN_POLL_SECONDS = 0.2
STACK_BYTES = 256 << 10
"""The stack size of threads: the whole stack counts as address space."""


class StageTask(msgspec.Struct, frozen=True):
    """The parameters of the process: the tarball's name for messages, two folders, and the id of the parent process."""

    name: str
    directory: str
    stage: str
    parent: int


class StageReport(msgspec.Struct, frozen=True):
    """The report: the sentence of a refusal, or None if the new files are in the stage."""

    refusal: str | None


def main(arguments: list[str]) -> None:
    """Unpack the tarball on the standard input and report on the standard output. The argument is a `StageTask`."""
    request = msgspec.json.decode(arguments[0], type=StageTask)
    report_pipe = os.dup(1)
    os.dup2(2, 1)  # output of `print` must not get into the report
    _limit_resources()
    threading.stack_size(STACK_BYTES)
    threading.Thread(target=_end_with, args=(request.parent,), daemon=True).start()
    refusal = _receive(Reception(request.name, Path(request.directory), Path(request.stage)))
    os.write(report_pipe, msgspec.json.encode(StageReport(refusal)))
    os._exit(0)


def _receive(reception: Reception) -> str | None:
    """Return the sentence of the refusal of the tarball; None if it is accepted."""
    try:
        with open(0, "rb", closefd=False) as tarball:
            manifest = receive(tarball, reception)
        _end_after(MAX_PARSING_CPU_SECONDS)
        release = read_received(manifest, reception)
        for other in others_of(release, reception):
            _end_after(MAX_RELUP_CPU_SECONDS)
            translate_relups(release, other, reception)
        _end_after(0)
    except Refused as refused:
        return _bounded(refused.sentence)
    except MemoryError:
        return f"{reception.name} can't be staged: it needs more than {MAX_MEMORY_BYTES >> 20:,} MiB of memory to read."
    except OSError as error:
        return f"{reception.name} can't be unpacked: {error.strerror or error}."
    except Exception as error:
        return f"{reception.name} can't be staged: reading its files fails with {type(error).__name__}."
    return None


def _bounded(sentence: str) -> str:
    """Return a sentence that may quote the tarball as a printable one of bounded length."""
    shown = escape(sentence)
    return shown if len(shown) <= MAX_SENTENCE_CHARACTERS else f"{clip(shown, MAX_SENTENCE_CHARACTERS)}."


def _limit_resources() -> None:
    for kind, limit in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
        (resource.RLIMIT_FSIZE, MAX_TOTAL_BYTES),
        (resource.RLIMIT_AS, MAX_MEMORY_BYTES),
        (resource.RLIMIT_CPU, MAX_CPU_SECONDS),
    ):
        _, hard = resource.getrlimit(kind)
        least = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (least, least))


def _end_after(seconds: float) -> None:
    """Let the system end this process after so much more processor time. 0 removes this limit; RLIMIT_CPU remains."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


def _end_with(parent: int) -> None:
    """Wait until `parent` has ended, then end this process: nobody waits for its report any more."""
    while os.getppid() == parent:
        time.sleep(ORPHAN_POLL_SECONDS)
    os._exit(1)
