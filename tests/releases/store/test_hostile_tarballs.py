"""A corpus of hostile tarballs, staged as users stage them: each is refused in one sentence, and leaves nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from node_runtime.releases.store.release_store import ReleaseStore
from node_runtime.releases.store.unpack import unpack
from tests.support.hostile_tarballs import GROUPS, GoodRelease, read_good_release
from tests.support.hostile_tarballs.staging import StagingGround
from tests.support.nodes.tiny_node import tarballs

__all__ = ["tarballs"]

STEP = 2 if os.environ.get("HYPOTHESIS_PROFILE") == "fuzz" else 24
"""`make test` stages every twenty-fourth tarball, because each has an OS process of its own, and `make test-all` every
twelfth one; `make fuzz` stages all."""
NEW_DIRECTORY_STEP = 10
"""Of so many tarballs, one is installed into a new directory, too."""


@pytest.fixture(scope="module")
def good(tarballs: dict[str, Path]) -> GoodRelease:
    """The release of which all tarballs are variations."""
    return read_good_release(tarballs["2.0"])


@pytest.fixture(scope="module")
def ground(tarballs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> StagingGround:
    """A node directory with release 1.0, to which each tarball is staged."""
    folder = tmp_path_factory.mktemp("hostile")
    first = folder / "tiny-1.0.tar.gz"
    first.write_bytes(read_good_release(tarballs["1.0"]).tarball())
    return StagingGround.installed(folder / "ground", first)


def test_the_good_release_itself_is_unpacked(good: GoodRelease, ground: StagingGround) -> None:
    tarball = ground.write(good.tarball())
    assert ground.stage(tarball) is None
    assert sorted(ReleaseStore(ground.node).record.releases) == ["1.0", "2.0"]
    ReleaseStore(ground.node).remove("2.0")
    assert unpack(tarball, ground.folder / "new").vsn == "2.0"
    shutil.rmtree(ground.folder / "new")


@pytest.mark.parametrize("first", [0, pytest.param(STEP // 2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("group", GROUPS)
def test_no_tarball_of_the_corpus_harms_a_node(
    group: str, first: int, good: GoodRelease, ground: StagingGround
) -> None:
    faults: list[str] = []
    for number, case in enumerate(GROUPS[group][first::STEP]):
        tarball = ground.write(case.build(good))
        found = [*ground.faults(tarball, case.verdict)]
        if number % NEW_DIRECTORY_STEP == 0:
            found += ground.faults_in_new_directory(tarball, case.verdict)
        faults += (f"{case.name}: {fault}" for fault in found)
    assert not faults, "\n".join(faults)
    assert [release.vsn for release in ReleaseStore(ground.node).infos("1.0") if not release.damaged] == ["1.0"]


def test_the_corpus_has_at_least_200_tarballs_that_must_be_refused() -> None:
    cases = [case for group in GROUPS.values() for case in group]
    assert len({case.name for case in cases}) == len(cases)
    assert sum(case.verdict != "harmless" for case in cases) >= 200
