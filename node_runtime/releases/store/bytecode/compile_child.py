"""An OS process that compiles the sources of some parts of a release (a part is a folder such as lib/click-8.5.1).

`compile_processes` starts the process. It executes nothing of the release. A malicious source may take much time or
memory to compile, so the process has the same limits as the process that reads a tarball. A source that can't be
compiled is left out.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec

from node_runtime.code.bytecode import BYTECODE_NAME, compiled, joined
from node_runtime.code.compiler import ERRORS
from node_runtime.protocol.private_files import sync_directory
from node_runtime.releases.files.manifest import FileEntry, sha256
from node_runtime.releases.store.process_limits import limit_process

MAX_COMPILE_CPU_SECONDS = 30
"""Processor time for the parts of one process. The parts that are not compiled by then get no bytecode."""


class CompileTask(msgspec.Struct, frozen=True):
    """The parameters of a process that compiles: the node directory, the stage folder `files`, and the parent's OS pid.

    `parts` has the sources of each part of the release; a part is a folder such as lib/click-8.5.1.
    """

    directory: str
    files: str
    parts: dict[str, dict[str, FileEntry]]
    parent: int


class CompiledPart(msgspec.Struct, frozen=True):
    """A line of the report: a part of the release, such as lib/click-8.5.1, was compiled to the stage folder.

    `index_sha256` is the hash of the index of the part's bytecode.
    """

    part: str
    index_sha256: str


def main(arguments: list[str]) -> None:
    """Compile the parts of the `CompileTask` on the standard input, and report each one on the standard output."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=CompileTask)
    report_pipe = os.dup(1)
    os.dup2(2, 1)
    limit_process(MAX_COMPILE_CPU_SECONDS, task.parent)
    for part, sources in task.parts.items():
        content, index_sha256 = joined(_compiled(task, sources.items()))
        _write(Path(task.files, part), content)
        os.write(report_pipe, msgspec.json.encode(CompiledPart(part, index_sha256)) + b"\n")
    os._exit(0)


def _compiled(task: CompileTask, sources: Iterable[tuple[str, FileEntry]]) -> dict[str, bytes]:
    modules = {}
    for path, entry in sources:
        staged = Path(task.files, path)
        data = (staged if staged.exists() else Path(task.directory, path)).read_bytes()
        if sha256(data) == entry.sha256:
            try:
                modules[path] = compiled(data, path)
            except tuple(ERRORS.values()):
                continue
    return modules


def _write(folder: Path, content: bytes) -> None:
    """Write the bytecode of one part of the release to `folder`, the part's folder, and sync it to the disk."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / BYTECODE_NAME).open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    sync_directory(folder)
