"""The verbs of a probation: `upgrade --commit` waits for the verdict; a failed release needs `--again`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.nodes.tiny_node import (
    ANOTHER_PAGE,
    NAME,
    TinyNode,
    install,
    stopped_afterwards,
    tarball_of,
    tarballs,
)
from tests.support.projects.tiny_project import FILES

__all__ = ["tarballs"]

APP = "apps/tiny/src/tiny/app.py"
UNWELL: dict[str, str | None] = {
    "apps/tiny/appup.toml": str(ANOTHER_PAGE["apps/tiny/appup.toml"])
    .replace("tiny.hello_page", "tiny.app")
    .replace("2.0", "3.0"),
    APP: f"{FILES[APP]}\n    def health(self):\n        return False\n",
}


@pytest.fixture(scope="module")
def node(tarballs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyNode]:
    """1.0 runs; 2.0 and 3.0, which reports bad health, are unpacked. The probation is short."""
    folder = tmp_path_factory.mktemp("probation")
    with stopped_afterwards(install(tarballs["1.0"], folder / "tiny")) as made:
        made.set("node.toml", "[probation]\nhealthy = 0.2\nlag = 5.0\n")
        made.tiny("start")
        made.tiny("unpack", tarballs["2.0"])
        made.tiny("unpack", tarball_of(folder, "3.0", UNWELL))
        yield made


def test_an_unhealthy_release_is_rolled_back_and_needs_an_option_to_be_tried_again(node: TinyNode) -> None:
    done = node.tiny("upgrade", "3.0", "--commit", code=6)
    assert "The node reverted to the code that it ran before." in done.stderr
    told = json.loads(node.hotdash("results", NAME, "-o", "json").stdout)
    assert (told["kind"], told["who"], told["reason"]) == ("revert", "probation", "tiny reports bad health")
    assert "3.0 failed on this node: tiny reports bad health." in " ".join(node.tiny("status").stdout.split())
    assert "Pass --again to install it again" in node.tiny("upgrade", "3.0", code=1).stderr
    node.tiny("upgrade", "3.0", "--again", "--commit", code=6)


def test_upgrade_commit_waits_for_the_verdict(node: TinyNode) -> None:
    node.tiny("upgrade", "2.0")
    shown = " ".join(node.tiny("status").stdout.split())
    assert "on probation; permanent is 1.0" in shown
    assert "0 restarts, 0 errors" in shown
    node.tiny("upgrade", "2.0", "--commit")
    releases = json.loads(node.tiny("versions", "-o", "json").stdout)
    assert {one["vsn"]: one["status"] for one in releases} == {"1.0": "old", "2.0": "permanent", "3.0": "unpacked"}
