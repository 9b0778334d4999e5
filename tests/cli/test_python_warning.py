"""A build and a node say that their Python has known faults, and go on."""

from __future__ import annotations

from pathlib import Path

from node_runtime.releases.files.python_floor import python_warning
from tests.support.nodes.fil_node import command, environment
from tests.support.nodes.tiny_node import TinyNode, node, running, tarballs
from tests.support.projects.tiny_project import write_project
from tests.support.waiting import until

__all__ = ["node", "running", "tarballs"]

WARNING = python_warning()


def test_the_first_build_of_a_project_warns_of_a_python_with_known_faults(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project")
    for warnings in (f"Warning: {WARNING}\n" if WARNING else "", ""):
        built = command("node-runtime", "build", project, env=environment(tmp_path))
        assert built.stdout.endswith("tiny-1.0.tar.gz\n")
        assert built.stderr == warnings


def test_a_node_warns_of_a_python_with_known_faults(running: TinyNode) -> None:
    until(lambda: (WARNING or "runs 1.0") in running.log, "the node has said that it runs")
    assert ("has known faults" in running.log) == bool(WARNING)
