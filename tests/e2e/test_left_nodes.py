"""No node outlives the session of the tests that has started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.nodes.left_nodes import RUN_DIRECTORY, start_killer


def waiting_process(run_directory: Path) -> subprocess.Popen[bytes]:
    line = [sys.executable, "-I", "-S", "-c", "import signal; signal.pause()"]
    return subprocess.Popen(line, env={**os.environ, RUN_DIRECTORY: str(run_directory)}, start_new_session=True)


def test_what_a_session_has_left_running_is_killed_at_its_end_and_nothing_else(tmp_path: Path) -> None:
    own, of_another = tmp_path / "session", tmp_path / "session-of-another"
    with waiting_process(own / "test" / "run") as left, waiting_process(of_another / "run") as other:
        with start_killer(own):
            assert left.poll() is None
        assert left.wait(60) == -signal.SIGKILL
        assert other.poll() is None
        other.kill()


def test_a_folder_outside_of_those_of_pytest_is_deleted_with_its_node(tmp_path: Path) -> None:
    folder = tmp_path / "attacked"
    (folder / "home").mkdir(parents=True)
    with waiting_process(folder / "home/run") as left:
        with start_killer(folder, delete=True):
            assert left.poll() is None
        assert left.wait(60) == -signal.SIGKILL
    assert not folder.exists()
