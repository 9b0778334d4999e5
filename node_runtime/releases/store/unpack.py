"""Unpacks a release's tarball into a node directory.

A separate OS process reads the tarball and writes its files to a folder in var/staging; then other OS processes compile
the sources. A development node starts none of these processes. This module renames the files to their places. An
interruption leaves behind at most the folder in var/staging, and parts that no release in the commit record needs.
`sweep` deletes these leftovers, at the next boot or unpacking. After a failure, `sweep` runs at once; a node directory
that is new is then removed, and a node directory that was empty before is emptied.

A part (lib/<x>-<v>, releases/<vsn> or bin/<name>) that several releases share is stored once; a tarball with different
content for a shared part is refused. etc/ is never changed. bin/ is written only in a new node directory, because the
node's parent process runs from it; see `launcher_update`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from node_runtime.code.bytecode import BYTECODE_NAME
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.private_files import sync_directory
from node_runtime.releases.files.manifest import Manifest, decode_manifest, manifest_path
from node_runtime.releases.files.regular_file import open_regular, read_regular
from node_runtime.releases.files.tarball_limits import MAX_MANIFEST_BYTES
from node_runtime.releases.signing.admission import Admission

from . import commit_record
from .bytecode.compile_processes import make_bytecode
from .parts import new_parts, part_of, parts_of
from .receive import STAGED_FILES, STAGED_MANIFEST, receive_here
from .stage_process import run_stage_process
from .staging_request import PLAIN_REQUEST, StageRequest, admit_to, check_not_older, release_origin
from .sweep import STAGE_PREFIX, sweep


def unpack(
    tarball: Path, directory: Path, request: StageRequest = PLAIN_REQUEST, used: Set[str] = frozenset()
) -> Manifest:
    """Unpack `tarball` into the node directory and record the release as "unpacked". Raises `Refused`.

    The tarball's signature, if there is one, is in the file beside it. It is checked first, with the node's release
    keys. In a directory without a commit record, the release becomes permanent. If the release is already unpacked,
    damaged files are repaired; in this case, the release is no longer marked as failed. Blocks on the disk; must not be
    called in two threads at once.

    `used` are the parts, such as lib/click-8.5.1, that the running node still reads, perhaps for a release that was
    removed. These parts are not changed.
    """
    try:
        with open_regular(tarball) as file:
            admission = admit_to(directory, tarball)
            return _unpack(file, directory, admission, request, used)
    except OSError as error:
        raise Refused(f"{tarball.name} can't be unpacked: {error.strerror or error}.") from None


def _unpack(file: BinaryIO, directory: Path, admission: Admission, request: StageRequest, used: Set[str]) -> Manifest:
    with _emptied_on_failure(directory):
        sweep(directory, used)
        staging = directory / "var" / "staging"
        staging.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=STAGE_PREFIX, dir=staging) as folder:
            stage = Path(folder).absolute()
            receive = receive_here if request.development else run_stage_process
            receive(file, admission.file_name, directory, stage)
            data = read_regular(stage / STAGED_MANIFEST, MAX_MANIFEST_BYTES)
            manifest = decode_manifest(data)
            admission.check_manifest(manifest, data)
            origin = release_origin(admission, data, request)
            if not request.allow_older:
                check_not_older(admission.file_name, manifest.vsn, origin, commit_record.load(directory))
            bytecode = make_bytecode(manifest, directory, stage) if request.compiles else {}
            moved = _moves(stage / STAGED_FILES, directory, manifest)
            changed = [path for path in moved if Path(path).name != BYTECODE_NAME]
            _check_used(directory, manifest.vsn, used & set(map(part_of, changed)))
            with _swept_on_failure(directory, used):
                _move(stage / STAGED_FILES, directory, moved)
                _record(manifest, directory, origin, bytecode, repaired=bool(changed))
        return manifest


def _moves(files: Path, directory: Path, manifest: Manifest) -> list[str]:
    """Return the paths to move from the stage: new parts, and staged files of existing parts.

    Raises Refused if the stage has a file that is neither in the manifest nor bytecode, or lacks a file of a new part.
    The process that wrote the stage may be malicious.
    """
    listed = {manifest_path(manifest.vsn), *manifest.files}
    bytecode = {f"{part}/{BYTECODE_NAME}" for part in parts_of(manifest)}
    staged = set(_files_below(files))
    new = new_parts(manifest, directory, is_new=commit_record.load(directory) is None)
    linked = next((part for part in parts_of(manifest) if (directory / part).is_symlink()), None)
    if linked is not None:
        raise Refused(f"{linked} in the node directory is a symbolic link; delete it, then stage the tarball again.")
    if not staged <= listed | bytecode or any(part_of(path) in new and path not in staged for path in listed):
        raise Refused(f"Release {manifest.vsn} was not unpacked completely; stage its tarball again.")
    return [*sorted(new), *sorted(path for path in staged if part_of(path) not in new)]


def _check_used(directory: Path, vsn: str, changed: Set[str]) -> None:
    """Raise Refused if the new release would change a part of a removed release that the node still reads.

    `changed` are the parts, such as lib/click-8.5.1, that would be changed and that the node reads.
    """
    record = commit_record.load(directory)
    recorded = {part for entry in record.releases.values() for part in entry.parts} if record is not None else changed
    for part in sorted(changed - recorded):
        raise Refused(
            f"{part} of release {vsn} differs from that of a removed release, which the node still uses; "
            f"build the changed part under a new vsn, or restart the node first."
        )


def _files_below(folder: Path) -> Iterator[str]:
    """Yield the path of each entry below `folder` that is not itself a folder. The paths are relative to `folder`."""
    for where, _, names in os.walk(folder):
        relative = os.path.relpath(where, folder)
        yield from (os.path.normpath(os.path.join(relative, name)) for name in names)


def _move(files: Path, directory: Path, paths: list[str]) -> None:
    """Rename the staged parts and files to their places in the node directory.

    The contents of all files are on the disk before the first rename.
    """
    for path in paths:
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (files / path).replace(directory / path)
    for parent in {directory, *((directory / path).parent for path in paths)}:
        sync_directory(parent)


@contextmanager
def _swept_on_failure(directory: Path, used: Set[str]) -> Iterator[None]:
    """If the block fails, delete the new parts that were already moved, unless the disk fails, too."""
    try:
        yield
    except BaseException:
        with suppress(OSError, Refused):
            sweep(directory, used)
        raise


def _record(
    manifest: Manifest,
    directory: Path,
    origin: commit_record.ReleaseOrigin,
    bytecode: Mapping[str, str],
    *,
    repaired: bool,
) -> None:
    """Add the release to the commit record, no longer marked as failed if `repaired`."""
    record = commit_record.load(directory)
    parts = tuple(sorted(parts_of(manifest)))
    if record is None:
        changed = commit_record.first_record(manifest.vsn, origin, parts)
    elif manifest.vsn not in record.releases:
        changed = record.with_unpacked(manifest.vsn, origin, parts)
    else:
        changed = record.with_origin(manifest.vsn, origin)
        if repaired and record.releases[manifest.vsn].failed is not None:
            changed = changed.with_repaired(manifest.vsn)
    changed = changed.with_bytecode(manifest.vsn, bytecode)
    if changed != record:
        commit_record.save(directory, changed)


@contextmanager
def _emptied_on_failure(directory: Path) -> Iterator[None]:
    """If the block fails, empty the directory again, except for etc/, or remove it if it was new.

    A directory that had other content stays as it is.
    """
    existed = directory.exists()
    before = {path.name for path in directory.iterdir()} if existed else set()
    try:
        yield
    except BaseException:
        if before <= {"etc"} and directory.exists():
            for created in directory.iterdir():
                if created.name not in before:
                    if created.is_dir() and not created.is_symlink():
                        shutil.rmtree(created)
                    else:
                        created.unlink()
            if not existed:
                directory.rmdir()
        raise
