"""Starts the OS processes that compile the sources of a release.

The processes start when the whole tarball has been read and, if the node has release keys, its signature has been
checked. If the processes fail, the release is accepted anyway: a module without bytecode is compiled from its source
when it is imported.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from node_runtime.code.bytecode import BYTECODE_NAME, Bytecode
from node_runtime.code.verified_imports import release_command
from node_runtime.releases.files.manifest import FileEntry, Manifest, this_python
from node_runtime.releases.store import commit_record
from node_runtime.releases.store.parts import files_by_part
from node_runtime.releases.store.receive import STAGED_FILES
from node_runtime.releases.store.stage_process import start_apart

from .compile_child import CompiledPart, CompileTask

MAX_PROCESSES: Final = 4
MIN_SHARE_BYTES: Final = 1 << 20
"""One process is started for this many bytes of sources: compiling them takes several times as long as the start."""
DEADLINE_SECONDS: Final = 40.0
"""The time limit for all parts together."""
_MODULE: Final = "node_runtime.releases.store.bytecode.compile_child"

Sources = dict[str, dict[str, FileEntry]]
"""The sources of each part of a release."""


def make_bytecode(manifest: Manifest, directory: Path, stage: Path) -> dict[str, str]:
    """Write bytecode to the stage folder for each part of a release (such as lib/click-8.5.1) that has none yet.

    Return, for each part with bytecode, the hash of the bytecode's index. A release for another Python than this one
    gets no bytecode. Blocks.
    """
    if manifest.python != this_python():
        return {}
    sources = {part: found for part, files in files_by_part(manifest).items() if (found := _sources(part, files))}
    recorded = _recorded(directory, sources)
    missing = {part: files for part, files in sources.items() if part not in recorded}
    return {**recorded, **_compile(missing, directory, stage)}


def _sources(part: str, files: Mapping[str, FileEntry]) -> dict[str, FileEntry]:
    """Return the sources of a part such as lib/click-8.5.1; {} if the part itself has a file called `BYTECODE_NAME`."""
    own = f"{part}/{BYTECODE_NAME}"
    if not part.startswith("lib/") or any(path == own or path.startswith(f"{own}/") for path in files):
        return {}
    return {path: entry for path, entry in files.items() if path.endswith(".py")}


def _recorded(directory: Path, parts: Iterable[str]) -> dict[str, str]:
    """Return the recorded hashes of those `parts` of a release whose bytecode is in the node directory, and intact."""
    record = commit_record.load(directory)
    known = [entry.bytecode for entry in record.releases.values()] if record is not None else []
    found = {}
    for bytecode in known:
        for part in parts:
            if part in bytecode and part not in found and Bytecode(str(directory), bytecode).is_intact(part):
                found[part] = bytecode[part]
    return found


def _compile(sources: Sources, directory: Path, stage: Path) -> dict[str, str]:
    """Compile `sources`, the sources of each part of a release, in several OS processes.

    Return, for each part with new bytecode, the hash of the bytecode's index.
    """
    deadline = time.monotonic() + DEADLINE_SECONDS
    processes = []
    with suppress(OSError):
        for share in _shares(sources):
            task = CompileTask(str(directory.absolute()), str(stage / STAGED_FILES), share, os.getpid())
            processes.append(_start(msgspec.json.encode(task), stage))
    reported = {part: sha256 for process in processes for part, sha256 in _finished(process, deadline)}
    return {part: reported[part] for part in sources if part in reported}


def _shares(sources: Sources) -> list[Sources]:
    """Divide the parts of a release into shares of about the same size, one for each OS process."""
    sizes = {part: sum(entry.size for entry in files.values()) for part, files in sources.items()}
    wanted = -(-sum(sizes.values()) // MIN_SHARE_BYTES)
    shares: list[Sources] = [{} for _ in range(min(os.cpu_count() or 1, MAX_PROCESSES, len(sources), wanted))]
    for part in sorted(sizes, key=lambda part: (-sizes[part], part)) if shares else ():
        min(shares, key=lambda share: sum(sizes[held] for held in share))[part] = sources[part]
    return shares


def _start(task: bytes, stage: Path) -> subprocess.Popen[bytes]:
    process = start_apart(release_command(_MODULE), stdin=subprocess.PIPE, folder=stage)
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin as pipe:  # the process reads the whole task before it writes anything
        pipe.write(task)
    process.stdin = None
    return process


def _finished(process: subprocess.Popen[bytes], deadline: float) -> Iterator[tuple[str, str]]:
    """Wait until a compile process has ended. Yield (part, hash) for each part of the release that it has compiled.

    The hash is that of the bytecode's index.
    """
    with process:
        try:
            report, _ = process.communicate(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            report, _ = process.communicate()
    for line in report.splitlines():
        with suppress(msgspec.DecodeError):
            made = msgspec.json.decode(line, type=CompiledPart)
            yield made.part, made.index_sha256
