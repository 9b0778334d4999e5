"""The parent's part for one worker: what it does if the process can't be started, or says what makes no sense."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from node_runtime.cli.launcher.installed_release import InstalledRelease
from node_runtime.cli.launcher.worker import WorkerProcess


class Release(InstalledRelease):
    """A release whose program is a line of the shell, which finds the pipe to the parent as `$2`."""

    def __init__(self, program: str, shell: str = "/bin/sh") -> None:
        self.vsn = "1.0"
        self.line = (shell, "-c", program)

    def launcher_version(self) -> int:
        return 9

    def command(self, module: str, *arguments: str) -> list[str]:
        return [*self.line, *arguments[1:]]


def worker(lock: Path) -> WorkerProcess:
    return WorkerProcess(2, lock, lambda: None, lambda sender, receiver, text: None)


def test_a_process_that_cannot_be_started_leaves_no_descriptor_open(tmp_path: Path) -> None:
    second = worker(tmp_path / "node.lock")
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match="no shell"):
        second.run_node(Release("", shell=str(tmp_path / "no shell")))
    assert {*os.listdir("/proc/self/fd")} <= {*before}  # a collection may close what earlier tests have left open


@pytest.mark.parametrize("report", ["heart soon", "mail all hello", "mail", "\\377"])
def test_a_report_that_makes_no_sense_is_logged_and_the_next_one_is_handled(
    report: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    second = worker(tmp_path / "node.lock")
    second.run_node(Release(f"printf '{report}\\nstopped in order\\n' > /dev/fd/$2"))
    assert (second.ending, second.error) == ("stopped", "in order")
    assert ("can't be read" in capfd.readouterr().err) == (report != "\\377")
