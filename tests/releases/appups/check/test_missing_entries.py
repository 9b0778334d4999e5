"""A missing appup, and a missing entry, are named with the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.appups.check.check import check_appups
from node_runtime.releases.appups.sources.release_source import read_project_source
from tests.support.nodes.tiny_node import ANOTHER_PAGE
from tests.support.projects.tiny_project import write_project

_LOAD = '[{ load_module = "tiny.hello_page" }]'
UP = f'[[up]]\nfrom = "1.0"\ninstructions = {_LOAD}\n'
DOWN = f'[[down]]\nto = "1.0"\ninstructions = {_LOAD}\n'
NOTHING = '[[up]]\nfrom = "1.*"\ninstructions = []\n[[down]]\nto = "1.*"\ninstructions = []\n'


def refusal(folder: Path, appup: str | None) -> str:
    """The sentences for a newer version of the tiny project with this appup; "" if there are none."""
    older = read_project_source(write_project(folder / "older"))
    text = None if appup is None else f'vsn = "2.0"\n{appup}'
    newer = write_project(folder / "newer", "2.0", {**ANOTHER_PAGE, "apps/tiny/appup.toml": text})
    try:
        check_appups(older, read_project_source(newer))
    except Refused as refused:
        return refused.sentence
    return ""


def test_appups_that_lead_there_and_back_are_accepted(tmp_path: Path) -> None:
    assert refusal(tmp_path, UP + DOWN) == ""


@pytest.mark.parametrize(
    ("appup", "parts"),
    [
        (
            None,
            ("appup.toml is missing", "from tiny 1.0 to 2.0 and back only by a restart", "with an entry under `up`"),
        ),
        (
            "",
            (
                "appup.toml, line 1: the appup has no entry under `up` for tiny 1.0",
                'add one with `from = "1.0"`',
                "no entry under `down` for tiny 1.0",
            ),
        ),
        (UP, ("no entry under `down` for tiny 1.0", "go back from tiny 2.0 to tiny 1.0 only by a restart")),
        (DOWN, ("no entry under `up` for tiny 1.0", "a node can reach tiny 2.0 from tiny 1.0 only by a restart")),
        (
            NOTHING,
            (
                "appup.toml, line 2: tiny.hello_page was changed from 1.0 to 2.0, but the entry under `up` has no",
                "appup.toml, line 5: tiny.hello_page was changed from 2.0 to 1.0, but the entry under `down` has no",
                'add { load_module = "tiny.hello_page" }',
            ),
        ),
    ],
)
def test_a_missing_empty_or_one_way_appup_is_named_with_its_file_and_the_remedy(
    tmp_path: Path, appup: str | None, parts: tuple[str, ...]
) -> None:
    found = refusal(tmp_path, appup)
    assert [part for part in parts if part not in found] == []
    assert f"{tmp_path}/newer/apps/tiny/appup.toml" in found


def test_the_previous_release_has_another_version(tmp_path: Path) -> None:
    project = read_project_source(write_project(tmp_path))
    with pytest.raises(Refused, match="give the new one another vsn"):
        check_appups(project, project)
