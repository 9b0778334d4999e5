"""`hotdash demo`: runs the example fil in private folders, with a dashboard or as a printed walkthrough."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hotdash import terminal

from .demo_node import DemoFolder
from .walkthrough import play_walkthrough


def run_demo(examples: Path | None, port: int | None, *, play: bool) -> None:
    """Open the dashboard on a private node; without a usable terminal, or with `play`, print the walkthrough."""
    if play or not terminal.usable():
        with DemoFolder(examples, port if port is not None else 0) as demo:
            play_walkthrough(demo)
    else:
        with DemoFolder(examples, port) as demo:
            terminal.exit_with_terminal()
            code = _open_dashboard(demo)
        sys.exit(code)


def _open_dashboard(demo: DemoFolder) -> int:
    first, *others = demo.projects
    print(f"Building {', '.join(project.vsn for project in demo.projects)} …")
    with ThreadPoolExecutor() as pool:  # each build is a process of its own
        builds = [
            pool.submit(demo.run_checked, "node-runtime", "build", project.folder, "--output", ".")
            for project in demo.projects
        ]
        builds[0].result()
        demo.run_checked("node-runtime", "install", first.tarball, demo.node_folder)
        demo.write_overrides()
        demo.run_checked(demo.script, "start")
        for project, built in zip(others, builds[1:], strict=True):
            built.result()
            demo.run_checked("hotdash", "stage", demo.node, project.tarball)
    return demo.show(sys.executable, "-m", "hotdash", "connect", demo.node, "--page", demo.url)
