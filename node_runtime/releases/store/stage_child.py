"""The OS process that reads a tarball. `run_stage_process` starts it and gets its report through a pipe.

The tarball may be malicious, so the memory, the time, the open files and the file size of this process are limited. If
the process reaches a limit, it ends, and the node is not affected. The process writes only to its stage folder. It also
ends when the process that started it has ended.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import msgspec

from node_runtime.protocol.clip import clip
from node_runtime.protocol.escape import escape
from node_runtime.protocol.exit_codes import Refused

from .process_limits import MAX_MEMORY_BYTES, limit_process
from .receive import Reception, others_of, read_received, receive, translate_relups

MAX_CPU_SECONDS = 100
"""Processor time for the whole tarball."""
MAX_PARSING_CPU_SECONDS = 1.0
"""Processor time for the tarball's TOML files. The node parses the same files later, so this time must be short."""
MAX_RELUP_CPU_SECONDS = 2.0
"""Processor time for the relups with one other release, including the reading of that release's files."""
MAX_SENTENCE_CHARACTERS = 900
"""The maximum length of a refusal. A refusal may quote the tarball, so it is also escaped to be one readable line."""


class StageTask(msgspec.Struct, frozen=True):
    """The parameters of the process: a tarball's name for messages, two folders, and the OS pid of the parent process.

    The process reads the node directory `directory`, and writes to the stage folder `stage`.
    """

    name: str
    directory: str
    stage: str
    parent: int


class StageReport(msgspec.Struct, frozen=True):
    """The report of the process: the sentence of a refusal, or None if the new files are in the stage folder."""

    refusal: str | None


def main(arguments: list[str]) -> None:
    """Unpack the tarball on the standard input and report on the standard output. The argument is a `StageTask`."""
    request = msgspec.json.decode(arguments[0], type=StageTask)
    report_pipe = os.dup(1)
    os.dup2(2, 1)  # output of `print` must not get into the report
    limit_process(MAX_CPU_SECONDS, request.parent)
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
    """Escape and shorten a sentence, because it may quote the tarball."""
    shown = escape(sentence)
    return shown if len(shown) <= MAX_SENTENCE_CHARACTERS else f"{clip(shown, MAX_SENTENCE_CHARACTERS)}."


def _end_after(seconds: float) -> None:
    """Make the system end this process after `seconds` more of processor time; 0 removes this limit again."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
