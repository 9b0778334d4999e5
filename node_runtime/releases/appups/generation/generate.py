"""Generates the appups between two releases, up and down, and keeps what their authors have written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Direction
from node_runtime.releases.appups.check.appup_file import (
    DIRECTIONS,
    PlacedAppup,
    PlacedEntry,
    PlacedInstruction,
    read_appup_file,
)
from node_runtime.releases.appups.check.check import script_mistakes
from node_runtime.releases.appups.check.child_rules import SUPERVISOR
from node_runtime.releases.appups.check.script_steps import checked_script
from node_runtime.releases.appups.code.read_code import read_code
from node_runtime.releases.appups.code.release_facts import ReleaseFacts
from node_runtime.releases.appups.code.state_change import apps_with_states, state_changes
from node_runtime.releases.appups.sources.release_source import ReleaseSource
from node_runtime.releases.files.appup_instructions import QUESTION, parse_instruction
from node_runtime.releases.files.version_pattern import matches_version

from .appup_text import AppupText, EntryText, entry_lines, read_appup_text
from .draft import DraftStep
from .dropped_instructions import dropped_entry, dropped_steps
from .merge import merge_steps
from .notes import generation_notes
from .route_steps import sets_read_routes
from .script_draft import ReleasePair, draft_script


class GeneratedAppup(msgspec.Struct, frozen=True):
    """The new text of an application's appup, and the questions in it. `is_new` is whether the text has changed.

    The older version is `from_vsn`. `kept` are the directions whose entry stays as the author has written it, because
    the entry has no mistakes.
    """

    app: str
    text: str
    is_new: bool
    questions: tuple[str, ...]
    from_vsn: str
    kept: tuple[Direction, ...]


class Generation(msgspec.Struct, frozen=True):
    """The appups of all applications that differ, and the notes for their author."""

    appups: tuple[GeneratedAppup, ...]
    notes: tuple[str, ...]


def generate_appups(older: ReleaseSource, newer: ReleaseSource, others: Sequence[ReleaseSource] = ()) -> Generation:
    """Return the appups of `newer` for the upgrade from `older` and the downgrade to it.

    What the author has written for the older releases `others` stays as it is, because the appups for them are
    generated later or have been generated. Raises `Refused`.
    """
    if older.name != newer.name:
        raise Refused(f"The previous release is named {older.name}; give an earlier release of {newer.name}.")
    _check_versions(older, newer)
    first, second = read_code(older, newer)
    facts = ReleaseFacts(first), ReleaseFacts(second)
    work = _Work(older, newer, facts, others)
    appups = tuple(work.appup(app) for app in work.apps)
    return Generation(appups, (*generation_notes(older, newer, facts), *work.dropped))


def _check_versions(older: ReleaseSource, newer: ReleaseSource) -> None:
    for app in newer.view.apps:
        old = older.view.app(app.name)
        if old is not None and old.vsn == app.vsn and old.modules != app.modules:
            raise Refused(
                f"The code of the application {app.name} differs between the releases {older.vsn} and {newer.vsn}, but "
                f"its vsn is {app.vsn} in both; pass --bump, or give {app.name} and the release another vsn."
            )
    if older.vsn == newer.vsn:
        raise Refused(f"Both releases are {newer.vsn}; pass --bump, or give the new one another vsn in release.toml.")


class _Work:
    def __init__(
        self,
        older: ReleaseSource,
        newer: ReleaseSource,
        facts: tuple[ReleaseFacts, ReleaseFacts],
        others: Sequence[ReleaseSource],
    ) -> None:
        self.older, self.newer, self.facts, self.others = older, newer, facts, others
        self.dropped: list[str] = []
        """A note for each instruction of an author that the generated appups lack."""
        views = [(app, older.view.app(app.name)) for app in newer.view.apps]
        self.apps = {app.name: old.vsn for app, old in views if old is not None and old.vsn != app.vsn}
        self.files = {app: read_appup_file(newer.appups[app]) for app in self.apps}
        for file in self.files.values():
            if not file.is_readable:
                raise Refused("\n".join(map(str, file.mistakes)))
        self.texts = {app: read_appup_text(newer.appups[app]) for app in self.apps}
        self.changes = changes = state_changes(*facts)
        if other := sorted(apps_with_states(newer, changes) - set(self.apps)):
            raise Refused(
                f"The states of {', '.join(other)} change with the classes of another application, but "
                f"{other[0]} has no new vsn; pass --bump, or change the vsn in its app.toml."
            )
        self.drafts: dict[tuple[str, Direction], list[DraftStep]] = {}
        for direction in DIRECTIONS:
            sources, ends = ((older, newer), facts) if direction == "up" else ((newer, older), facts[::-1])
            pair = ReleasePair(direction, sources, ends[0], ends[1], changes)
            for app in self.apps:
                self.drafts[app, direction] = draft_script(pair, app)
        self.right = {(app, direction) for direction in DIRECTIONS for app in self._right(direction)}

    def written(self, app: str, direction: Direction) -> EntryText | None:
        """Return the entry that the author of an appup has written; None if there is none."""
        for entry in self.texts[app].entries:
            if entry.direction == direction and matches_version(entry.versions, self.apps[app]):
                return entry
        return None

    def appup(self, app: str) -> GeneratedAppup:
        vsn = next(view.vsn for view in self.newer.view.apps if view.name == app)
        text, file, old_vsn = self.texts[app], self.files[app], self.apps[app]
        before = text.text() if file.exists else ""
        entries = text.entries if file.vsn == vsn else self._still_wanted(app, vsn)
        made = AppupText(list(text.head), list(entries))
        made.set_vsn(vsn)
        questions: list[str] = []
        for direction in DIRECTIONS:
            entry = self.written(app, direction)
            if entry is not None and (app, direction) in self.right:
                if entry not in made.entries:
                    made.entries.append(entry)
                continue
            steps = self.drafts[app, direction]
            if entry is not None:
                steps = merge_steps(steps, entry.steps, self._is_current())
                self.dropped += dropped_steps(entry, steps)
            questions += [str(step.table[QUESTION]) for step in steps if QUESTION in step.table]
            lines = entry_lines(direction, old_vsn, steps, entry.comments if entry is not None else ())
            self._place(made, EntryText(direction, old_vsn, lines), entry)
        kept = tuple(direction for direction in DIRECTIONS if (app, direction) in self.right)
        return GeneratedAppup(app, made.text(), made.text() != before, tuple(questions), old_vsn, kept)

    def _still_wanted(self, app: str, vsn: str) -> list[EntryText]:
        """Return the entries that an appup keeps when its version becomes `vsn`: those for other older releases.

        The entry for `older` is generated anew, with the instructions that the author has written.
        """
        text, older = self.texts[app], [other.view.app(app) for other in self.others]
        vsns = {each.vsn for each in older if each is not None}
        kept = [entry for entry in text.entries if any(matches_version(entry.versions, each) for each in vsns)]
        generated = [self.written(app, direction) for direction in DIRECTIONS]
        for entry in text.entries:
            if entry not in kept and entry not in generated:
                self.dropped += dropped_entry(entry, self.files[app].vsn, vsn)
        return kept

    def _place(self, made: AppupText, entry: EntryText, written: EntryText | None) -> None:
        """Put `entry` into the appup `made`: instead of `written` if both are for the same versions, else first."""
        if written in made.entries and written is not None and written.versions == entry.versions:
            made.entries[made.entries.index(written)] = entry
            return
        same = [number for number, each in enumerate(made.entries) if each.direction == entry.direction]
        other = [number for number, each in enumerate(made.entries) if each.direction == "down"]
        place = same[0] if same else other[0] if other and entry.direction == "up" else len(made.entries)
        made.entries.insert(place, entry)

    def _right(self, direction: Direction) -> list[str]:
        """Return the applications whose author has written an entry for `direction` that has no mistake and no
        question.
        """
        files = {app: self._virtual(app, direction) for app in self.apps}
        if not files:
            return []
        script = checked_script(self.older, self.newer, direction, files)
        mistakes = script_mistakes(script, *self.facts, self.changes)
        right = []
        for app in self.apps:
            entry, file = self.written(app, direction), self.files[app]
            if entry is None:
                continue
            lines = range(entry.first, entry.last + 1)
            found = [each for each in (*mistakes, *file.mistakes) if each.path == file.shown and each.line in lines]
            if not found:
                right.append(app)
        return right

    def _virtual(self, app: str, direction: Direction) -> PlacedAppup:
        """Return the appup to check: with the author's entry if there is one, else with the drafted entry.

        The instructions of a drafted entry have line 0.
        """
        file, vsn = self.files[app], self.apps[app]
        entry = file.entry_for(direction, vsn)
        if entry is None:
            steps = [step.table for step in self.drafts[app, direction] if QUESTION not in step.table]
            placed = tuple(PlacedInstruction(parse_instruction(table), 0) for table in steps)
            entry = PlacedEntry(direction, vsn, 0, placed)
        return PlacedAppup(file.shown, exists=True, entries=[entry])

    def _is_current(self) -> Callable[[Mapping[str, Any]], bool]:
        """Return a function that tells whether an instruction that the draft lacks still makes sense.

        For example, an `update` needs a module that both releases have.
        """
        both = {*self.older.modules} & {*self.newer.modules}
        children = {
            child for facts in self.facts for supervisor in facts.supervisors.values() for child in supervisor.children
        }

        def is_current(table: Mapping[str, Any]) -> bool:
            if any(key in table for key in ("add_module", "load_module", "delete_module")):
                return False
            if "update" in table:
                return table["update"] in both
            args = table.get("args", [])
            if str(table.get("apply", "")).startswith(f"{SUPERVISOR}:"):
                return len(args) < 2 or args[1] in children
            return not sets_read_routes(table, *self.facts)

        return is_current
