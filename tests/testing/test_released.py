"""The last release is the project as of a tag in git, or the project itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from node_runtime.protocol.exit_codes import Refused
from node_runtime.testing import last_release


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=ann", "-c", "user.email=ann@example.org"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def test_the_newest_tag_is_the_last_release_and_another_one_can_be_named(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"has no tag in git, so its tests compare the project with itself"):
        assert last_release(tmp_path) == tmp_path
    last_release.cache_clear()
    git(tmp_path, "init", "-q")
    project = tmp_path / "project"
    for vsn in ("1", "2", "3"):
        project.mkdir(exist_ok=True)
        (project / "release.toml").write_text(vsn)
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-qm", vsn)
        if vsn != "3":
            git(tmp_path, "tag", f"v{vsn}")
    assert (last_release(project) / "release.toml").read_text() == "2"
    assert (last_release(project, "v1") / "release.toml").read_text() == "1"
    with pytest.raises(Refused, match="git has no v9 of"):
        last_release(project, "v9")
