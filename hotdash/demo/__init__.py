"""`hotdash demo`: fil built, booted and upgraded in private folders, as a dashboard or as a played story."""

from __future__ import annotations

import sys
from pathlib import Path

from hotdash import terminal

from .demo_node import Stage
from .walkthrough import play_story


def run_demo(examples: Path | None, port: int | None, *, play: bool) -> None:
    """Open the dashboard on a private fil; without a usable terminal, or with `play`, tell the story as text."""
    if play or not terminal.usable():
        with Stage(examples, port if port is not None else 0) as stage:
            play_story(stage)
    else:
        with Stage(examples, port) as stage:
            terminal.end_with_it()
            code = _open_dashboard(stage)
        sys.exit(code)


def _open_dashboard(stage: Stage) -> int:
    first, *others = stage.projects
    print(f"Building {', '.join(project.vsn for project in stage.projects)} …")
    for project in stage.projects:
        stage.must("node-runtime", "build", project.folder, "--output", ".")
    stage.must("node-runtime", "install", first.tarball, stage.node_folder)
    stage.write_overrides()
    stage.must(stage.script, "start")
    for project in others:
        stage.must("hotdash", "stage", stage.node, project.tarball)
    return stage.show(sys.executable, "-m", "hotdash", "connect", stage.node, "--page", stage.url)
