"""The bytecode that is made when a release is unpacked: for which sources, and when it is made again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from node_runtime.code.bytecode import BYTECODE_NAME, Bytecode
from node_runtime.releases.store import commit_record
from node_runtime.releases.store.staging_request import ONLY_READ
from node_runtime.releases.store.unpack import unpack
from tests.support.projects.handmade_release import handmade_tarball

UNCOMPILED = b"def"
SHARED = {"lib/shared-1/shared.py": b"import shared.more", "lib/shared-1/shared/more.py": b"more = 1"}


def files(vsn: str, source: bytes = b"v = 1") -> dict[str, bytes]:
    return {"bin/r": b"#!", f"lib/a-{vsn}/src/a.py": source, **SHARED}


def staged(folder: Path, vsn: str, source: bytes = b"v = 1") -> Path:
    """The node directory in `folder`, in which a release is staged."""
    unpack(handmade_tarball(folder / f"r-{vsn}.tar.gz", vsn, files(vsn, source)), folder / "node")
    return folder / "node"


def recorded(node: Path, vsn: str) -> dict[str, str]:
    record = commit_record.load(node)
    assert record is not None
    return record.releases[vsn].bytecode


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a node directory in which a release is staged."""
    folder = tmp_path_factory.mktemp("bytecode")
    staged(folder, "1", UNCOMPILED)
    return folder


@pytest.fixture
def folder(first: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    shutil.copytree(first, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_each_source_that_can_be_compiled_has_recorded_bytecode(first: Path) -> None:
    bytecode = Bytecode(str(first / "node"), recorded(first / "node", "1"))
    assert {path: bytecode.has(path) for path in files("1") if path.endswith(".py")} == {
        "lib/a-1/src/a.py": False,
        "lib/shared-1/shared.py": True,
        "lib/shared-1/shared/more.py": True,
    }
    assert {path.stat().st_mode & 0o777 for path in first.rglob(BYTECODE_NAME)} == {0o600}


def test_the_bytecode_of_a_shared_part_is_made_once(folder: Path) -> None:
    file = folder / "node/lib/shared-1" / BYTECODE_NAME
    before = file.stat()
    node = staged(folder, "2")
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert recorded(node, "2")["lib/shared-1"] == recorded(node, "1")["lib/shared-1"]
    assert set(recorded(node, "2")) == {"lib/a-2", "lib/shared-1"}


def test_a_file_of_a_release_with_the_name_of_the_bytecode_stays_as_it_was_built(folder: Path) -> None:
    mine = {f"lib/b-1/{BYTECODE_NAME}": b"mine", f"lib/c-1/{BYTECODE_NAME}/c.py": b"c = 1", "lib/b-1/b.py": b"b = 1"}
    unpack(handmade_tarball(folder / "r-2.tar.gz", "2", mine), folder / "node")
    assert {path: (folder / "node" / path).read_bytes() for path in mine} == mine
    assert recorded(folder / "node", "2") == {}


@pytest.mark.parametrize("damage", ["changed", "missing", "unrecorded"])
def test_damaged_bytecode_is_made_again_when_the_release_is_staged_again(folder: Path, damage: str) -> None:
    node = folder / "node"
    before, file = recorded(node, "1"), node / "lib/shared-1" / BYTECODE_NAME
    record = commit_record.load(node)
    assert record is not None
    failed = record.with_failed("1", "it failed")
    if damage == "changed":
        file.write_bytes(file.read_bytes()[:-1] + b"?")
    elif damage == "missing":
        file.unlink()
    else:
        failed = failed.with_bytecode("1", {})
    commit_record.save(node, failed)
    staged(folder, "1", UNCOMPILED)
    assert recorded(node, "1") == before
    assert Bytecode(str(node), before).is_intact("lib/shared-1")
    record = commit_record.load(node)
    assert record is not None
    assert record.releases["1"].failed == "it failed"  # no file of the release itself was repaired


def test_a_release_that_is_only_read_gets_no_bytecode(tmp_path: Path) -> None:
    unpack(handmade_tarball(tmp_path / "r-1.tar.gz", "1", files("1")), tmp_path / "read", ONLY_READ)
    assert recorded(tmp_path / "read", "1") == {}
    assert not list(tmp_path.rglob(BYTECODE_NAME))
