"""New versions of a project: only what differs gets one, and the TOML files keep everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.appups.generation.version_bump import bump_versions, next_vsn
from node_runtime.releases.appups.sources.release_source import read_project_source
from tests.support.projects.shop_versions import write_shop


@pytest.mark.parametrize(
    ("vsn", "following"),
    [("1.0", "1.1"), ("0.9", "0.10"), ("1986.a", "1986.b"), ("2.0-rc1", "2.0-rc2"), ("1.0+0f3a", "1.1"), ("7", "8")],
)
def test_the_next_version(vsn: str, following: str) -> None:
    assert next_vsn(vsn) == following


def test_a_version_without_a_number_has_no_next_one() -> None:
    with pytest.raises(Refused, match="pass --bump with a version"):
        next_vsn("z")


def bump(older: Path, newer: Path, how: str) -> dict[str, str]:
    made = bump_versions(newer, [read_project_source(older)], read_project_source(newer), how)
    return {each.path.name: each.vsn for each in made if each.is_written}


def test_versions_are_bumped_once_and_derived_from_the_content(tmp_path: Path) -> None:
    older = write_shop(tmp_path / "older", "1.0", {"one": "x = 1\n"})
    newer = write_shop(tmp_path / "newer", "1.0", {"one": "x = 2\n"}, app="# the port\n[env]\nport = 1\n")
    assert bump(older, newer, "next") == {"release.toml": "1.1", "app.toml": "1.1"}
    assert bump(older, newer, "next") == {}
    kept = bump_versions(newer, [read_project_source(older)], read_project_source(newer), "next")
    assert [(each.vsn, each.older, each.is_written) for each in kept] == [("1.1", "1.0", False)] * 2
    assert (newer / "apps/shop/app.toml").read_text() == 'name = "shop"\nvsn = "1.1"\n# the port\n[env]\nport = 1\n'
    first = bump(older, newer, "hash")
    assert {vsn.partition("+")[0] for vsn in first.values()} == {"1.0"}
    assert bump(older, newer, "hash") == {}
    (newer / "apps/shop/src/shop/one.py").write_text("x = 3\n")
    assert bump(older, newer, "hash").keys() == first.keys()
    assert bump(older, newer, "2.0") == {"release.toml": "2.0", "app.toml": "2.0"}
    with pytest.raises(Refused, match="can't be a version"):
        bump(older, newer, "two point oh")


def test_an_application_that_does_not_differ_keeps_its_version(tmp_path: Path) -> None:
    older = write_shop(tmp_path / "older", "1.0", {"one": "x = 1\n"})
    newer = write_shop(tmp_path / "newer", "1.0", {"one": "x = 1\n"})
    assert bump(older, newer, "next") == {}
    (newer / "config/sys.toml").write_text("[shop]\nrate = 2\n")
    assert bump(older, newer, "next") == {"release.toml": "1.1"}
