"""A tarball is not trusted: one that differs from its manifest leaves the node directory unchanged."""

from __future__ import annotations

import errno
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from node_runtime.code.bytecode import BYTECODE_NAME
from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.build.tarball import build
from node_runtime.releases.files.manifest import AppEntry, ModuleEntry, sha256
from node_runtime.releases.store import commit_record
from node_runtime.releases.store.sweep import remove, sweep
from node_runtime.releases.store.unpack import unpack
from tests.support.matrix import slow
from tests.support.nodes.built_once import tarball_once
from tests.support.projects.handmade_release import (
    Member,
    handmade,
    handmade_tarball,
    member,
    members,
    packed,
)
from tests.support.projects.tiny_project import write_project


def tree(directory: Path) -> dict[str, bytes]:
    """Every file below, except those that only record times."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tarball of release 1 and the node directory that holds it."""
    folder = tmp_path_factory.mktemp("unpacked")
    unpack(handmade_tarball(folder / "r-1.tar.gz"), folder / "node")
    return folder


@pytest.fixture
def node(unpacked: Path, tmp_path: Path) -> Path:
    """A node directory that holds release 1; the tarball is beside it."""
    shutil.copytree(unpacked, tmp_path, dirs_exist_ok=True)
    return tmp_path / "node"


def refused(tarball: Path, node: Path) -> str:
    """The sentence of a refusal that left nothing behind."""
    before = tree(node)
    with pytest.raises(Refused) as refusal:
        unpack(tarball, node)
    assert tree(node) == before
    assert tarball.name in refusal.value.sentence
    return refusal.value.sentence


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpack")
    return tarball_once(write_project(folder / "project"), folder, build)


def test_a_built_release_unpacks_to_what_its_tarball_has(tarball: Path, tmp_path: Path) -> None:
    unpack(tarball, tmp_path / "node")
    with tarfile.open(tarball) as archive:
        files = {m.name: file.read() for m in archive if (file := archive.extractfile(m))}
    found = {path: data for path, data in tree(tmp_path / "node").items() if not path.endswith(BYTECODE_NAME)}
    assert found.pop("releases/record.json")
    assert found == files
    assert (tmp_path / "node/bin/tiny").stat().st_mode & 0o777 == 0o700
    known = commit_record.load(tmp_path / "node")
    assert known is not None
    assert known.permanent == "1.0"


def test_a_second_release_is_unpacked_beside_the_first(node: Path, tmp_path: Path) -> None:
    unpack(handmade_tarball(tmp_path / "r-2.tar.gz", "2"), node)
    known = commit_record.load(node)
    assert known is not None
    assert {vsn: held.status for vsn, held in known.releases.items()} == {"1": "permanent", "2": "unpacked"}
    assert {"lib/a-1/src/a.py", "lib/a-2/src/a.py"} <= set(tree(node))


def test_a_disk_that_fails_while_the_files_are_moved_leaves_none_of_them(
    node: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, replace = tree(node), os.replace

    def fail(source: Path, target: Path) -> None:
        if Path(target).parent.name == "releases":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(Refused, match="Input/output error"):
        unpack(handmade_tarball(tmp_path / "r-2.tar.gz", "2"), node)
    assert tree(node) == before
    assert not (node / "lib/a-2").exists()


def test_the_same_tarball_again_changes_nothing(node: Path, tmp_path: Path) -> None:
    before = tree(node)
    unpack(tmp_path / "r-1.tar.gz", node)
    assert tree(node) == before


def test_a_built_release_that_was_cut_or_changed_on_its_way_is_refused(tarball: Path, tmp_path: Path) -> None:
    data = tarball.read_bytes()
    bad = tmp_path / "tiny-1.0.tar.gz"
    middle = bytearray(data)
    for at in range(len(data) // 2, len(data) // 2 + 32):  # a single bit may only name another copy of the same bytes
        middle[at] ^= 0xFF
    for changed in (data[: len(data) // 2], bytes(middle)):
        bad.write_bytes(changed)
        sentence = refused(bad, tmp_path / "node")
        assert sentence.startswith("tiny-1.0.tar.gz is corrupt: ")
        assert sentence.endswith("; build it again or copy it again.")


def test_a_tarball_that_ends_at_a_member_boundary_is_refused(node: Path, tmp_path: Path) -> None:
    parts = members(*handmade("2"))
    assert "is missing" in refused(packed(tmp_path / "x.tar.gz", parts[:-1]), node)


def link(kind: bytes, target: str) -> Callable[[list[Member]], list[Member]]:
    def change(parts: list[Member]) -> list[Member]:
        info = tarfile.TarInfo(parts[-1][0].name)
        info.type, info.linkname = kind, target
        return [*parts[:-1], (info, b"")]

    return change


# Each of these tarballs is unpacked by an OS process of its own, so `make test` tries some of each list.
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda parts: [*parts, parts[-1]], id="twice"),
        pytest.param(lambda parts: [*parts, member("lib/a-2/more.py", b"x")], id="more than the manifest has"),
        pytest.param(lambda parts: [*parts, member("../evil", b"x")], id="up and out"),
        pytest.param(lambda parts: [*parts, member("/tmp/evil", b"x")], id="absolute", marks=pytest.mark.slow),
        pytest.param(
            lambda parts: [*parts, member("etc/cookies/operator", b"x")], id="into etc", marks=pytest.mark.slow
        ),
        pytest.param(lambda parts: [*parts[:-1], member(parts[-1][0].name, b"v = '3'")], id="other bytes"),
        pytest.param(
            lambda parts: [*parts[:-1], member(parts[-1][0].name, b"longer than it was")],
            id="other size",
            marks=pytest.mark.slow,
        ),
        pytest.param(lambda parts: parts[1:], id="no manifest"),
        pytest.param(lambda parts: [*parts[1:], parts[0]], id="manifest last", marks=pytest.mark.slow),
        pytest.param(
            lambda parts: [member(parts[0][0].name, b"{}"), *parts[1:]], id="empty manifest", marks=pytest.mark.slow
        ),
        pytest.param(lambda parts: [], id="nothing at all"),
        pytest.param(link(tarfile.SYMTYPE, "/etc/passwd"), id="symlink"),
        pytest.param(link(tarfile.LNKTYPE, "bin/r"), id="hard link", marks=pytest.mark.slow),
        pytest.param(link(tarfile.CHRTYPE, ""), id="device", marks=pytest.mark.slow),
        pytest.param(link(tarfile.FIFOTYPE, ""), id="fifo", marks=pytest.mark.slow),
    ],
)
def test_a_tarball_that_is_not_its_manifest_is_refused(
    node: Path, tmp_path: Path, change: Callable[[list[Member]], list[Member]]
) -> None:
    assert " is corrupt: " in refused(packed(tmp_path / "r-2.tar.gz", change(members(*handmade("2")))), node)


@pytest.mark.parametrize(
    "path",
    [
        "../evil",
        "/evil",
        "lib/a\n/evil",
        "etc/sys.toml",
        "lib/" + "a" * 300,
        *slow(
            "lib/../../evil",
            "lib//evil",
            "lib/./evil",
            "lib\\evil",
            "releases/1/sys.toml",
            "releases/record.json",
            "releases/2/manifest.json",
            "lib/" + "a/" * 20 + "evil",
        ),
    ],
)
def test_a_manifest_that_lists_a_path_elsewhere_is_refused(node: Path, tmp_path: Path, path: str) -> None:
    manifest, files = handmade("2", {path: b"x"})
    assert " is corrupt: " in refused(packed(tmp_path / "r-2.tar.gz", members(manifest, files)), node)


def test_data_after_the_end_is_read_up_to_a_limit(node: Path, tmp_path: Path) -> None:
    bomb = packed(tmp_path / "r-2.tar.gz", members(*handmade("2")), tail=bytes(32 << 20))
    assert "more bytes than the files in its manifest" in refused(bomb, node)


def test_a_file_that_is_not_a_tarball_is_refused(node: Path, tmp_path: Path) -> None:
    path = tmp_path / "r-2.tar.gz"
    path.write_bytes(b"a text")
    assert " is corrupt: " in refused(path, node)
    assert "No such file" in refused(tmp_path / "lost.tar.gz", node)


def test_the_same_version_with_other_content_is_refused(node: Path, tmp_path: Path) -> None:
    other = handmade("1", {"bin/r": b"#!", "lib/a-1/src/a.py": b"v = 'another'"})
    sentence = refused(packed(tmp_path / "again.tar.gz", members(*other)), node)
    assert "build it under a new vsn" in sentence
    assert "you can also stop it, delete its directory, and install the tarball." in sentence


def test_other_content_of_a_release_that_is_not_permanent_names_how_to_remove_it_also_if_the_node_is_stopped(
    node: Path, tmp_path: Path
) -> None:
    unpack(handmade_tarball(tmp_path / "r-2.tar.gz", "2"), node)
    other = handmade("2", {"bin/r": b"#!", "lib/a-2/src/a.py": b"v = 'another'"})
    sentence = refused(packed(tmp_path / "again.tar.gz", members(*other)), node)
    assert "If release 2 has never run, you can also remove it with `hotdash remove NODE 2`" in sentence
    assert "A node that is stopped has to be started first" in sentence


def test_a_shared_part_with_other_content_is_refused_by_name(node: Path, tmp_path: Path) -> None:
    other = handmade("2", {"bin/r": b"#!", "lib/a-1/src/a.py": b"v = 'another'"})
    path = packed(tmp_path / "r-2.tar.gz", members(*other))
    before = tree(node)
    with pytest.raises(Refused, match=r"lib/a-1 differs between"):
        unpack(path, node)
    assert tree(node) == before


def test_a_shared_part_with_equal_content_is_stored_once(node: Path, tmp_path: Path) -> None:
    shared = {"bin/r": b"#!", "lib/a-1/src/a.py": b"v = '1'", "lib/b-2/src/b.py": b"w = 2"}
    unpack(packed(tmp_path / "r-2.tar.gz", members(*handmade("2", shared))), node)
    assert "lib/b-2/src/b.py" in tree(node)


def test_a_release_of_something_else_or_for_another_python_is_refused(
    node: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    manifest, files = handmade("2", name="other")
    assert "is a release of other" in refused(packed(tmp_path / "o.tar.gz", members(manifest, files)), node)
    manifest, files = handmade("2")
    other = msgspec.structs.replace(manifest, python="3.99")
    assert "built for Python 3.99" in refused(packed(tmp_path / "p.tar.gz", members(other, files)), node)
    far = msgspec.structs.replace(manifest, platform="plan9-vax")
    assert "built for plan9-vax" in refused(packed(tmp_path / "m.tar.gz", members(far, files)), node)


def test_a_release_for_another_python_that_is_on_path_is_accepted(
    node: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{folder_with('python3.99', tmp_path)}:/usr/bin:/bin")
    manifest, files = handmade("2")
    unpack(packed(tmp_path / "p.tar.gz", members(msgspec.structs.replace(manifest, python="3.99"), files)), node)


@pytest.mark.parametrize("python", ["2.7", "3.10", "3"])
def test_a_release_for_a_python_that_can_run_no_node_is_refused_even_if_it_is_on_path(
    node: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python: str
) -> None:
    monkeypatch.setenv("PATH", f"{folder_with(f'python{python}', tmp_path)}:/usr/bin:/bin")
    manifest, files = handmade("2")
    old = packed(tmp_path / "p.tar.gz", members(msgspec.structs.replace(manifest, python=python), files))
    assert "a node needs Python 3.11 or newer" in refused(old, node)


def folder_with(program: str, tmp_path: Path) -> Path:
    """A folder for PATH with a program."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / program).write_text("#!/bin/sh\n")
    (folder / program).chmod(0o700)
    return folder


def test_the_script_of_the_permanent_release_stays_the_nodes_parent(node: Path, tmp_path: Path) -> None:
    unpack(packed(tmp_path / "r-2.tar.gz", members(*handmade("2", {"bin/r": b"#!new", "lib/a-2/a.py": b""}))), node)
    assert tree(node)["bin/r"] == b"#!"


def test_leftovers_of_a_crash_are_removed_and_the_next_try_succeeds(node: Path, tmp_path: Path) -> None:
    tarball = handmade_tarball(tmp_path / "r-2.tar.gz", "2")
    before = tree(node)
    # As if one process was killed after the renames and before the record, and another one during staging.
    shutil.copytree(node / "lib/a-1", node / "lib/a-2")
    (node / "releases/2").mkdir()
    (node / "releases/2/manifest.json").write_text("torn")
    (node / "var/staging/unpack-x/lib").mkdir(parents=True)
    unpack(tarball, node)
    assert tree(node)["lib/a-2/src/a.py"] == b"v = '2'"
    remove(node, "2")
    assert tree(node) == before


def test_removing_a_release_keeps_shared_files(node: Path, tmp_path: Path) -> None:
    files = {"bin/r": b"#!", "lib/a-1/src/a.py": b"v = '1'"}
    unpack(packed(tmp_path / "r-2.tar.gz", members(*handmade("2", {**files, "lib/b-2/b.py": b""}))), node)
    remove(node, "2")
    assert "lib/a-1/src/a.py" in tree(node)
    assert not (node / "lib/b-2").exists()
    assert not (node / "releases/2").exists()
    with pytest.raises(Refused, match="permanent"):
        remove(node, "1")


def test_staging_again_repairs_a_damaged_release(node: Path, tmp_path: Path) -> None:
    unpack(handmade_tarball(tmp_path / "r-2.tar.gz", "2"), node)
    before = tree(node)
    (node / "lib/a-2/src/a.py").write_text("v = 'damaged'")
    unpack(tmp_path / "r-2.tar.gz", node)
    assert tree(node) == before
    shutil.rmtree(node / "lib/a-2")
    (node / "releases/2/manifest.json").write_text("{")
    unpack(tmp_path / "r-2.tar.gz", node)
    assert tree(node) == before


def test_while_a_manifest_is_damaged_nothing_is_deleted_or_written_over(node: Path, tmp_path: Path) -> None:
    for vsn in ("2", "3"):
        unpack(packed(tmp_path / f"r-{vsn}.tar.gz", members(*handmade(vsn))), node)
    (node / "releases/2/manifest.json").write_text("{")
    remove(node, "3")
    assert {"lib/a-1/src/a.py", "lib/a-2/src/a.py"} <= set(tree(node))
    other = handmade("4", {"lib/a-2/src/a.py": b"v = 'another'"})
    with pytest.raises(Refused, match="may belong to release 2, whose manifest is damaged"):
        unpack(packed(tmp_path / "r-4.tar.gz", members(*other)), node)
    remove(node, "2")
    assert not any("-2/" in path or "/2/" in path for path in tree(node))


def test_the_release_whose_damaged_manifest_keeps_a_sweep_from_deleting_is_named_once(
    node: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unpack(handmade_tarball(tmp_path / "r-2.tar.gz", "2"), node)
    record = commit_record.load(node)
    assert record is not None
    without_parts = msgspec.structs.replace(record.releases["2"], parts=())
    commit_record.save(node, msgspec.structs.replace(record, releases={**record.releases, "2": without_parts}))
    (node / "releases/2/manifest.json").write_text("{")
    (node / "lib/left-1").mkdir()
    for _ in range(2):
        sweep(node)
    assert (node / "lib/left-1").exists()
    (logged,) = [one.getMessage() for one in caplog.records if "The node deletes no files of" in one.getMessage()]
    assert "because it is not known which of them release 2 needs: " in logged
    assert logged.endswith(" Stage release 2 again, or remove it.")


def test_sweeping_a_directory_in_order_changes_nothing(node: Path) -> None:
    before = tree(node)
    sweep(node)
    assert tree(node) == before


def test_a_directory_that_was_new_is_new_again_after_a_refusal(node: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.tar.gz"
    bad.write_bytes((tmp_path / "r-1.tar.gz").read_bytes()[:-20])
    (tmp_path / "empty").mkdir()
    for directory in (tmp_path / "absent", tmp_path / "empty"):
        existed = directory.exists()
        refused(bad, directory)
        assert directory.exists() == existed
        assert not existed or not list(directory.iterdir())
        unpack(tmp_path / "r-1.tar.gz", directory)


@pytest.mark.parametrize(
    "path", ["../../../tmp", "lib/other", "lib/a-2/a.py", *slow("/tmp", "lib", "lib/a-2/../../..", "bin")]
)
def test_a_manifest_that_takes_code_from_elsewhere_is_refused(node: Path, tmp_path: Path, path: str) -> None:
    manifest, files = handmade("2", {"bin/r": b"#!", "lib/a-2/a.py": b""})
    tampered = msgspec.structs.replace(manifest, path=(path,))
    assert " is corrupt: " in refused(packed(tmp_path / "r-2.tar.gz", members(tampered, files)), node)


def test_a_manifest_that_takes_a_module_from_elsewhere_is_refused(node: Path, tmp_path: Path) -> None:
    manifest, files = handmade("2", {"bin/r": b"#!", "lib/a-2/a.py": b""})
    for path in ("../evil.py", "/tmp/evil.py", "bin/r", "lib/a-1/src/a.py"):
        module = ModuleEntry(path=path, sha256=sha256(b""))
        tampered = msgspec.structs.replace(manifest, apps=(AppEntry(name="a", vsn="2", modules={"a": module}),))
        assert " is corrupt: " in refused(packed(tmp_path / "r-2.tar.gz", members(tampered, files)), node)
