"""`hotdash deploy`: from a folder to a committed upgrade, step by step; a failing step ends it with a reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotdash.cli import main
from tests.support.nodes.tiny_node import ANOTHER_PAGE, TinyNode, install, stopped_afterwards, tarball_of
from tests.support.projects.tiny_project import write_project

NAME = "tiny@127.0.0.1"


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[TinyNode]:
    """A node that runs 1.0, and finds the health of a release good after a moment."""
    with stopped_afterwards(install(tarball_of(tmp_path / "tarball"), tmp_path / "tiny")) as node:
        node.set("node.toml", "[probation]\nhealthy = 0.1\n")
        node.tiny("start")
        yield node


@pytest.mark.slow  # three builds; the steps themselves are verbs that have quicker tests
def test_a_project_is_planned_then_deployed_and_then_there_is_nothing_to_do(tiny: TinyNode, tmp_path: Path) -> None:
    project = write_project(tmp_path / "project", "2.0", ANOTHER_PAGE)
    planned = [
        json.loads(line)
        for line in tiny.hotdash("deploy", NAME, project, "--plan-only", "-o", "json").stdout.splitlines()
    ]
    assert [step["step"] for step in planned] == ["build", "stage", "plan"]
    assert planned[2]["command"] == f"hotdash plan {NAME} 2.0"
    assert planned[2]["result"]["modules"][0]["name"] == "tiny.hello_page"

    page = project / "apps/tiny/priv/pages/hello.html"
    page.write_text(f"{page.read_text()} A correction before the first install.")
    corrected = tiny.hotdash("deploy", NAME, project, "--plan-only").stdout
    assert f"+ hotdash remove {NAME} 2.0\nThe former build of 2.0, which has never run, is deleted" in corrected

    refused = tiny.hotdash("deploy", NAME, project, code=2)
    assert "There is no terminal to confirm on; pass --yes" in refused.stderr
    assert json.loads(tiny.hotdash("status", NAME, "-o", "json").stdout)["info"]["vsn"] == "1.0"

    done = tiny.hotdash("deploy", NAME, project, "--yes").stdout
    assert [line for line in done.splitlines() if line.startswith("+ ")] == [
        f"+ node-runtime build {project}",
        f"+ hotdash stage {NAME} {project}/_build/tiny-2.0.tar.gz",
        f"+ hotdash plan {NAME} 2.0",
        f"+ hotdash upgrade {NAME} 2.0",
        f"+ hotdash commit {NAME}",
    ]
    info = json.loads(tiny.hotdash("status", NAME, "-o", "json").stdout)["info"]
    assert (info["vsn"], info["permanent"]) == ("2.0", "2.0")

    again = tiny.hotdash("deploy", NAME, project, "--yes").stdout
    assert "Nothing to do: the node already runs 2.0." in again
    assert "hotdash commit" not in again
    assert "generate" not in again

    (project / "apps/tiny/priv/pages/hello.html").write_text("A change whose author forgets the version.")
    bumped = tiny.hotdash("deploy", NAME, project, "--plan-only").stdout
    assert bumped.splitlines()[:4] == [
        f"+ node-runtime appup generate --bump --from {project}/_build/tiny-2.0.tar.gz --to {project}",
        f"{project}/release.toml: vsn is 2.1 now.",
        f"{project}/apps/tiny/app.toml: vsn is 2.1 now.",
        f"{project}/apps/tiny/appup.toml: written, from 2.0 and back.",
    ]
    assert "Upgrade from 2.0 to 2.1" in bumped


@pytest.mark.slow  # a build, as above
def test_an_appup_that_leads_nowhere_ends_the_deployment_and_a_missing_one_is_generated(
    tiny: TinyNode, tmp_path: Path
) -> None:
    project, appup = write_project(tmp_path / "project", "2.0", ANOTHER_PAGE), tmp_path / "project/apps/tiny/appup.toml"
    tiny_1 = tarball_of(tmp_path / "again")
    appup.write_text(appup.read_text().replace('"1.0"', '"0.9"'))
    refused = tiny.hotdash("deploy", NAME, project, "--from", tiny_1, "--yes", code=1)
    assert "failed, so nothing was sent to the node." in refused.stderr
    assert "2.0" not in tiny.hotdash("releases", NAME).stdout

    appup.unlink()
    refused = tiny.hotdash("deploy", NAME, project, "--yes", code=1)
    assert "apps/tiny/appup.toml is missing or older than its app.toml; to generate it" in refused.stderr
    assert "pass --from with the tarball of 1.0" in refused.stderr
    done = tiny.hotdash("deploy", NAME, project, "--from", tiny_1, "--yes", "-o", "json").stdout
    steps = [json.loads(line) for line in done.splitlines()]
    assert [step["step"] for step in steps] == ["generate", "build", "stage", "plan", "upgrade", "commit"]
    assert steps[0]["command"] == f"node-runtime appup generate --from {tiny_1} --to {project}"
    assert steps[0]["result"] == {"appups": [str(appup)]}
    assert appup.exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "release.toml can't be read: No such file or directory; name the folder of a project."),
        ("name = ", "release.toml is not TOML: "),
        ("name = 1", "release.toml must have the name and the vsn of the release, as strings."),
        ('name = "tiny"\nvsn = "2.0"\n', "nowhere@127.0.0.1"),
    ],
)
def test_a_folder_without_a_project_and_an_unknown_node_are_one_sentence(
    text: str | None, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_RUNTIME_RUN_DIR", str(tmp_path / "run"))
    if text is not None:
        (tmp_path / "release.toml").write_text(text)
    with pytest.raises(SystemExit) as end:
        main(["deploy", "nowhere@127.0.0.1", str(tmp_path)])
    written = capsys.readouterr()
    assert sentence in written.err
    assert (written.out, end.value.code) == ("", 3 if "@" in sentence else 1)
