"""Tarballs and node directories that are made once in a session: by the first of its processes that needs them.

A build takes seconds, most of them for the compression of third-party code, and an installation one more; a copy takes
a fraction of that. Node directories share the files of their libraries: these are hard links, since a copy of 40 MB
takes half a second. A test that changes such a file calls `own_file` first. Tests of the build and of the installation
themselves do without all this.
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

_FOLDER: Final[list[Path]] = []


@pytest.fixture(scope="session", autouse=True)
def folder_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the session's processes share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "built-once"
    folder.mkdir(mode=0o700, exist_ok=True)
    _FOLDER[:] = [folder]
    return folder


def tarball_once(project: Path, output: Path, build: Callable[[Path, Path], Path]) -> Path:
    """The tarball that `build(project, output)` makes; a project that was built before is not built again."""
    with _once(f"tarball-{_hash_of_folder(project)}") as made:
        if not made.exists():
            temporary = made.with_name(f"{made.name}.new")
            build(project, temporary)
            temporary.rename(made)
    (tarball,) = made.iterdir()
    output.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(tarball, output))


def directory_once(tarball: Path, directory: Path, install: Callable[[Path, Path], object]) -> None:
    """Make the node directory as `install(tarball, directory)` does, as a copy of one that was installed before."""
    with tarball.open("rb") as file:
        key = hashlib.file_digest(file, "sha256").hexdigest()
    with _once(f"node-{install.__module__}-{key}") as made:
        if not made.exists():
            temporary = made.with_name(f"{made.name}.new")
            install(tarball, temporary)
            temporary.rename(made)
        libraries = _libraries(made)
        _check_unchanged(libraries, made.with_name(f"{made.name}.libraries"))
    directory.parent.mkdir(parents=True, exist_ok=True)
    if made.stat().st_dev != directory.parent.stat().st_dev:
        subprocess.run(["cp", "-a", made, directory], check=True)
        return
    shutil.copytree(made, directory, symlinks=True, ignore=lambda folder, _: _names_of(libraries, Path(folder)))
    shutil.copystat(made, directory)
    subprocess.run(["cp", "-al", *libraries, directory / "lib"], check=True)


def own_file(path: Path) -> Path:
    """Replace a library's file, which node directories share, by a copy that can be changed; returns its path."""
    copy = path.with_name(f"{path.name}.own")
    shutil.copy2(path, copy)
    return copy.replace(path)


def _libraries(directory: Path) -> list[Path]:
    """The folders in lib/ that are no applications."""
    return sorted(part for part in (directory / "lib").iterdir() if not (part / "app.toml").exists())


def _names_of(libraries: list[Path], folder: Path) -> set[str]:
    return {library.name for library in libraries if library.parent == folder}


def _check_unchanged(libraries: list[Path], known: Path) -> None:
    """Fail if a file of the libraries is not as it was at the first call, for which `known` does not exist."""
    files = [Path(folder, name) for library in libraries for folder, _, names in os.walk(library) for name in names]
    stats = {str(path): path.lstat() for path in files}
    found = {path: [now.st_size, now.st_mtime_ns, now.st_mode, now.st_uid] for path, now in stats.items()}
    if not known.exists():
        known.write_text(json.dumps(found))
    before = json.loads(known.read_text())
    changed = sorted({path for path in {*before, *found} if before.get(path) != found.get(path)})
    if changed:
        pytest.fail(f"a test has changed {changed[0]}, which node directories share; it has to call own_file")


def _folder() -> Path:
    """The folder of the session; outside of pytest, a folder of this process, which is deleted when it ends."""
    if not _FOLDER:
        folder = TemporaryDirectory(prefix="built-once-")
        atexit.register(folder.cleanup)
        _FOLDER.append(Path(folder.name))
    return _FOLDER[0]


@contextmanager
def _once(name: str) -> Iterator[Path]:
    """A path in the folder of the session, with which nobody else has to do during the block."""
    path = _folder() / name
    with path.with_name(f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield path


def _hash_of_folder(folder: Path) -> str:
    """A hash of the paths and contents of all files, and of the setting that a build puts into the tarball."""
    digest = hashlib.sha256(os.environ.get("SOURCE_DATE_EPOCH", "").encode())
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            digest.update(f"{path.relative_to(folder)}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()
