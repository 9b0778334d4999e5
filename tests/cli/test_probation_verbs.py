"""The verbs of a probation: `upgrade --commit` waits for the verdict; a failed release needs `--again`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.nodes.tiny_node import (
    NAME,
    TinyNode,
    install,
    stopped_afterwards,
    tarball_of,
    tarballs,
)
from tests.support.projects.tiny_project import FILES, appup_both_ways

__all__ = ["tarballs"]

APP = "apps/tiny/src/tiny/app.py"
UNWELL: dict[str, str | None] = {
    "apps/tiny/appup.toml": appup_both_ways('{ load_module = "tiny.app" }', vsn="3.0"),
    APP: f"{FILES[APP]}\n    def health(self):\n        return False\n",
}
LOOPING: dict[str, str | None] = {
    "apps/tiny/appup.toml": """
vsn = "4.0"
[[up]]
from = "1.0"
instructions = [
  { update = "tiny.sup", type = "supervisor" },
  { load_module = "tiny.server" },
  { apply = "tiny.server:fall_soon" },
]
[[down]]
to = "1.0"
instructions = [{ load_module = "tiny.server" }, { update = "tiny.sup", type = "supervisor" }]
""",
    "apps/tiny/src/tiny/sup.py": FILES["apps/tiny/src/tiny/sup.py"].replace("1, 60.0", "1000, 60.0"),
    "apps/tiny/src/tiny/server.py": """
import logging.config

from node_runtime import GenServer, gen_server, send_after

logging.config.dictConfig({"version": 1})
logging.disable(logging.CRITICAL)

def fall_soon():
    send_after(0.01, "tiny_server", "fall")
    return 0

async def start_link():
    return await gen_server.start_link(TinyServer, name="tiny_server")

class TinyServer(GenServer):
    def init(self):
        return fall_soon()

    def handle_info(self, message):
        raise RuntimeError("over the edge")
""",
}
"""Its server crashes again and again, and nothing of that reaches the log."""


@pytest.fixture(scope="module")
def node(tarballs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyNode]:
    """1.0 runs. 2.0, 3.0, which reports bad health, and 4.0, which crashes, are unpacked. The probation is short."""
    folder = tmp_path_factory.mktemp("probation")
    with stopped_afterwards(install(tarballs["1.0"], folder / "tiny")) as made:
        made.set("node.toml", "[probation]\nhealthy = 0.2\nlag = 5.0\n")
        made.tiny("start")
        made.operate("stage", tarballs["2.0"])
        made.operate("stage", tarball_of(folder, "3.0", UNWELL))
        made.operate("stage", tarball_of(folder, "4.0", LOOPING))
        yield made


def test_an_unhealthy_release_is_rolled_back_and_needs_an_option_to_be_tried_again(node: TinyNode) -> None:
    done = node.operate("upgrade", "--yes", "3.0", "--commit", code=6)
    assert "The node reverted to the code that it ran before." in done.stderr
    told = json.loads(node.hotdash("results", NAME, "-o", "json").stdout)
    assert (told["kind"], told["who"], told["reason"]) == ("revert", "probation", "tiny reports bad health")
    assert "3.0 failed on this node: tiny reports bad health." in " ".join(node.operate("status").stdout.split())
    assert "Pass --again to install it again" in node.operate("upgrade", "--yes", "3.0", code=1).stderr
    node.operate("upgrade", "--yes", "3.0", "--again", "--commit", code=6)


def test_a_release_that_crashes_in_a_loop_is_not_committed_though_it_silences_its_log(node: TinyNode) -> None:
    done = node.operate("upgrade", "4.0", "--commit", "--yes", "-o", "json", code=6)
    assert re.match(r"\d+ restarts of processes \(limit 3\)$", json.loads(done.stdout)["reason"])
    assert '"vsn": "1.0"' in node.operate("status", "-o", "json").stdout


def test_upgrade_commit_waits_for_the_verdict(node: TinyNode) -> None:
    node.operate("upgrade", "--yes", "2.0")
    shown = " ".join(node.operate("status").stdout.split())
    assert "on probation; permanent is 1.0" in shown
    assert "0 restarts, 0 errors" in shown
    node.operate("upgrade", "--yes", "2.0", "--commit")
    committed = node.hotdash("results", NAME).stdout
    assert committed.startswith("Upgrade 1.0 → 2.0")
    assert committed.rstrip().splitlines()[-1].startswith("Commit 2.0")
    releases = json.loads(node.operate("releases", "-o", "json").stdout)
    assert {one["vsn"]: one["status"] for one in releases} == {
        "1.0": "old",
        "2.0": "permanent",
        "3.0": "unpacked",
        "4.0": "unpacked",
    }


def test_an_install_that_is_committed_at_once_prints_its_results_too(node: TinyNode) -> None:
    node.operate("upgrade", "--yes", "2.0", "--commit")
    printed = node.operate("downgrade", "--yes", "1.0", "--commit").stdout
    install, _, commit = printed.partition("Downgrade 2.0 → 1.0")
    assert "Commit 1.0" in commit
    assert "1.0 running, on probation" in commit
    assert "Commit 1.0" not in install
