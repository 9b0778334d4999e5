"""Releases as plain data, for the cases of OTP's systools suites: applications with modules and appups, no files."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from node_runtime.releases.files.appup_instructions import parse_instruction
from node_runtime.releases.files.release_model import AppupEntry, AppView, ReleaseView
from node_runtime.releases.relup.relup_json import instruction_json
from node_runtime.releases.relup.translation import translate

SOFT = ["soft_purge", "soft_purge"]
_fresh = itertools.count()

Steps = Sequence[dict[str, Any]]


def app(name: str, vsn: str, modules: str, up: Any = (), down: Any = (), start: Any = "permanent") -> AppView:
    """An application with distinct modules; a path is a pair of version and instructions."""
    contents = {module: f"{module} {next(_fresh)}" for module in modules.split()}
    ways = [tuple(AppupEntry(vsn, tuple(map(parse_instruction, steps))) for vsn, steps in way) for way in (up, down)]
    return AppView(name, vsn, contents, ways[0], ways[1], start)


def script(direction: Any, steps: Steps, modules: str, others: str = "", *, start: Any = "permanent") -> list[Any]:
    """The relup of the application `test` that has `modules` in the target, and also `others` in the origin."""
    gone, come = f"{modules} {others}", modules
    old, new = (gone, come) if direction == "up" else (come, gone)
    ways = {"up": [("1", steps)]} if direction == "up" else {"down": [("1", steps)]}
    older = ReleaseView("R1", (app("test", "1", old, start=start),))
    newer = ReleaseView("R2", (app("test", "2", new, start=start, **ways),))
    return translated(older, newer, direction)


def translated(older: ReleaseView, newer: ReleaseView, direction: Any) -> list[Any]:
    """The translation as `node-runtime relup --json` prints it."""
    return [instruction_json(step) for step in translate(older, newer, direction)]


def after(whole: list[Any]) -> list[Any]:
    """The instructions after the point of no return."""
    return whole[whole.index(["point_of_no_return"]) + 1 :]


def load(module: str) -> list[Any]:
    return ["load", module, *SOFT]


def update(module: str, *deps: str, **options: Any) -> dict[str, Any]:
    return {"update": module, "deps": list(deps), **options}


def advanced(module: str, *deps: str, **options: Any) -> dict[str, Any]:
    return update(module, *deps, change="advanced", **options)
