"""Errors at the command line: one sentence, the documented exit code, and no change to the node."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from hotdash.demo.demo_node import free_port
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.run_directory import locate
from tests.support.nodes.fil_node import EXAMPLES, FilNode, build, command, install, running


@pytest.fixture(scope="module")
def node(fil_tarballs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> object:
    """One node for all refusals, none of which may change it."""
    with running(install(fil_tarballs["1986.a"], tmp_path_factory.mktemp("node"))) as started:
        yield started


def picture(node: FilNode) -> dict[str, object]:
    """Everything that a refusal must leave unchanged."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NODE_RUNTIME_RUN_DIR", str(node.run_directory))
        snapshot, operations = asyncio.run(asked(node.name))
    files = sorted(str(path.relative_to(node.directory)) for path in (node.directory / "lib").rglob("*"))
    staging = sorted(str(path) for path in (node.directory / "var" / "staging").rglob("*"))
    return {
        "boot": snapshot.info.boot_id,
        "vsn": snapshot.info.vsn,
        "generation": snapshot.info.generation,
        "releases": snapshot.releases,
        "operations": operations,
        "processes": [(one.pid, one.name, one.vsn) for one in snapshot.processes if one.application == "fil"],
        "files": files,
        "staging": staging,
    }


async def asked(name: str) -> tuple[m.Snapshot, m.OperationList]:
    """The node's own picture of itself, without the start of a command for each part of it."""
    async with Client.connect(locate(name), user="test", client_name="test") as client:
        return await client.request(methods.SNAPSHOT), await client.request(methods.OPERATIONS, m.ListLimit())


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Check for one sentence with these words on stderr, and nothing on stdout.

    On a busy machine, an upload may take so long that lines before the sentence say how far it is.
    """
    lines = [line for line in done.stderr.strip().splitlines() if not line.startswith("Uploaded ")]
    assert len(lines) == 1, done.stderr
    (sentence,) = lines
    assert "Traceback" not in sentence
    assert sentence.endswith(".")
    for word in words:
        assert word in sentence
    assert done.stdout == ""


def test_an_unknown_node_is_exit_code_3(node: FilNode) -> None:
    before = picture(node)
    refused(node.hotdash("status", "file@127.0.0.1", code=3), "file@127.0.0.1", node.name)
    assert picture(node) == before


def test_an_unknown_version_is_exit_code_1(node: FilNode) -> None:
    before = picture(node)
    refused(node.hotdash("upgrade", node.name, "1987.x", "--yes", code=1), "1987.x")
    refused(node.hotdash("plan", node.name, "1987.x", code=1), "1987.x")
    refused(node.fil("upgrade", "--yes", "1987.x", code=1), "1987.x")
    refused(node.hotdash("remove", node.name, "1987.x", code=1), "1987.x")
    assert picture(node) == before


@pytest.mark.parametrize("damage", ["flipped", "cut"])
def test_a_corrupt_tarball_is_exit_code_1(
    node: FilNode, fil_tarballs: dict[str, Path], tmp_path: Path, damage: str
) -> None:
    before = picture(node)
    broken = tmp_path / "fil-1986.b.tar.gz"
    good = bytearray(fil_tarballs["1986.b"].read_bytes())
    if damage == "flipped":
        good[len(good) // 2] ^= 0x10
        broken.write_bytes(good)
    else:
        broken.write_bytes(good[: len(good) * 2 // 3])
    refused(node.hotdash("stage", node.name, broken, code=1), "fil-1986.b.tar.gz", "corrupt")
    refused(node.hotdash("stage", node.name, tmp_path / "no-such.tar.gz", code=1), "no-such.tar.gz")
    assert picture(node) == before


def test_a_wrong_cookie_is_exit_code_4(node: FilNode, fil_tarballs: dict[str, Path], tmp_path: Path) -> None:
    before = picture(node)
    other = install(fil_tarballs["1986.a"], tmp_path / "other")
    other.fil("cookie")
    foreign = other.directory / "etc" / "cookies" / "operator"
    refused(node.hotdash("status", node.name, "--cookie-file", foreign, code=4), node.name)
    guessable = tmp_path / "cookie"
    guessable.write_text("fil123\n")
    guessable.chmod(0o600)
    refused(node.hotdash("status", node.name, "--cookie-file", guessable, code=4), "cookie")
    assert picture(node) == before


def test_a_viewer_may_read_but_not_change(node: FilNode, fil_tarballs: dict[str, Path]) -> None:
    before = picture(node)
    viewer = node.directory / "etc" / "cookies" / "viewer"
    node.hotdash("status", node.name, "--cookie-file", viewer)
    refused(node.hotdash("commit", node.name, "--cookie-file", viewer, code=4))
    refused(node.hotdash("stage", node.name, fil_tarballs["1986.b"], "--cookie-file", viewer, code=4))
    refused(node.hotdash("kill", node.name, "fil_color_fsm", "--yes", "--cookie-file", viewer, code=4))
    assert picture(node) == before


def test_a_question_without_a_terminal_is_exit_code_2(node: FilNode) -> None:
    before = picture(node)
    refused(node.hotdash("rollback", node.name, code=2), "--yes")
    refused(node.hotdash("connect", node.name, code=2), "terminal")
    assert node.hotdash("upgrade", node.name, code=2).stderr
    assert picture(node) == before


def test_a_busy_name_is_exit_code_1(node: FilNode, fil_tarballs: dict[str, Path], tmp_path: Path) -> None:
    before = picture(node)
    twin = install(fil_tarballs["1986.a"], tmp_path)
    done = command(
        twin.directory / "bin" / "fil",
        "start",
        env=twin.environment | {"NODE_RUNTIME_RUN_DIR": str(node.run_directory)},
        code=1,
    )
    assert node.name in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert picture(node) == before


def test_a_busy_port_is_exit_code_1(node: FilNode, fil_tarballs: dict[str, Path], tmp_path: Path) -> None:
    done = install(fil_tarballs["1986.a"], tmp_path, port=node.port).fil("start", code=1)
    assert str(node.port) in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow  # tests/cli/test_launcher.py has each verb of a node that is down
def test_a_node_that_is_down_is_exit_code_3(fil_tarballs: dict[str, Path], tmp_path: Path) -> None:
    node = install(fil_tarballs["1986.a"], tmp_path, port=free_port())
    with running(node):
        node.fil("ping")
        node.fil("stop")
        for verb in ("ping", "pid", "status"):
            assert node.fil(verb, code=3).stderr.strip()
        refused(node.hotdash("status", node.name, code=3), node.name)
        refused(node.hotdash("upgrade", node.name, "1986.b", "--yes", code=3), node.name)


def test_an_upgrade_to_the_current_release_has_nothing_to_do(node: FilNode) -> None:
    before = picture(node)
    assert "nothing to do" in node.hotdash("upgrade", node.name, "1986.a", "--yes").stdout.lower()
    assert "nothing to do" in node.hotdash("plan", node.name, "1986.a", "--detailed-exitcode").stdout.lower()
    assert picture(node) == before


def test_a_silent_node_is_exit_code_3_and_not_a_wrong_cookie(node: FilNode) -> None:
    pid = int(node.fil("pid").stdout)
    os.kill(pid, signal.SIGSTOP)
    try:
        done = node.hotdash("status", node.name, code=3)
    finally:
        os.kill(pid, signal.SIGCONT)
    refused(done, f"has not answered 'hello' for 10 s; its process {pid} is alive.")
    node.fil("ping")


def test_nothing_to_do_is_the_plan_where_json_is_asked_for(node: FilNode) -> None:
    plan = json.loads(node.hotdash("upgrade", node.name, "1986.a", "--yes", "-o", "json").stdout)
    assert (plan["to_vsn"], plan["nothing_to_do"]) == ("1986.a", True)


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1"])
def test_an_infinite_wait_is_a_usage_error(node: FilNode, seconds: str) -> None:
    done = node.hotdash("upgrade", node.name, "1986.b", "--yes", "--wait", seconds, code=2)
    assert "--wait" in done.stderr
    assert done.stdout == ""


def test_a_full_disk_is_one_sentence(node: FilNode) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            ["hotdash", "status", node.name],
            env=node.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "hotdash failed: No space left on device.\n"


def test_control_characters_of_a_tarballs_name_do_not_reach_the_terminal(node: FilNode, tmp_path: Path) -> None:
    refused(node.hotdash("stage", node.name, tmp_path / "\x1b[31mred.tar.gz", code=1), r"\x1b[31mred")


def test_an_upgrade_that_is_interrupted_names_the_operation_that_goes_on(
    fil_tarballs: dict[str, Path], tmp_path: Path
) -> None:
    without_olive = tmp_path / "1986.b"
    shutil.copytree(EXAMPLES / "1986.b", without_olive)
    machine = without_olive / "apps/fil/src/fil/color_fsm.py"
    machine.write_text(machine.read_text().replace("olive", "teal"))
    with running(install(fil_tarballs["1986.a"], tmp_path, cycle_time=600)) as slow:
        slow.hotdash("stage", slow.name, build(without_olive, tmp_path))
        with subprocess.Popen(
            ["hotdash", "upgrade", slow.name, "1986.b", "--yes", "--wait", "300"],
            env=slow.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as watched:
            try:
                assert watched.stdout is not None
                assert watched.stdout.readline()  # the first phase: the operation has started
                watched.send_signal(signal.SIGINT)
                _, said = watched.communicate(timeout=60)
            finally:
                watched.kill()
        assert watched.returncode == 5
        (operation,) = json.loads(slow.hotdash("results", slow.name, "--all", "-o", "json").stdout)
        assert f"'hotdash results {slow.name} {operation['id']}'" in said


def test_killing_a_process_says_which_one_as_json(node: FilNode) -> None:
    done = node.hotdash("kill", node.name, "fil_color_fsm", "--yes", "-o", "json")
    assert json.loads(done.stdout)["name"] == "fil_color_fsm"
