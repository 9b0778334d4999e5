"""Replaces a node's launcher in bin/ by the newer launcher of the permanent release, so that nodes get its corrections.

bin/ has two parts: the file bin/<name>, and the launcher's folder. The file runs the newest launcher beside it: the
`_launcher-<version>` with the greatest version or, if there is none, `_launcher`, which the node got first. Each part
is replaced by one rename, after its bytes are on the disk. Every version of bin/<name> can run every version of the
launcher. So after a crash between the two renames, the node still has a working launcher. A running parent process
keeps the code that it has loaded.

A launcher is never replaced by an older launcher: a newer launcher can also start nodes of older releases.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Final

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.private_files import sync_directory
from node_runtime.releases.files.launcher_files import SCRIPT, launcher_files
from node_runtime.releases.files.manifest import Manifest, sha256

from .verify import RESTAGE_REMEDY

FIRST: Final = "_launcher"
"""The folder of the launcher that a new node gets."""

logger: Final = logging.getLogger("node_runtime")

_STAGE_PREFIX: Final = ".launcher-"
_VERSION: Final = re.compile(rb"^VERSION = (\d{1,9})$", re.MULTILINE)


def keep_launcher_current(directory: Path, manifest: Manifest) -> None:
    """Install the launcher of the permanent release if it is newer than the node's, and log the result.

    A failure is only logged, not raised: the present launcher still works, and the next boot tries again.
    """
    try:
        version = update_launcher(directory, manifest)
    except (OSError, Refused) as error:
        reason = error.sentence if isinstance(error, Refused) else f"{error}; correct this and restart the node."
        logger.error("the launcher of release %s was not installed in %s/bin: %s", manifest.vsn, directory, reason)
    else:
        if version is not None:
            logger.info("bin/ has launcher %d of release %s; the next start uses it", version, manifest.vsn)


def update_launcher(directory: Path, manifest: Manifest) -> int | None:
    """Install the launcher of a release if it is newer than the node's. Return its version, or None if it is not newer.

    Raises `Refused` if one of the launcher's files differs from the manifest, and OSError if bin/ can't be written.
    """
    files = _read(directory, manifest)
    folder = directory / "bin"
    new_script = folder / f".{manifest.name}.new"
    _clear_interrupted(folder, new_script)
    version, installed = _version(files.get("__init__.py", b"")), installed_version(folder)
    if not {SCRIPT, "verbs.py"} <= files.keys() or version <= installed:
        return None
    script = files.pop(SCRIPT)
    _write(new_script, script, 0o700)
    new_script.replace(folder / manifest.name)
    with tempfile.TemporaryDirectory(prefix=_STAGE_PREFIX, dir=folder) as temporary:
        stage = Path(temporary, FIRST)
        stage.mkdir(mode=0o700)
        for name, data in files.items():
            _write(stage / name, data, 0o600)
        sync_directory(stage)
        sync_directory(folder)
        stage.replace(folder / f"{FIRST}-{version}")
    sync_directory(folder)
    _remove_old(folder)
    return version


def _clear_interrupted(folder: Path, new_script: Path) -> None:
    """Delete the files that an interrupted update of the launcher has left."""
    new_script.unlink(missing_ok=True)
    for left in folder.glob(f"{_STAGE_PREFIX}*"):
        shutil.rmtree(left)
    _remove_old(folder)


def installed_version(folder: Path) -> int:
    """Return the version of the newest launcher in the folder bin/; 1 for a launcher without a version."""
    if replacing := _replacements(folder):
        return replacing[-1]
    try:
        return _version((folder / FIRST / "__init__.py").read_bytes())
    except OSError:
        return 1


def _read(directory: Path, manifest: Manifest) -> dict[str, bytes]:
    """Return the content of each file of the release's launcher, verified."""
    files = {}
    for name, path in launcher_files(manifest.path, manifest.files).items():
        files[name] = (directory / path).read_bytes()
        if sha256(files[name]) != manifest.files[path].sha256:
            raise Refused(f"Release {manifest.vsn} is damaged: {path} differs from the build; {RESTAGE_REMEDY}.")
    return files


def _version(first: bytes) -> int:
    found = _VERSION.search(first)
    return int(found[1]) if found else 1


def _replacements(folder: Path) -> list[int]:
    """Return the versions of the folders `_launcher-<version>`, the oldest first."""
    names = [path.name.removeprefix(f"{FIRST}-") for path in folder.glob(f"{FIRST}-*")]
    return sorted(int(name) for name in names if name.isdecimal())


def _remove_old(folder: Path) -> None:
    """Remove all folders `_launcher-<version>` except the newest two: a command may be loading the older one."""
    for version in _replacements(folder)[:-2]:
        removed = folder / f"{_STAGE_PREFIX}{version}"
        (folder / f"{FIRST}-{version}").replace(removed)  # so that an interruption leaves no incomplete launcher
        shutil.rmtree(removed)


def _write(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
