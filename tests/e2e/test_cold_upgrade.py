"""Cold upgrades on real nodes: on probation after a restart, with the permanent release to fall back to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.support.nodes.tiny_node import NAME, TinyNode, install, is_gone, stopped_afterwards, tarball_of, tarballs
from tests.support.projects.tiny_project import FILES, appup_both_ways
from tests.support.waiting import until

__all__ = ["tarballs"]

OTHER_REQUIREMENTS = f"""
name = "tiny"
vsn = "{{vsn}}"
apps = ["tiny"]
requirements = ["iniconfig=={version("iniconfig")}"]
"""
SERVER = FILES["apps/tiny/src/tiny/server.py"]
ANOTHER_LIBRARY: dict[str, str | None] = {
    "apps/tiny/appup.toml": appup_both_ways('{ load_module = "tiny.server" }'),
    "release.toml": OTHER_REQUIREMENTS,
    "apps/tiny/src/tiny/server.py": SERVER.replace("return 0", "import iniconfig; return iniconfig.__name__"),
}
DOES_NOT_START: dict[str, str | None] = {
    "apps/tiny/src/tiny/server.py": SERVER.replace("return 0", "raise RuntimeError('this release fails')")
}
NEVER_STARTS: dict[str, str | None] = {
    "apps/tiny/src/tiny/server.py": SERVER.replace("def init", "async def init").replace(
        "return 0", "import asyncio; await asyncio.Event().wait()"
    )
}


@pytest.fixture(scope="module")
def other_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tarball of 2.0."""
    return tarball_of(tmp_path_factory.mktemp("cold"), "2.0", ANOTHER_LIBRARY)


@pytest.fixture
def node(tarballs: dict[str, Path], other_library: Path, tmp_path: Path) -> Iterator[TinyNode]:
    """1.0 runs; 2.0 is unpacked."""
    with stopped_afterwards(install(tarballs["1.0"], tmp_path / "tiny")) as made:
        made.tiny("start")
        made.operate("stage", other_library)
        yield made


@pytest.fixture
def node_with_all(node: TinyNode, tmp_path: Path) -> TinyNode:
    """All releases are unpacked."""
    for vsn, files in (("3.0", DOES_NOT_START), ("4.0", NEVER_STARTS)):
        node.operate("stage", tarball_of(tmp_path, vsn, files))
    return node


def releases(node: TinyNode) -> tuple[str, str]:
    """The release that runs, and the one that is permanent."""
    record = json.loads((node.directory / "releases/record.json").read_text())
    return node.parent["vsn"], record["permanent"]


def newest(node: TinyNode) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(node.hotdash("results", NAME, "-o", "json").stdout)
    return found


def failed(node: TinyNode, vsn: str) -> str | None:
    listed = json.loads(node.hotdash("releases", NAME, "-o", "json").stdout)
    found: str | None = next(one["failed"] for one in listed if one["vsn"] == vsn)
    return found


def kill_and_wait(node: TinyNode, pid: int, vsn: str) -> None:
    """Kill the node, and wait until its parent has booted `vsn`."""
    os.kill(pid, signal.SIGKILL)
    until(
        lambda: node.parent["phase"] == "running" and node.parent["vsn"] == vsn and node.parent["node_pid"] != pid,
        f"a boot of {vsn}",
    )


def test_a_release_with_other_libraries_is_on_probation_after_a_restart(node: TinyNode) -> None:
    plan = json.loads(node.hotdash("plan", NAME, "2.0", "-o", "json", code=1).stdout)
    command = f"hotdash upgrade {NAME} 2.0 --cold"
    remedies = [one["remedy"] for one in plan["blockers"]]
    assert any(f"'{command}'" in remedy and "states of all processes" in remedy for remedy in remedies)

    first = node.pid()
    done = json.loads(node.hotdash(*command.split()[1:], "--yes", "-o", "json").stdout)
    assert (done["outcome"], done["direction"], done["to_vsn"]) == ("installed", "cold", "2.0")
    assert done["probation_until"] is not None
    second = node.pid()
    assert second not in (first, None)
    assert releases(node) == ("2.0", "1.0")
    assert "iniconfig" in node.hotdash("state", NAME, "tiny_server").stdout

    assert second is not None
    kill_and_wait(node, second, "1.0")
    assert (newest(node)["id"], newest(node)["outcome"]) == (done["id"], "restarted")
    assert failed(node, "2.0") is None  # the kill came from outside


@pytest.mark.slow  # two more restarts; after an upgrade without one, the same functions roll back and commit
def test_a_cold_upgrade_is_rolled_back_or_committed(node: TinyNode) -> None:
    node.tiny("upgrade", "--yes", "2.0", "--cold")
    assert releases(node) == ("2.0", "1.0")
    assert json.loads(node.hotdash("rollback", NAME, "--yes", "-o", "json").stdout)["outcome"] == "reverted"
    assert releases(node) == ("1.0", "1.0")

    node.tiny("upgrade", "--yes", "2.0", "--cold")
    node.tiny("commit")
    pid = node.pid()
    assert pid is not None
    kill_and_wait(node, pid, "2.0")
    assert releases(node) == ("2.0", "2.0")


@pytest.mark.slow
def test_a_release_that_does_not_start_is_marked_and_the_permanent_one_boots(node_with_all: TinyNode) -> None:
    node = node_with_all
    done = node.hotdash("upgrade", NAME, "3.0", "--cold", "--yes", "-o", "json", code=6)
    assert json.loads(done.stdout)["outcome"] == "restarted"
    assert "this release fails" in json.loads(done.stdout)["error"]
    assert releases(node) == ("1.0", "1.0")
    assert "this release fails" in str(failed(node, "3.0"))
    assert "--again" in node.hotdash("upgrade", NAME, "3.0", "--cold", "--yes", code=1).stderr

    node.tiny("stop")
    assert "--again" in node.tiny("upgrade", "--yes", "3.0", "--cold", code=1).stderr
    assert "did not start" in node.tiny("upgrade", "--yes", "3.0", "--cold", "--again", code=6).stderr
    assert newest(node)["outcome"] == "restarted"
    node.tiny("stop")
    assert node.tiny("upgrade", "--yes", "2.0", "--cold", "--reason", "a new library").stdout.startswith(
        f"{NAME} runs 2.0"
    )
    assert (newest(node)["outcome"], newest(node)["reason"]) == ("installed", "a new library")
    node.tiny("restart")
    assert releases(node) == ("1.0", "1.0")


@pytest.mark.slow
def test_whatever_is_killed_during_a_cold_upgrade_the_permanent_release_boots(node_with_all: TinyNode) -> None:
    node = node_with_all
    for killed in ("node", "parent"):
        line = ("hotdash", "upgrade", NAME, "4.0", "--cold", "--yes")
        upgrade = subprocess.Popen(
            [Path(sys.executable).with_name("hotdash"), *line[1:]],
            env=node.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(lambda: node.parent["vsn"] == "4.0" and node.parent["phase"] == "starting", "the boot of 4.0")
        pid: int = node.parent["node_pid"]
        if killed == "node":
            kill_and_wait(node, pid, "1.0")
            assert upgrade.wait(60) == 6
        else:
            upgrade.kill()
            upgrade.wait()
            os.kill(node.parent["pid"], signal.SIGKILL)
            until(partial(is_gone, pid), "the end of the node")
            assert node.tiny("start").stdout.startswith(f"{NAME} runs 1.0")
        assert newest(node)["outcome"] == "restarted"
        assert releases(node) == ("1.0", "1.0")
