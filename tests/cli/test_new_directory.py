"""The first install into a directory: an interrupted one is repeated, and nothing else is ever deleted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from node_runtime.cli.commands import run
from tests.support.faults.crash_release import write_release


@pytest.fixture(autouse=True)
def kept_umask() -> Iterator[None]:
    """`install` sets the umask of its process, which here is that of the tests."""
    umask = os.umask(0o077)
    yield
    os.umask(umask)


def install(folder: Path) -> Path:
    """Install a release into the folder `node`; returns that folder."""
    run(["install", str(write_release(folder / "r-1.tar.gz", "1")), str(folder / "node")])
    return folder / "node"


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_an_interrupted_install_is_repeated_from_its_beginning(tmp_path: Path) -> None:
    whole = files(install(tmp_path))
    (tmp_path / "node/releases/record.json").unlink()
    (tmp_path / "node/lib/own-1/src/own.py").write_text("half")
    half = tmp_path / "node/var/staging/unpack-x/lib"
    half.mkdir(parents=True)
    (half / "half.py").touch()
    assert files(install(tmp_path)) == whole


@pytest.mark.parametrize("kept", ["notes.txt", "var/history/operations.jsonl", "var/log/r.log", "lib/own.py"])
def test_what_no_install_can_have_left_is_never_deleted(
    tmp_path: Path, kept: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "node" / kept
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(SystemExit):
        install(tmp_path)
    assert "is neither empty nor a node's directory" in capsys.readouterr().err
    assert path.read_text() == "mine"


def test_a_folder_that_nobody_can_write_to_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(["install", str(write_release(tmp_path / "r-1.tar.gz", "1")), "/sys/node"])
    said = capsys.readouterr().err
    assert said.startswith("/sys/node can't be used: ")
    assert said.endswith("; choose a folder that you may write to.\n")
