"""The many files of a release are read in another OS process, with the same result."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.manifest import FileEntry, Manifest
from node_runtime.releases.store.verify import MAX_FILES_READ_HERE, verify, verify_apart

opened: list[str] = []


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(arguments[0], (str, os.PathLike)):
        opened.append(os.fspath(arguments[0]))


sys.addaudithook(_note)


def release(folder: Path, files: int) -> Manifest:
    entries = {}
    for number in range(files):
        data = f"file {number}".encode()
        (folder / f"{number}.py").write_bytes(data)
        entries[f"{number}.py"] = FileEntry(size=len(data), sha256=sha256(data).hexdigest())
    return Manifest(name="shop", vsn="2", python="3.11", platform="linux", path=(), apps=(), files=entries)


@pytest.mark.parametrize(("files", "here"), [(MAX_FILES_READ_HERE, True), (MAX_FILES_READ_HERE + 1, False)])
def test_many_files_are_read_in_another_process_and_few_in_this_one(tmp_path: Path, files: int, here: bool) -> None:
    manifest = release(tmp_path, files)
    opened.clear()
    verify_apart(tmp_path, manifest)
    assert any(path.startswith(str(tmp_path)) for path in opened) == here


def removed(path: Path) -> None:
    path.unlink()


def replaced_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replaced_by_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def changed(path: Path) -> None:
    path.write_bytes(path.read_bytes()[::-1])


@pytest.mark.parametrize("damage", [removed, replaced_by_a_folder, replaced_by_a_pipe, changed])
def test_the_other_process_finds_the_same_damage(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    manifest = release(tmp_path, MAX_FILES_READ_HERE + 1)
    damage(tmp_path / "77.py")
    with pytest.raises(Refused) as here:
        verify(tmp_path, manifest)
    with pytest.raises(Refused) as apart:
        verify_apart(tmp_path, manifest)
    assert "77.py" in here.value.sentence
    assert apart.value.sentence == here.value.sentence


def test_if_the_system_starts_no_process_the_files_are_read_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = release(tmp_path, MAX_FILES_READ_HERE + 1)
    monkeypatch.setattr(sys, "executable", "/there/is/no/python")
    verify_apart(tmp_path, manifest)
    changed(tmp_path / "77.py")
    with pytest.raises(Refused, match=r"77\.py differs from the build"):
        verify_apart(tmp_path, manifest)
