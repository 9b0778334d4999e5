"""The contract between launchers and releases: bin/ may be older or newer than the release that it starts."""

from __future__ import annotations

import ast
import asyncio
import hashlib
import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from node_runtime.cli import enter
from node_runtime.cli.heartbeat import Ending, Heartbeat
from tests.support.nodes.built_once import own_file
from tests.support.nodes.fil_node import command
from tests.support.nodes.tiny_node import NAME, TinyNode, node, rewrite_manifest, running, tarballs
from tests.support.sources import ROOT, tree
from tests.support.waiting import begun, until

__all__ = ["node", "running", "tarballs"]

STARTED = ("node_runtime.cli.node", "node_runtime.cli.local", "hotdash.cli")
NODE_OPTIONS = ("--because", "Release 2.0 is damaged.", "--after", "The node failed", "--during", "switch", "--blame")
PARENT_KEYS = {
    "directory", "pid", "node_pid", "vsn", "phase", "boots", "error", "run_directory", "listens", "began", "workers",
}  # fmt: skip


@pytest.mark.parametrize("module", STARTED)
def test_each_module_that_a_launcher_starts_has_a_main(module: str) -> None:
    assert callable(importlib.import_module(module).main)


def test_the_launcher_starts_these_modules_and_no_others() -> None:
    started = {
        part.value
        for path in ("node_runtime/cli/launcher/verbs.py", "node_runtime/cli/launcher/worker.py")
        for part in ast.walk(tree(path))
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value.partition(".")[2]
        if part.value.startswith(("node_runtime.", "hotdash."))
    }
    assert started == set(STARTED)


def test_a_launcher_finds_enter_by_its_path() -> None:
    assert Path(enter.__file__) == ROOT / "node_runtime/cli/enter.py"


def test_the_node_accepts_the_options_of_a_launcher_and_tells_it_by_the_pipe_why_it_failed(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    program = "import sys; from node_runtime.cli import node; node.main(sys.argv[1:])"
    command_line = (sys.executable, "-c", program, tmp_path, "1.0", "--heart", str(writer), *NODE_OPTIONS)
    ended = subprocess.run(command_line, pass_fds=(writer,), capture_output=True, timeout=60, check=False)
    os.close(writer)
    with open(reader, encoding="utf-8") as pipe:
        assert pipe.read().startswith("failed "), ended.stderr
    assert ended.returncode == 1


def test_the_node_reads_from_a_pipe_why_it_boots(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    with open(writer, "w") as pipe:
        json.dump({"because": "", "after": "The node failed", "during": "switch", "blame": True}, pipe)
    program = "import sys; from node_runtime.cli import node; node.main(sys.argv[1:])"
    command_line = (sys.executable, "-c", program, tmp_path, "1.0", "--reasons", str(reader))
    ended = subprocess.run(command_line, pass_fds=(reader,), capture_output=True, text=True, timeout=60, check=False)
    os.close(reader)
    assert "node.toml can't be read" in ended.stderr


def test_the_words_of_the_pipe(tmp_path: Path) -> None:
    async def beats_and_ends(descriptor: int) -> None:
        heart = Heartbeat(descriptor, lambda: None)
        beating = asyncio.create_task(heart.beat(5))
        await begun(beating)
        heart.listens(["http://127.0.0.1:80", "unix:/" + "x" * 200], "127.0.0.1:4000")
        heart.ready(tmp_path)
        heart.phase("switch")
        beating.cancel()
        heart.end("failed", "Port 80 is taken.")

    reader, writer = os.pipe()
    asyncio.run(beats_and_ends(writer))
    with open(reader, encoding="utf-8") as pipe:
        assert pipe.read().splitlines() == [
            "heart 5",
            "beat",
            'listens {"addresses": ["http://127.0.0.1:80"], "control": "127.0.0.1:4000"}',
            f"ready {tmp_path}",
            "phase switch",
            "failed Port 80 is taken.",
        ]


@pytest.mark.parametrize("ending", ["stopped", "restart"])
def test_the_words_of_an_end_in_order(ending: Ending) -> None:
    reader, writer = os.pipe()
    Heartbeat(writer, lambda: None).end(ending)
    with open(reader, encoding="utf-8") as pipe:
        assert pipe.read().split() == [ending]


def test_the_keys_of_the_status_file_and_the_local_verbs_of_a_running_node(running: TinyNode) -> None:
    assert running.parent.keys() == PARENT_KEYS
    assert running.parent["phase"] == "running"
    enter_file = next(running.directory.glob("lib/**/node_runtime/cli/enter.py"))
    local = (sys.executable, "-I", "-S", "-B", enter_file, running.directory, "1.0", "node_runtime.cli.local")
    assert command(*local, "ping", running.directory, NAME, env=running.environment).stdout == "pong\n"
    assert ":operator:" in command(*local, "cookie", running.directory, NAME, env=running.environment).stdout


def test_the_reasons_of_a_boot_are_no_arguments(running: TinyNode) -> None:
    booted_again = killed(running)
    assert "--reasons" in booted_again
    assert not {"--after", "--during", "--because", "--blame"} & set(booted_again)


def test_the_node_of_a_release_before_the_pipe_gets_them_as_arguments(node: TinyNode) -> None:
    with_older_launcher(node)
    node.tiny("start")
    booted_again = killed(node)
    assert "--reasons" not in booted_again
    assert booted_again[booted_again.index("--after") + 1] == "The node was ended by signal 9"


def killed(node: TinyNode) -> list[str]:
    """Kill the node; return the arguments with which its parent boots it again."""
    os.kill(node.pid() or 0, signal.SIGKILL)
    until(lambda: node.parent["boots"] == 2 and node.parent["phase"] == "running", "the second boot")
    return psutil.Process(node.pid()).cmdline()


def with_older_launcher(node: TinyNode) -> None:
    """Make the release one of the time before launchers had a version."""
    first = own_file(next(node.directory.glob("lib/*/node_runtime/cli/launcher/__init__.py")))
    first.write_text('"""The launcher."""\n')
    path = node.directory / "releases/1.0/manifest.json"
    manifest = json.loads(path.read_text())
    listed = manifest["files"][str(first.relative_to(node.directory))]
    listed["sha256"] = hashlib.sha256(first.read_bytes()).hexdigest()
    manifest["files"] = {name: entry for name, entry in manifest["files"].items() if not name.startswith("bin/")}
    rewrite_manifest(node, manifest)
