"""fil's three versions on real nodes, as visitors and operators see each upgrade and downgrade."""

from __future__ import annotations

import http.client
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.nodes.fil_node import EXAMPLES, FilNode, build, install, running

TRAP = "fil_color_fsm is in state lime, which release 1986.b does not define"


@pytest.fixture
def node_in_lime(tmp_path: Path) -> Iterator[FilNode]:
    """A node whose machine starts in lime and stays there: its first step is due in an hour."""
    project = shutil.copytree(EXAMPLES / "1986.a", tmp_path / "project")
    machine = project / "apps" / "fil" / "src" / "fil" / "color_fsm.py"
    machine.write_text(machine.read_text().replace('return "olive", Data()', 'return "lime", Data()'))
    with running(install(build(project, tmp_path), tmp_path, cycle_time=3600)) as node:
        yield node


def test_a_connection_stays_open_from_version_to_version_and_back(
    fil_node: FilNode, fil_tarballs: dict[str, Path]
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", fil_node.port, timeout=60)
    connection.connect()
    first = connection.sock

    def page() -> str:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()

    for vsn in ("1986.b", "1986.c"):
        fil_node.operate("stage", fil_tarballs[vsn])
    assert "Hello #1" in page()
    for verb, vsn, hello in (
        ("upgrade", "1986.b", "Hello #2"),
        ("upgrade", "1986.c", "Hello #3"),
        ("downgrade", "1986.b", "Hello #2"),
        ("downgrade", "1986.a", "Hello #1"),
    ):
        fil_node.fil(verb, vsn, "--wait", 30, "--yes")
        assert hello in page()
    assert connection.sock is first
    connection.close()


@pytest.mark.slow  # install/test_installation.py has such a machine
def test_load_module_is_refused_while_the_machine_is_in_a_state_that_the_target_lacks(
    node_in_lime: FilNode, fil_tarballs: dict[str, Path]
) -> None:
    node_in_lime.operate("stage", fil_tarballs["1986.b"])
    before = machine(node_in_lime)
    assert TRAP in node_in_lime.operate("plan", "1986.b", code=1).stdout
    assert TRAP in node_in_lime.operate("upgrade", "--yes", "1986.b", code=1).stderr
    waited = node_in_lime.operate("upgrade", "--yes", "1986.b", "--wait", 0.5, "-o", "json", code=1)
    assert TRAP in json.loads(waited.stdout)["error"]
    assert waited.stderr == "Nothing was changed.\n"
    assert machine(node_in_lime) == before
    assert "Hello #1" in node_in_lime.page()
    assert node_in_lime.color() == "lime"


@pytest.mark.slow  # install/test_installation.py migrates such a machine
def test_code_change_takes_the_machine_from_lime_to_orange_and_back_and_counts_from_zero(
    node_in_lime: FilNode, fil_tarballs: dict[str, Path]
) -> None:
    node_in_lime.operate("stage", fil_tarballs["1986.c"])
    pid = machine(node_in_lime)["process"]["pid"]
    node_in_lime.operate("upgrade", "--yes", "1986.c")
    assert node_in_lime.color() == "orange"
    up = result(node_in_lime)
    assert (leaves(up["before"]), leaves(up["after"])) == (["'lime'", "{}"], ["'orange'", "0"])
    node_in_lime.operate("downgrade", "--yes", "1986.a")
    assert node_in_lime.color() == "lime"
    down = result(node_in_lime)
    assert (leaves(down["before"]), leaves(down["after"])) == (["'orange'", "0"], ["'lime'", "{}"])
    assert up["pid"] == down["pid"] == machine(node_in_lime)["process"]["pid"] == pid


def machine(node: FilNode) -> dict[str, Any]:
    """The node's data on the state machine, without times."""
    told: dict[str, Any] = json.loads(node.hotdash("state", node.name, "fil_color_fsm", "-o", "json").stdout)
    return {key: value for key, value in told.items() if key != "at"}


def result(node: FilNode) -> dict[str, Any]:
    """The newest operation's result for the state machine."""
    operation = json.loads(node.hotdash("results", node.name, "-o", "json").stdout)
    [told] = [one for one in operation["results"] if one["name"] == "fil_color_fsm"]
    assert told["outcome"] == "ok"
    return dict(told)


def leaves(term: dict[str, Any]) -> list[str]:
    """The plain values in a described value, in order."""
    if term["items"]:
        return [leaf for _, part in term["items"] for leaf in leaves(part)]
    return [term["text"]] if term["text"] else []
