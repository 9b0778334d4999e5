"""The distributions that a build takes from those that are installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from node_runtime.releases.build.distributions import parse_requirements, resolve_distributions
from node_runtime.releases.build.runtime_files import UNUSED_NEEDS, own_requirements


def needs_of(requirements: list[str], folder: Path) -> dict[str, frozenset[str]]:
    parsed = parse_requirements(requirements, Path("release.toml"))
    found = resolve_distributions(parsed, folder, own_requirements(), UNUSED_NEEDS)
    return {each.name: each.needs for each in found}


def test_a_release_lacks_what_only_other_uses_of_a_library_need(tmp_path: Path) -> None:
    needs = needs_of([], tmp_path)
    assert not {"pygments", "markdown-it-py", "mdurl"} & needs.keys()
    assert needs["rich"] == frozenset()
    assert set().union(*needs.values()) <= needs.keys()


@pytest.mark.parametrize("requirement", ["rich", "textual"])
def test_a_library_that_the_release_itself_requires_is_complete(tmp_path: Path, requirement: str) -> None:
    needs = needs_of([requirement], tmp_path)
    assert needs["rich"] == {"pygments", "markdown-it-py"}
    assert {"pygments", "mdurl"} <= needs.keys()
