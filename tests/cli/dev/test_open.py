"""`node-runtime dev --open` in a real terminal: the dashboard shows the node, and its end ends the node."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from node_runtime.cli import main
from tests.support.nodes.developed_node import NODE, SERVER
from tests.support.nodes.fil_node import environment
from tests.support.terminal.tmux import Terminal, needs_tmux

pytestmark = [needs_tmux, pytest.mark.slow]


def test_the_dashboard_shows_each_save_and_its_end_ends_the_node(tmp_path: Path) -> None:
    folder, run_directory = tmp_path / "ice_cream", tmp_path / "run"
    run_directory.mkdir(mode=0o700)
    main(["new", str(folder)])
    own = {"NODE_RUNTIME_RUN_DIR": str(run_directory), "TMPDIR": str(run_directory), "TERM": "xterm-256color"}
    terminal = Terminal(environment(tmp_path) | own)
    line = "import sys; from node_runtime.cli import main; main(sys.argv[1:])"
    try:
        terminal.start(sys.executable, "-c", line, "dev", str(folder), "--open", columns=130)
        terminal.until(lambda screen: NODE in screen and "DEVELOPMENT" in screen, "the dashboard", within=120)
        server = folder / SERVER
        server.write_text(server.read_text().replace("count += 1", "count += 2"))
        terminal.until(lambda screen: "0.1.0+dev.1" in screen, "the upgrade", within=120)
        terminal.press("C-q")
        terminal.until(lambda screen: terminal.ended(), "the end", within=120)
        log = next(run_directory.glob("node-runtime-dev-*.log"))
        assert f"The log is in {log}." in terminal.text().replace("\n", "")
    finally:
        terminal.tmux("kill-server")
    said = log.read_text()
    assert "dev: 0.1.0+dev.1 after " in said
    assert said.endswith("dev: The node is stopped.\n")
    assert [path for path in run_directory.iterdir() if path.is_dir() and "tmux" not in path.name] == []
