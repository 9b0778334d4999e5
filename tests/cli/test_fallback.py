"""Boots without a usable permanent release: the newest intact old one, reported in log, status and history."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.nodes.fil_node import command
from tests.support.nodes.tiny_node import NAME, TinyNode, install, stopped_afterwards, tarball_of, tarballs
from tests.support.projects.tiny_project import FILES, appup_both_ways
from tests.support.waiting import until

__all__ = ["tarballs"]

NO_COLD_START: dict[str, str | None] = {
    "apps/tiny/appup.toml": appup_both_ways('{ load_module = "tiny.server" }'),
    "apps/tiny/src/tiny/server.py": FILES["apps/tiny/src/tiny/server.py"].replace(
        "return 0", "raise RuntimeError('the hot way never came by here')"
    ),
}


@pytest.fixture
def node(tmp_path: Path) -> Iterator[TinyNode]:
    """1.0 is old; 2.0 is permanent and runs, but can't be booted."""
    with stopped_afterwards(install(tarball_of(tmp_path), tmp_path / "tiny")) as made:
        made.tiny("start")
        made.operate("stage", tarball_of(tmp_path, "2.0", NO_COLD_START))
        made.operate("upgrade", "--yes", "2.0")
        made.operate("commit")
        yield made


def boots_again(node: TinyNode) -> None:
    """Kill the node, and wait until its parent has booted it again."""
    pid, boots = node.pid(), node.parent["boots"]
    assert pid is not None
    assert isinstance(boots, int)
    os.kill(pid, signal.SIGKILL)
    until(lambda: node.parent["boots"] != boots and node.parent["phase"] == "running", "the next boot")


def statuses(node: TinyNode) -> dict[str, str]:
    return {one["vsn"]: one["status"] for one in json.loads(node.operate("releases", "-o", "json").stdout)}


def test_after_three_failed_boots_of_the_permanent_release_the_old_one_is_booted(node: TinyNode) -> None:
    assert statuses(node) == {"1.0": "old", "2.0": "permanent"}
    boots_again(node)
    assert (node.parent["vsn"], node.parent["boots"]) == ("1.0", 5)
    assert "Giving up on release 2.0." in node.log
    assert "release 1.0 is now permanent, because release 2.0 did not boot" in node.log
    assert statuses(node) == {"1.0": "permanent", "2.0": "old"}
    told = json.loads(node.hotdash("results", NAME, "-o", "json").stdout)
    assert (told["kind"], told["from_vsn"], told["to_vsn"], told["who"]) == ("fallback", "2.0", "1.0", "parent")
    assert "the hot way never came by here" in told["error"]
    said = " ".join(node.operate("status").stdout.split())
    assert "2.0 failed on this node: Application tiny did not start" in said
    boots_again(node)
    assert node.parent["vsn"] == "1.0"


@pytest.mark.slow  # store/test_damaged_releases.py repairs; the test above falls back
def test_an_old_release_is_booted_for_a_damaged_permanent_one_which_its_tarball_repairs(
    tarballs: dict[str, Path], tmp_path: Path
) -> None:
    with stopped_afterwards(install(tarballs["1.0"], tmp_path / "tiny")) as node:
        node.tiny("start")
        node.operate("stage", tarballs["2.0"])
        node.operate("upgrade", "--yes", "2.0")
        node.operate("commit")
        page = node.directory / "lib/tiny-2.0/src/tiny/hello_page.py"
        page.write_text(page.read_text() + "\n")
        node.tiny("stop")

        assert node.tiny("start").stdout.startswith(f"{NAME} runs 1.0 ")
        sentence = "Release 2.0 is damaged: lib/tiny-2.0/src/tiny/hello_page.py differs from the build"
        assert sentence in node.log
        assert sentence in " ".join(node.operate("status").stdout.split())
        assert sentence in json.loads(node.hotdash("results", NAME, "-o", "json").stdout)["error"]
        assert statuses(node) == {"1.0": "permanent", "2.0": "old"}
        refused = node.hotdash("plan", NAME, "2.0", code=1)
        assert "stage its tarball again" in " ".join(refused.stdout.split())

        node.operate("stage", tarballs["2.0"])
        assert "damaged" not in node.hotdash("releases", NAME).stdout.splitlines()[2]
        node.operate("upgrade", "--yes", "2.0")


def test_a_damaged_release_without_an_old_one_is_named_with_the_remedy(
    tarballs: dict[str, Path], tmp_path: Path
) -> None:
    node = install(tarballs["1.0"], tmp_path / "tiny")
    shutil.rmtree(node.directory / "lib/tiny-1.0/src")
    said = node.tiny("start", code=1).stderr
    assert said.startswith("Release 1.0 is damaged: lib/tiny-1.0/src/")
    assert f"`node-runtime install TARBALL {node.directory}` repairs it" in said
    command("node-runtime", "install", tarballs["1.0"], node.directory, env=node.environment)
    with stopped_afterwards(node):
        node.tiny("start")
        said = command("node-runtime", "install", tarballs["1.0"], node.directory, env=node.environment, code=1).stderr
        assert "Another process runs the node" in said
