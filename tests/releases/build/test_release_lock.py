"""release.lock: a build has exactly the third-party code that the lock lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.build.distributions import Distribution
from node_runtime.releases.build.release_lock import check_lock, write_lock
from node_runtime.releases.build.tarball import build, lock
from node_runtime.releases.files.manifest import this_platform, this_python
from tests.support.projects.tiny_project import write_project

ABACUS = Distribution("abacus", "1.4", {"abacus/__init__.py": b"BEADS = 13\n"})
QUIPU = Distribution("quipu", "2.0", {"quipu.py": b"KNOTS = 7\n"})


def test_a_build_is_as_its_lock_and_a_changed_lock_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node_runtime.releases.build.tarball.COMPRESSION_LEVEL", 0)
    project = write_project(tmp_path / "project")
    path = lock(project)
    text = path.read_text()
    assert {"jinja2", "markupsafe", "msgspec"} <= {line.partition("==")[0] for line in text.splitlines()}
    assert build(project, tmp_path).exists()
    path.write_text("".join(line for line in text.splitlines(keepends=True) if "markupsafe" not in line))
    with pytest.raises(Refused, match=r"release\.lock doesn't list markupsafe .*; if this is intended, run"):
        build(project, tmp_path / "again")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Distribution("abacus", "1.5", ABACUS.files), "lists abacus 1.4, but the build has found 1.5; if this"),
        (
            Distribution("abacus", "1.4", {"abacus/__init__.py": b"BEADS = 14\n"}),
            "The files of abacus 1.4 are not those",
        ),
        (Distribution("abacus", "1.4", ABACUS.files | {"spy.py": b""}), "The files of abacus 1.4 are not those"),
        (QUIPU, "doesn't list quipu 2.0"),
    ],
)
def test_a_distribution_that_is_not_as_locked_is_refused(tmp_path: Path, found: Distribution, said: str) -> None:
    check_lock(tmp_path, [found])
    write_lock(tmp_path, [ABACUS])
    check_lock(tmp_path, [ABACUS])
    with pytest.raises(Refused) as refused:
        check_lock(tmp_path, [ABACUS, found] if found is QUIPU else [found])
    assert said in refused.value.sentence


def test_a_new_lock_keeps_the_lines_of_other_pythons_and_replaces_its_own(tmp_path: Path) -> None:
    other = f"abacus==1.3 sha256:{'0' * 64} 2.7 cp-m"
    (tmp_path / "release.lock").write_text(f"# by hand\n\n{other}\n")
    with pytest.raises(Refused, match=f"abacus 1.4 for Python {this_python()} on {this_platform()}"):
        check_lock(tmp_path, [ABACUS])
    write_lock(tmp_path, [ABACUS, QUIPU])
    text = write_lock(tmp_path, [ABACUS]).read_text()
    assert other in text
    assert "quipu" not in text
    check_lock(tmp_path, [ABACUS])


@pytest.mark.parametrize("line", ["abacus", "abacus>=1.4", f"abacus==1.4 sha256:{'0' * 63} 3.11 x", "a\x00"])
def test_a_line_that_is_not_one_of_a_lock_is_refused_by_number(tmp_path: Path, line: str) -> None:
    (tmp_path / "release.lock").write_text(f"# a comment\n{line}\n")
    for use in (check_lock, write_lock):
        with pytest.raises(Refused, match="line 2: expected NAME==VERSION sha256:HASH PYTHON PLATFORM"):
            use(tmp_path, [ABACUS])
