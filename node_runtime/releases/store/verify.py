"""Compares the files of an unpacked release with its manifest."""

from __future__ import annotations

import errno
import json
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from node_runtime.code.verified_imports import release_command
from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.file_defects import Defect, find_defect
from node_runtime.releases.files.manifest import FileEntry, Manifest
from node_runtime.releases.files.regular_file import check_shortage

RESTAGE_REMEDY = "stage its tarball again"
"""The remedy for a damaged release, because unpacking replaces the files that differ from the manifest."""
MAX_FILES_READ_HERE: Final = 100
"""If there are more files than this, `verify_apart` reads them in another OS process.

A thread that reads a file gives up the interpreter's lock several times. While the event loop is busy, the thread waits
up to 5 ms for the lock each time. So thousands of files would take many seconds, and delay the event loop.
"""
READ_SECONDS: Final = 300.0
"""The time limit of the other OS process. If it takes longer, this process reads the files."""
_CHILD: Final = "node_runtime.releases.files.file_defects"


def verify(directory: Path, manifest: Manifest, paths: Iterable[str] | None = None) -> None:
    """Compare the files in `paths`, by default all, with the manifest. Raises `Refused` if one is missing or differs.

    Raises ShortOfResources if a file can't be read for lack of descriptors or memory.

    Files in bin/ are not compared, because bin/ may have the newer launcher of another release.
    """
    files = _listed(manifest, manifest.files if paths is None else paths)
    _refuse(directory, manifest, find_defect(directory, files))


def verify_apart(directory: Path, manifest: Manifest) -> None:
    """Compare all files with the manifest, as `verify` does. Many files are read in another OS process. Blocks.

    If the system can't start the other process, this process reads the files.
    """
    files = _listed(manifest, manifest.files)
    if len(files) <= MAX_FILES_READ_HERE:
        defect = find_defect(directory, files)
    else:
        defect = _find_defect_apart(directory, files)
    _refuse(directory, manifest, defect)


def is_intact(path: Path, entry: FileEntry) -> bool:
    """Return whether the file exists and has the content that `entry` describes.

    Raises ShortOfResources if it can't be read for lack of descriptors or memory.
    """
    defect = find_defect(path.parent, [(path.name, entry.size, entry.sha256)])
    if defect is not None:
        check_shortage(path, OSError(defect.number, ""))
    return defect is None


def _listed(manifest: Manifest, paths: Iterable[str]) -> list[tuple[str, int, str]]:
    entries = ((path, manifest.files[path]) for path in paths if not path.startswith("bin/"))
    return [(path, entry.size, entry.sha256) for path, entry in entries]


def _find_defect_apart(directory: Path, files: Sequence[tuple[str, int, str]]) -> Defect | None:
    try:
        ended = subprocess.run(
            release_command(_CHILD, str(directory.absolute())),
            input=json.dumps(files).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            timeout=READ_SECONDS,
            check=True,
        )
        found = json.loads(ended.stdout)
        return None if found is None else Defect(*found)
    except (OSError, ValueError, TypeError, subprocess.SubprocessError):
        return find_defect(directory, files)


def _refuse(directory: Path, manifest: Manifest, defect: Defect | None) -> None:
    if defect is None:
        return
    check_shortage(directory / defect.path, OSError(defect.number, ""))
    if defect.number == errno.ENOENT:
        what = "is missing"
    elif defect.number:
        what = f"can't be read ({defect.reason})"
    else:
        what = "differs from the build"
    raise Refused(f"Release {manifest.vsn} is damaged: {defect.path} {what}; {RESTAGE_REMEDY}.")
