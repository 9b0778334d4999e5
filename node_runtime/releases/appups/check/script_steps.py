"""The steps of an upgrade or a downgrade between two releases: the instructions of all applications, in their order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from node_runtime.protocol.messages import Direction
from node_runtime.releases.appups.sources.release_source import ReleaseSource
from node_runtime.releases.files.appup_instructions import ApplicationChange, AppupInstruction, ModuleChange
from node_runtime.releases.files.relup_instructions import (
    Load,
    LoadObjectCode,
    PointOfNoReturn,
    Remove,
    RestartEmulator,
    RestartNewEmulator,
)
from node_runtime.releases.relup.components import components

from .appup_file import PlacedAppup, PlacedInstruction


class CheckedStep(msgspec.Struct, frozen=True):
    """One step: an instruction, or the instructions of modules that `deps` connect. `path` and `line` are its place.

    `line` is None for the start of a new application and the stop of a removed one, which no appup mentions.
    """

    app: str
    path: str
    line: int | None
    instructions: tuple[AppupInstruction, ...]


class CheckedScript(msgspec.Struct, frozen=True):
    """The steps from release `left` to release `target`.

    `heads` maps each application that has an entry in an appup to the file and the line of this entry.
    """

    direction: Direction
    left: ReleaseSource
    target: ReleaseSource
    steps: tuple[CheckedStep, ...]
    heads: Mapping[str, tuple[str, int]]

    @property
    def restarts(self) -> bool:
        """Whether the script restarts the node, so that no process outlives the upgrade."""
        ends = RestartEmulator | RestartNewEmulator
        return any(isinstance(step, ends) for each in self.steps for step in each.instructions)

    def head(self, app: str) -> tuple[str, int]:
        """Return the file and the line at which the entry of `app` begins.

        Mistakes about missing instructions have this place.
        """
        return self.heads.get(app) or next(iter(self.heads.values()))


def checked_script(
    older: ReleaseSource, newer: ReleaseSource, direction: Direction, appups: Mapping[str, PlacedAppup]
) -> CheckedScript:
    """Return the steps from one release to the other. Each application that differs must have an entry in its appup."""
    left, target = (older, newer) if direction == "up" else (newer, older)
    added = [app.name for app in target.view.apps if left.view.app(app.name) is None]
    removed = [app.name for app in reversed(left.view.apps) if target.view.app(app.name) is None]
    before: list[CheckedStep] = []
    after = [_application_step(target, ApplicationChange("add", app)) for app in added]
    heads: dict[str, tuple[str, int]] = {}
    for app in newer.view.apps:
        old = older.view.app(app.name)
        if old is None or old.vsn == app.vsn:
            continue
        entry = appups[app.name].entry_for(direction, old.vsn)
        assert entry is not None
        heads[app.name] = (appups[app.name].shown, entry.line)
        bars = [number for number, step in enumerate(entry.steps) if isinstance(step.instruction, PointOfNoReturn)]
        bar = bars[0] if bars else -1
        shown = appups[app.name].shown
        before += _steps(app.name, shown, entry.steps[: max(bar, 0)])
        after += _steps(app.name, shown, entry.steps[bar + 1 :])
    after += [_application_step(left, ApplicationChange("remove", app)) for app in removed]
    return CheckedScript(direction, left, target, (*before, *_joined(after)), heads)


def _application_step(owner: ReleaseSource, change: ApplicationChange) -> CheckedStep:
    return CheckedStep(change.application, owner.appups[change.application].shown, None, (change,))


def _steps(app: str, shown: str, steps: Iterable[PlacedInstruction]) -> list[CheckedStep]:
    return [
        CheckedStep(app, shown, step.line, (step.instruction,))
        for step in steps
        if not isinstance(step.instruction, LoadObjectCode | PointOfNoReturn)
    ]


def _joined(steps: list[CheckedStep]) -> list[CheckedStep]:
    """Join the steps of modules that `deps` connect into one step, as the translation to a relup does."""
    changes: dict[str, CheckedStep] = {}
    for step in steps:
        if isinstance(change := step.instructions[0], ModuleChange):
            changes.setdefault(change.module, step)
    deps = {
        name: tuple(need for need in step.instructions[0].deps if need in changes)
        for name, step in changes.items()
        if isinstance(step.instructions[0], ModuleChange)
    }
    group_of = {member: group for group in components(deps) for member in group}
    joined: list[CheckedStep] = []
    done: set[str] = set()
    for step in steps:
        change = step.instructions[0]
        if not isinstance(change, ModuleChange) or changes[change.module] is not step:
            joined.append(step)
        elif change.module not in done:
            group = group_of[change.module]
            done.update(group)
            parts = tuple(changes[name].instructions[0] for name in group)
            joined.append(CheckedStep(step.app, step.path, step.line, parts))
    return joined


def touched_module(step: AppupInstruction) -> str | None:
    """Return the module that an instruction loads or removes; None for another instruction."""
    return step.module if isinstance(step, ModuleChange | Load | Remove) else None
