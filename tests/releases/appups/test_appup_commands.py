"""`node-runtime appup`: reads releases from folders, tarballs and revisions of git, and answers with sentences."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from node_runtime.cli.commands import run
from tests.support.nodes.tiny_node import ANOTHER_PAGE, tarball_of
from tests.support.projects.tiny_project import appup_both_ways, write_project

LOAD = '{ load_module = "tiny.hello_page" }'


def appup(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> str:
    """Run `node-runtime appup`; return what it prints, on stderr if it fails."""
    try:
        run(["appup", *map(str, words)])
        ended: object = 0
    except SystemExit as end:
        ended = int(end.code or 0)
    out, err = capsys.readouterr()
    assert ended == code, err
    return err if code else out


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=ann", "-c", "user.email=ann@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(("git", "-C", folder, *identity, *words), check=True, capture_output=True)


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """The tiny project 2.0, whose appup forgets the way down to 1.0."""
    up_only = appup_both_ways(LOAD).partition("[[down]]")[0]
    return write_project(tmp_path / "newer", "2.0", {**ANOTHER_PAGE, "apps/tiny/appup.toml": up_only})


def test_the_older_release_is_a_folder_or_a_tarball(
    tmp_path: Path, newer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tarball = tarball_of(tmp_path)
    older = write_project(tmp_path / "older")
    expected = f"{newer}/apps/tiny/appup.toml, line 1: the appup has no entry under `down` for tiny 1.0"
    for words in ((tarball, newer), ("--from", older, "--to", newer)):
        assert appup(capsys, "check", *words, code=1).startswith(expected)
    (newer / "apps/tiny/appup.toml").write_text(appup_both_ways(LOAD))
    assert appup(capsys, "check", older, newer) == "The appups lead from tiny 1.0 to 2.0 and back.\n"


def test_the_older_release_is_a_revision_of_git_at_the_place_of_the_project(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_project(tmp_path / "repository" / "services" / "tiny")
    git(tmp_path / "repository", "init")
    git(tmp_path / "repository", "add", ".")
    git(tmp_path / "repository", "commit", "-m", "first")
    git(tmp_path / "repository", "tag", "v1.0")
    write_project(folder, "2.0", {**ANOTHER_PAGE, "apps/tiny/appup.toml": appup_both_ways("")})
    for revision in ("v1.0", "HEAD", "HEAD:services/tiny"):
        found = appup(capsys, "check", revision, folder, code=1)
        assert f"{folder}/apps/tiny/appup.toml, line 2: tiny.hello_page was changed from 1.0 to 2.0" in found
    (folder / "apps/tiny/appup.toml").write_text(appup_both_ways(LOAD))
    assert appup(capsys, "check", "v1.0", folder) == "The appups lead from tiny 1.0 to 2.0 and back.\n"
    assert "has no folder services/none" in appup(capsys, "check", "v1.0:services/none", folder, code=1)


def test_generate_writes_versions_and_appups_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    older = write_project(tmp_path / "older")
    newer = write_project(tmp_path / "newer", "1.0", ANOTHER_PAGE)
    file = newer / "apps/tiny/appup.toml"
    file.unlink(missing_ok=True)
    assert "its vsn is 1.0 in both; pass --bump" in appup(capsys, "generate", "--from", older, "--to", newer, code=1)
    assert appup(capsys, "generate", "--from", older, "--to", newer, "--bump", "2.0").splitlines() == [
        f"{newer}/release.toml: vsn is 2.0 now.",
        f"{newer}/apps/tiny/app.toml: vsn is 2.0 now.",
        f"{file}: written, from 1.0 and back.",
    ]
    same = appup(capsys, "generate", "--from", newer, "--to", newer, "--bump")
    assert same == "Nothing differs from tiny 2.0: no new vsn and no appup is needed.\n"
    again = appup(capsys, "generate", "--from", older, "--to", newer, "--bump")
    assert again.splitlines() == [
        f"{newer}/release.toml: vsn stays 2.0; in the older release, it is 1.0.",
        f"{newer}/apps/tiny/app.toml: vsn stays 2.0; in the older release, it is 1.0.",
        f"{file}: unchanged. Its entries under `up` and `down` for 1.0 have no mistakes, so they stay as they are.",
    ]
    text = file.read_text()
    file.write_text(text.replace("load_module", "add_module", 1))
    assert appup(capsys, "generate", "--from", older, "--to", newer) == (
        f"{file}: written, from 1.0 and back. Its entry under `down` for 1.0 has no mistakes, so it stays as it is.\n"
    )
    assert file.read_text() == text
    assert appup(capsys, "generate", "--from", older, "--to", newer, "--print") == file.read_text()
    assert appup(capsys, "check", older, newer) == "The appups lead from tiny 1.0 to 2.0 and back.\n"
    assert "--bump writes to a project" in appup(
        capsys, "generate", "--from", older, "--to", newer, "--bump", "hash", "--print", code=2
    )


@pytest.mark.parametrize("order", [("1.0", "2.0"), ("2.0", "1.0")])
def test_several_older_releases_are_one_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], order: tuple[str, str]
) -> None:
    migrate = '{ apply = "gc:collect" }'
    by_hand = appup_both_ways(f"{LOAD},\n  {migrate}")
    write_project(tmp_path / "1.0")
    second = write_project(tmp_path / "2.0", "2.0", {**ANOTHER_PAGE, "apps/tiny/appup.toml": by_hand})
    newer = tmp_path / "newer"
    shutil.copytree(second, newer)
    (newer / "apps/tiny/priv/pages/hello.html").write_text("<p>See you {{ name }}</p>\n")
    froms = [word for vsn in order for word in ("--from", tmp_path / vsn)]
    bumped = appup(capsys, "generate", *froms, "--to", newer, "--bump")
    assert f"{newer}/apps/tiny/app.toml: vsn is 2.1 now." in bumped
    text = (newer / "apps/tiny/appup.toml").read_text()
    assert text.count(migrate) == 2
    assert [text.count(f'"{vsn}"') for vsn in ("1.0", "2.0", "2.1")] == [2, 2, 1]
    for vsn in order:
        appup(capsys, "check", tmp_path / vsn, newer)
    again = appup(capsys, "generate", *froms, "--to", newer, "--bump")
    assert f"{newer}/apps/tiny/app.toml: vsn stays 2.1; in the older releases, it is 1.0, 2.0." in again


def test_each_instruction_of_the_author_that_is_left_out_is_noted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_hand = appup_both_ways(f'{LOAD},\n  {{ apply = "gc:collect" }}')
    older = write_project(tmp_path / "2.0", "2.0", {"apps/tiny/appup.toml": by_hand})
    newer = write_project(tmp_path / "newer", "2.0", {**ANOTHER_PAGE, "apps/tiny/appup.toml": by_hand})
    run(["appup", "generate", "--from", str(older), "--to", str(newer), "--bump"])
    assert (
        'Note: { apply = "gc:collect" } is left out, because its entry `up` for 1.0 is in the appup of '
        "the version 2.0. To keep the entry in 2.1, also pass --from with the release 1.0.\n"
    ) in capsys.readouterr().err


def test_what_is_no_release_is_refused_in_a_sentence(
    tmp_path: Path, newer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "is neither a folder nor a tarball, and git knows no such revision" in appup(
        capsys, "check", "v9", newer, code=1
    )
    assert "Give the older release" in appup(capsys, "check", code=2)
    assert "OLD and --from name the same release" in appup(capsys, "check", "a", "--from", "a", code=2)
    assert "release.toml can't be read" in appup(capsys, "check", tmp_path, newer, code=1)
