"""Whatever lies on the disk: a release that can't be read is listed as damaged, and can be removed without a trace."""

from __future__ import annotations

import os
import resource
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.store import commit_record
from node_runtime.releases.store.release_store import ReleaseStore
from node_runtime.releases.store.unpack import unpack
from tests.support.projects.handmade_release import handmade_tarball
from tests.support.waiting import until


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tarballs of the releases 1, 2 and 3, and a node directory with all of them; 1 is permanent."""
    folder = tmp_path_factory.mktemp("three")
    for vsn in ("1", "2", "3"):
        unpack(handmade_tarball(folder / f"r-{vsn}.tar.gz", vsn), folder / "node")
    return folder


@pytest.fixture
def store(three: Path, tmp_path: Path) -> ReleaseStore:
    shutil.copytree(three, tmp_path, dirs_exist_ok=True)
    return ReleaseStore(tmp_path / "node")


def replaced(path: str, data: bytes) -> Callable[[Path], None]:
    def change(node: Path) -> None:
        (node / path).write_bytes(data)

    return change


def without(path: str) -> Callable[[Path], None]:
    return lambda node: shutil.rmtree(node / path) if (node / path).is_dir() else (node / path).unlink()


def as_pipe(path: str) -> Callable[[Path], None]:
    def change(node: Path) -> None:
        (node / path).unlink()
        os.mkfifo(node / path)

    return change


def as_link(path: str) -> Callable[[Path], None]:
    def change(node: Path) -> None:
        shutil.rmtree(node / path)
        (node / path).symlink_to(node / "etc")

    return change


DAMAGE = [
    replaced("releases/2/manifest.json", b"{"),
    replaced("releases/2/manifest.json", b"[" * 100_000),
    replaced("releases/2/manifest.json", b"9" * 5000),
    replaced("releases/2/release.toml", b"x = " + b"9" * 5000),
    replaced("releases/2/release.toml", b"x = " + b"[" * 3000 + b"]" * 3000),
    replaced("releases/2/release.toml", b"\xff"),
    replaced("lib/a-2/src/a.py", b"changed"),
    without("releases/2"),
    without("releases/2/manifest.json"),
    without("releases/2/release.toml"),
    without("lib/a-2"),
    as_pipe("releases/2/manifest.json"),
    as_pipe("releases/2/release.toml"),
    as_link("releases/2"),
    as_link("lib/a-2"),
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_release_is_listed_beside_the_others_and_removed_without_a_trace(
    store: ReleaseStore, damage: Callable[[Path], None]
) -> None:
    (store.root / "etc").mkdir()
    (store.root / "etc/node.toml").write_text("")
    damage(store.root)
    fresh = ReleaseStore(store.root)
    assert fresh.name == "r"
    until(lambda: fresh.infos("1")[1].damaged is not None, "the verification")
    infos = fresh.infos("1")
    assert [info.vsn for info in infos] == ["1", "2", "3"]
    assert [info.damaged is None for info in infos] == [True, False, True]
    assert str(infos[1].damaged).endswith(".")
    assert fresh.bootable() == ["1"]
    with pytest.raises(Refused):
        fresh.commit("2")
    fresh.remove("2")
    assert [info.vsn for info in fresh.infos("1")] == ["1", "3"]
    assert not any("-2" in path.name or path.name == "2" for path in store.root.rglob("*"))
    assert (store.root / "lib/a-1/src/a.py").exists()
    assert (store.root / "etc/node.toml").exists()


@pytest.mark.parametrize("damage", DAMAGE[:-2])
def test_the_tarball_of_a_damaged_release_repairs_it(
    store: ReleaseStore, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    damage(store.root)
    fresh = ReleaseStore(store.root)
    fresh.stage(tmp_path / "r-2.tar.gz")
    assert [info.damaged for info in fresh.infos("1")] == [None, None, None]


@pytest.mark.parametrize("part", ["lib/a-2", "releases/2"])
def test_nothing_is_written_through_a_link(store: ReleaseStore, tmp_path: Path, part: str) -> None:
    (store.root / "etc").mkdir()
    as_link(part)(store.root)
    with pytest.raises(Refused, match=rf"{part} in the node directory is a symbolic link"):
        store.stage(tmp_path / "r-2.tar.gz")
    assert list((store.root / "etc").iterdir()) == []


def test_a_release_with_an_unreadable_manifest_does_not_keep_the_files_of_others(store: ReleaseStore) -> None:
    (store.root / "releases/2/manifest.json").write_text("{")
    store.remove("3")
    assert not (store.root / "lib/a-3").exists()
    assert (store.root / "lib/a-2/src/a.py").exists()


def test_nothing_is_deleted_while_it_is_unknown_whose_it_is(store: ReleaseStore) -> None:
    record = store.record
    commit_record.save(store.root, commit_record.first_record("1").with_unpacked("2").with_unpacked("3"))
    (store.root / "releases/2/manifest.json").write_text("{")
    ReleaseStore(store.root).remove("3")
    assert (store.root / "lib/a-3").exists()
    assert record.releases["3"].parts == ("bin/r", "lib/a-3", "releases/3")


def test_what_an_interrupted_operation_left_is_deleted_with_the_next_release(store: ReleaseStore) -> None:
    (store.root / "lib/stray").write_text("")
    (store.root / "lib/linked").symlink_to(store.root / "etc")
    (store.root / "releases/.record.json.new").write_text("{")
    (store.root / "var/staging/unpack-left/files").mkdir(parents=True)
    store.remove("3")
    assert sorted(path.name for path in (store.root / "lib").iterdir()) == ["a-1", "a-2"]
    assert sorted(path.name for path in (store.root / "releases").iterdir()) == ["1", "2", "record.json"]
    assert list((store.root / "var/staging").iterdir()) == []


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 100_000, b"9" * 5000])
def test_a_damaged_commit_record_is_refused_in_one_sentence(store: ReleaseStore, data: bytes) -> None:
    (store.root / "releases/record.json").write_bytes(data)
    with pytest.raises(Refused, match=r"record\.json can't be read: .*; restore it from a backup\."):
        ReleaseStore(store.root)


def test_a_lack_of_descriptors_is_no_damage(store: ReleaseStore) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1, limits[1]))
    try:
        with pytest.raises(Refused, match=r"record\.json can't be read now: Too many open files; free descriptors or"):
            ReleaseStore(store.root)
        with pytest.raises(Refused, match=r"can't be read now: Too many open files; free descriptors or memory, or"):
            store.catalog.verify("2")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert store.catalog.damage("2") is None


def test_a_check_that_lacked_descriptors_is_repeated_at_the_next_request(store: ReleaseStore) -> None:
    (store.root / "lib/a-2/src/a.py").write_text("broken")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1, limits[1]))
    try:
        store.catalog.damage("2")
        until(lambda: not checks_run(), what="the end of the check")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    until(lambda: store.catalog.damage("2"), what="the damage")


def checks_run() -> bool:
    return any(thread.name == "node_runtime.releases.checks" for thread in threading.enumerate())


def test_a_lack_of_threads_is_no_damage_and_the_check_is_repeated(
    store: ReleaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    (store.root / "lib/a-2/src/a.py").write_text("broken")

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as without_threads:
        without_threads.setattr(threading.Thread, "start", refuse)
        assert store.catalog.damage("2") is None
    until(lambda: store.catalog.damage("2"), what="the damage")


def test_the_releases_that_could_boot_are_found_with_damaged_ones_on_the_way_verified_again(
    store: ReleaseStore,
) -> None:
    store.catalog.damage("2")
    until(lambda: not checks_run(), what="the end of the only check that is made by itself")
    source = store.root / "lib/a-2/src/a.py"
    aside = source.rename(source.with_suffix(".aside"))
    with pytest.raises(Refused, match="Release 2 is damaged"):
        store.catalog.verify("2")
    aside.rename(source)
    store.bootable()
    assert store.catalog.damage("2") is None
