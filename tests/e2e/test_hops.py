"""`--hops`: an upgrade over releases that no appup connects directly, with a plan and a probation for each step."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


def appup(vsn: str, before: str, module: str = "tiny.hello_page") -> dict[str, str | None]:
    load = f'{{ load_module = "{module}" }}'
    return {"apps/tiny/appup.toml": appup_both_ways(load, vsn=vsn, older=before)}


THIRD = {**appup("3.0", "2.0"), "apps/tiny/priv/pages/hello.html": "<p>Again {{ name }}</p>\n"}
UNWELL = {
    **appup("4.0", "3.0", "tiny.app"),
    "apps/tiny/priv/pages/hello.html": THIRD["apps/tiny/priv/pages/hello.html"],
    APP: f"{FILES[APP]}\n    def health(self):\n        return False\n",
}


@pytest.fixture(scope="module")
def node(tarballs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyNode]:
    """1.0 runs; 2.0, 3.0 and 4.0 are unpacked, each with an appup from the one before it. 4.0 reports bad health."""
    folder = tmp_path_factory.mktemp("hops")
    with stopped_afterwards(install(tarballs["1.0"], folder / "tiny")) as made:
        made.set("node.toml", "[probation]\nhealthy = 0.2\nlag = 5.0\n")
        made.tiny("start")
        for tarball in (tarballs["2.0"], tarball_of(folder, "3.0", THIRD), tarball_of(folder, "4.0", UNWELL)):
            made.operate("stage", tarball)
        yield made


def standing(node: TinyNode) -> tuple[str, str]:
    """The current and the permanent release."""
    info = json.loads(node.hotdash("status", NAME, "-o", "json").stdout)["info"]
    return info["vsn"], info["permanent"]


def test_a_plan_names_the_steps_and_a_refusal_the_command(node: TinyNode) -> None:
    plan: dict[str, Any] = json.loads(node.hotdash("plan", NAME, "3.0", "-o", "json", code=1).stdout)
    assert plan["hops"] == ["2.0", "3.0"]
    command = (
        "3.0 is reachable via 1.0 -> 2.0 -> 3.0: install these one after the other; 'hotdash upgrade NODE 3.0 --hops'"
    )
    assert command in plan["blockers"][0]["remedy"]
    assert command in node.hotdash("upgrade", NAME, "3.0", "--yes", code=1).stderr
    assert standing(node) == ("1.0", "1.0")


def test_hops_install_one_release_after_the_other_and_commit_nothing_unasked(node: TinyNode) -> None:
    node.hotdash("upgrade", NAME, "3.0", "--hops", code=2)  # there is no terminal to confirm on
    done = node.hotdash("upgrade", NAME, "3.0", "--hops", "--yes")
    printed = done.stdout
    assert "No appup leads from 1.0 to 3.0 directly. The steps are 1.0 -> 2.0 -> 3.0." in printed
    plans = [printed.index(f"Step {number} of 2, to {vsn}:") for number, vsn in ((1, "2.0"), (2, "3.0"))]
    assert plans[0] < printed.index("tiny.hello_page") < plans[1] < printed.rindex("tiny.hello_page")
    assert standing(node) == ("3.0", "1.0")
    wrong = node.hotdash("upgrade", NAME, "1.0", "--hops", "--yes", code=2)
    assert "Going from 3.0 to 1.0 is a downgrade" in wrong.stderr
    down = node.hotdash("downgrade", NAME, "1.0", "--hops", "--yes", "--commit", "-o", "json")
    decoder, text, operations = json.JSONDecoder(), down.stdout, []
    while text.strip():
        operation, end = decoder.raw_decode(text.lstrip())
        operations.append((operation["kind"], operation["to_vsn"], operation["outcome"]))
        text = text.lstrip()[end:]
    assert operations == [("commit", "2.0", "committed"), ("commit", "1.0", "committed")]
    assert standing(node) == ("1.0", "1.0")


def test_the_first_hop_that_fails_is_the_last_and_says_where_the_node_stands(node: TinyNode) -> None:
    done = node.hotdash("upgrade", NAME, "4.0", "--hops", "--yes", "--commit", code=6)
    assert done.stderr.splitlines()[-1].endswith(
        f"Step 3 of 3, to 4.0, was the last step: {NAME} runs 3.0, and 3.0 is permanent."
    )
    assert standing(node) == ("3.0", "3.0")
    node.hotdash("downgrade", NAME, "1.0", "--hops", "--yes", "--commit")
    refused = node.hotdash("upgrade", NAME, "4.0", "--hops", "--yes", "--commit", code=6)
    assert "Pass --again to install it again" in refused.stderr
    assert f"Step 3 of 3, to 4.0, was the last step: {NAME} runs 3.0, and 3.0 is permanent." in refused.stderr
