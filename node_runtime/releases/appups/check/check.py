"""Checks the appups between two releases, up and down, against the code of both. No code of a release is executed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.appups.code.read_code import read_code
from node_runtime.releases.appups.code.release_facts import ReleaseFacts
from node_runtime.releases.appups.code.state_change import StateChange, state_changes
from node_runtime.releases.appups.sources.release_source import ReleaseSource
from node_runtime.releases.files.release_model import AppView, ReleaseView
from node_runtime.releases.relup.translation import translate

from .appup_file import DIRECTIONS, PlacedAppup, read_appup_file
from .child_rules import supervisors_that_stay_old
from .mistakes import Mistake
from .module_rules import modules_without_instruction, wrong_module_instructions
from .running_node import RunningNode
from .script_steps import CheckedScript, checked_script
from .state_rules import states_without_code_change
from .walk import walk


def check_appups(older: ReleaseSource, newer: ReleaseSource) -> None:
    """Raise `Refused`, with a line for each mistake, if `appup_mistakes` finds any."""
    mistakes = appup_mistakes(older, newer)
    if mistakes:
        raise Refused("\n".join(map(str, mistakes)))


def appup_mistakes(older: ReleaseSource, newer: ReleaseSource) -> list[Mistake]:
    """Return the mistakes in the appups of `newer`, for the upgrade from `older` and the downgrade to `older`.

    Raises `Refused` if the two releases have the same version or different names.
    """
    if older.name != newer.name:
        raise Refused(f"The previous release is named {older.name}; give an earlier release of {newer.name}.")
    if older.vsn == newer.vsn:
        raise Refused(f"The previous release is also {newer.vsn}; give the new one another vsn in release.toml.")
    files = {app.name: read_appup_file(newer.appups[app.name]) for app in _changed_apps(older, newer)}
    mistakes = [
        *_unchanged_versions(older, newer),
        *(mistake for app, file in files.items() for mistake in _file_mistakes(older, newer, app, file)),
    ]
    if any(not file.is_readable for file in files.values()) or _lacks_entries(older, files):
        return mistakes
    first, second = map(ReleaseFacts, read_code(older, newer))
    changes = state_changes(first, second)
    for direction in DIRECTIONS:
        script = checked_script(older, newer, direction, files)
        if script.heads:
            mistakes += script_mistakes(script, first, second, changes)
    if not mistakes:
        mistakes += _untranslatable(older, newer, files)
    return list(dict.fromkeys(mistakes))


def script_mistakes(
    script: CheckedScript, older: ReleaseFacts, newer: ReleaseFacts, changes: Mapping[str, StateChange]
) -> list[Mistake]:
    """Return the mistakes in a script of one direction. `changes` are the changes of states, by server class."""
    mistakes = [*wrong_module_instructions(script), *modules_without_instruction(script)]
    mistakes += states_without_code_change(script, changes)
    left, target = (older, newer) if script.direction == "up" else (newer, older)
    node = RunningNode(left, target, (script.left.view, script.target.view), script.direction)
    mistakes += supervisors_that_stay_old(node, script)
    mistakes += walk(script, left, target)
    return mistakes


def _changed_apps(older: ReleaseSource, newer: ReleaseSource) -> list[AppView]:
    return [app for app in newer.view.apps if (old := older.view.app(app.name)) and old.vsn != app.vsn]


def _unchanged_versions(older: ReleaseSource, newer: ReleaseSource) -> Iterator[Mistake]:
    """Yield a mistake for each application whose modules differ although its version is the same."""
    for app in newer.view.apps:
        old = older.view.app(app.name)
        if old is not None and old.vsn == app.vsn and old.modules != app.modules:
            names = [*app.modules, *(name for name in old.modules if name not in app.modules)]
            module = next(name for name in names if old.modules.get(name) != app.modules.get(name))
            place = newer.modules.get(module) or older.modules[module]
            yield Mistake(
                place.path,
                1,
                f"{module} differs between release {older.vsn} and release {newer.vsn}, but both have the application "
                f"{app.name} {app.vsn}: give {app.name} a new vsn and an appup",
            )


def _file_mistakes(older: ReleaseSource, newer: ReleaseSource, app: str, file: PlacedAppup) -> Iterator[Mistake]:
    old = older.view.app(app)
    new = newer.view.app(app)
    assert old is not None
    assert new is not None
    yield from file.mistakes
    if not file.exists:
        yield Mistake(
            file.shown,
            None,
            f"the appup.toml is missing, so a node can go from {app} {old.vsn} to {new.vsn} and back only by a "
            f'restart; write it, with an entry under `up` (`from = "{old.vsn}"`) and one under `down` '
            f'(`to = "{old.vsn}"`)',
        )
        return
    if not file.is_readable:
        return
    if file.vsn != new.vsn:
        yield Mistake(
            file.shown, file.vsn_line, f"vsn is {file.vsn}, but this is the appup of {app} {new.vsn}; correct it"
        )
    for direction, key in DIRECTIONS.items():
        if file.entry_for(direction, old.vsn) is None:
            effect = (
                f"a node can reach {app} {new.vsn} from {app} {old.vsn} only by a restart"
                if direction == "up"
                else f"a node can go back from {app} {new.vsn} to {app} {old.vsn} only by a restart, which loses all "
                "states"
            )
            yield Mistake(
                file.shown,
                file.vsn_line,
                f"the appup has no entry under `{direction}` for {app} {old.vsn}, so {effect}; add one with "
                f'`{key} = "{old.vsn}"`',
            )


def _lacks_entries(older: ReleaseSource, files: Mapping[str, PlacedAppup]) -> bool:
    for app, file in files.items():
        old = older.view.app(app)
        assert old is not None
        if any(file.entry_for(direction, old.vsn) is None for direction in DIRECTIONS):
            return True
    return False


def _untranslatable(older: ReleaseSource, newer: ReleaseSource, files: Mapping[str, PlacedAppup]) -> Iterator[Mistake]:
    """Yield a mistake for each direction that can't be translated to a relup. Called if no rule has found a mistake."""
    release = ReleaseView(newer.vsn, tuple(_with_appup(app, files.get(app.name)) for app in newer.view.apps))
    for direction in DIRECTIONS:
        try:
            translate(older.view, release, direction)
        except Refused as refused:
            file = next(iter(files.values()))
            ends = (older.vsn, newer.vsn) if direction == "up" else (newer.vsn, older.vsn)
            yield Mistake(
                file.shown,
                file.vsn_line,
                f"the {direction}grade from {ends[0]} to {ends[1]} can't be made: {refused.sentence}",
            )


def _with_appup(app: AppView, file: PlacedAppup | None) -> AppView:
    entries = file.entries if file is not None else []
    up = tuple(entry.entry() for entry in entries if entry.direction == "up")
    down = tuple(entry.entry() for entry in entries if entry.direction == "down")
    return AppView(app.name, app.vsn, app.modules, up, down, app.start)
