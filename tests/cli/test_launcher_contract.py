"""The contract with older launchers: only the first release writes bin/, and it starts all later releases."""

from __future__ import annotations

import ast
import asyncio
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from node_runtime.cli import enter
from node_runtime.cli.heartbeat import Ending, Heartbeat
from tests.support.nodes.fil_node import command
from tests.support.nodes.tiny_node import NAME, TinyNode, node, running, tarballs
from tests.support.sources import ROOT, tree

__all__ = ["node", "running", "tarballs"]

STARTED = ("node_runtime.cli.node", "node_runtime.cli.local", "hotdash.cli")
NODE_OPTIONS = ("--because", "Release 2.0 is damaged.", "--after", "The node failed", "--during", "switch", "--blame")
PARENT_KEYS = {"directory", "pid", "node_pid", "vsn", "phase", "boots", "error", "run_directory"}


@pytest.mark.parametrize("module", STARTED)
def test_each_module_that_a_launcher_starts_has_a_main(module: str) -> None:
    assert callable(importlib.import_module(module).main)


def test_the_launcher_starts_these_modules_and_no_others() -> None:
    started = {
        part.value
        for path in ("node_runtime/cli/launcher/verbs.py", "node_runtime/cli/launcher/parent.py")
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


def test_the_words_of_the_pipe(tmp_path: Path) -> None:
    async def beats_and_ends(descriptor: int) -> None:
        heart = Heartbeat(descriptor, lambda: None)
        beating = asyncio.create_task(heart.beat(5))
        await asyncio.sleep(0)
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
