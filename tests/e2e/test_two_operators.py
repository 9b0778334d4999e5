"""Two operators at one node, one of whom disappears in the middle of an operation."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.nodes.fil_node import EXAMPLES, FilNode, build, install, running
from tests.support.waiting import until

LIMIT = 120.0


@pytest.fixture
def node(fil_tarballs: dict[str, Path], tmp_path: Path) -> Iterator[FilNode]:
    """fil 1986.a, for ten minutes in a state that the staged 1986.b lacks; and 1986.c, without a path to it."""
    without_olive = tmp_path / "1986.b"
    shutil.copytree(EXAMPLES / "1986.b", without_olive)
    machine = without_olive / "apps/fil/src/fil/color_fsm.py"
    machine.write_text(machine.read_text().replace("olive", "teal"))
    without_way = tmp_path / "1986.c"
    shutil.copytree(EXAMPLES / "1986.c", without_way)
    (without_way / "apps/fil/appup.toml").unlink()
    with running(install(fil_tarballs["1986.a"], tmp_path, cycle_time=600)) as started:
        started.hotdash("stage", started.name, build(without_olive, tmp_path))
        started.hotdash("stage", started.name, build(without_way, tmp_path))
        yield started


def operations(node: FilNode) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(node.hotdash("results", node.name, "--all", "-o", "json").stdout)
    return found


@pytest.mark.slow  # test_kills.py has two installs, and one without its client
def test_the_second_operator_is_told_of_the_first_whose_disappearance_changes_nothing(node: FilNode) -> None:
    for verb in (("upgrade", node.name, "1986.c", "--yes"), ("plan", node.name, "1986.c")):
        done = node.hotdash(*verb, code=1)
        assert "no path from 1986.a to 1986.c" in " ".join((done.stdout + done.stderr).split())
    assert "state olive" in node.hotdash("upgrade", node.name, "1986.b", "--yes", code=1).stderr
    assert operations(node) == []

    first = subprocess.Popen(
        ["hotdash", "upgrade", node.name, "1986.b", "--yes", "--wait", "600"],
        env=node.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: [one["phase"] for one in operations(node)] == ["waiting"], "the first one's wait")
    (begun,) = operations(node)
    for words in (
        ("upgrade", node.name, "1986.b", "--yes", "--wait", "1"),
        ("rollback", node.name, "--yes"),
        ("commit", node.name),
        ("plan", node.name, "1986.b"),
    ):
        said = node.hotdash(*words, code=1).stderr
        assert begun["id"] in said
        assert begun["who"] in said
        assert "waiting" in said

    first.kill()
    first.wait(LIMIT)
    assert [(one["id"], one["phase"]) for one in operations(node)] == [(begun["id"], "waiting")]
