"""`hotdash demo` in a real terminal: it opens the dashboard, obeys keys, and leaves nothing behind."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from hotdash.demo.demo_node import free_port
from tests.support.nodes.fil_node import EXAMPLES, environment
from tests.support.terminal.tmux import Terminal, needs_tmux
from tests.support.waiting import until

pytestmark = needs_tmux


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    env = {**environment(tmp_path), "TERM": "xterm-256color", "TMPDIR": str(scratch)}
    opened = Terminal(env)
    try:
        yield opened
    finally:
        opened.tmux("kill-server")


def demo_command(tmp_path: Path, port: int, *versions: str) -> list[str]:
    """The command of a demo with these versions of fil: the build of each of them takes more than the dashboard."""
    examples = tmp_path / "examples"
    for version in versions:
        shutil.copytree(EXAMPLES / version, examples / version, ignore=shutil.ignore_patterns("_build"))
    return [sys.executable, "-m", "hotdash", "demo", "--examples", str(examples), "--port", str(port)]


def left_over(scratch: Path, port: int) -> list[str]:
    """Remaining files in the folder, and processes that run from it or were started for the port."""
    running = (" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"]))
    files = [path.name for path in scratch.iterdir() if not path.name.startswith("tmux-")]
    ours = (line for line in running if (str(scratch) in line or str(port) in line) and not line.startswith("tmux"))
    return [*files, *ours]


def nothing_is_left(scratch: Path, port: int) -> None:
    """Wait up to half a minute until nothing is left."""
    until(lambda: not left_over(scratch, port), "the end of all", shown=lambda: left_over(scratch, port))


def demo_process(port: int) -> psutil.Process:
    """The `hotdash demo` process for this port."""
    return next(
        process
        for process in psutil.process_iter(["cmdline"])
        if (process.info["cmdline"] or [])[1:4] == ["-m", "hotdash", "demo"] and str(port) in process.cmdline()
    )


def test_the_demo_opens_the_dashboard_and_leaves_nothing(terminal: Terminal, tmp_path: Path) -> None:
    port = free_port()
    terminal.start(*demo_command(tmp_path, port, "1986.a", "1986.b"))
    terminal.until(lambda text: "fil_color_fsm" in text and "READ-ONLY" in text, "the dashboard")
    assert f"http://127.0.0.1:{port}" in terminal.screen()
    terminal.press("5")
    terminal.until(lambda text: "1986.b" in text and "unpacked" in text, "the staged releases")
    terminal.press("C-q")
    terminal.until(lambda text: terminal.ended(), "the end")
    assert left_over(tmp_path / "scratch", port) == []


@pytest.mark.slow
def test_a_demo_whose_terminal_is_closed_leaves_nothing(terminal: Terminal, tmp_path: Path) -> None:
    port = free_port()
    terminal.start(*demo_command(tmp_path, port, "1986.a"))
    terminal.until(lambda text: "fil_color_fsm" in text, "the dashboard")
    terminal.tmux("kill-server")
    nothing_is_left(tmp_path / "scratch", port)


@pytest.mark.slow
def test_a_demo_ends_with_its_terminal_even_if_the_hangup_is_not_passed_on(terminal: Terminal, tmp_path: Path) -> None:
    """The kernel signals the first process of the terminal, which may stay and wait for its children, as make does."""
    port = free_port()
    command = shlex.join(demo_command(tmp_path, port, "1986.a"))
    terminal.start("sh", "-c", f"trap : HUP; {command}; true")
    terminal.until(lambda text: "fil_color_fsm" in text, "the dashboard")
    terminal.tmux("kill-server")
    nothing_is_left(tmp_path / "scratch", port)


@pytest.mark.slow
def test_a_terminated_demo_restores_the_terminal(terminal: Terminal, tmp_path: Path) -> None:
    port = free_port()
    terminal.start(*demo_command(tmp_path, port, "1986.a"))
    terminal.until(lambda text: "fil_color_fsm" in text, "the dashboard")
    demo_process(port).terminate()
    terminal.until(lambda text: terminal.ended(), "the end")
    assert "The demonstration was stopped; its node and its folders were removed." in terminal.screen()
    assert terminal.tmux("list-panes", "-F", "#{alternate_on}").strip() == "0"
    assert left_over(tmp_path / "scratch", port) == []
