"""`StateChange`: how the states of a server class change between two releases."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from node_runtime.protocol.messages import Direction
from node_runtime.releases.appups.sources.release_source import ReleaseSource

from .behaviour_classes import CallbackCode
from .continuity import moved_class, next_class
from .release_code import Definition
from .release_facts import ReleaseFacts
from .state_classes import class_text, code_change_text, field_names, held_classes, state_annotation


class StateChange(msgspec.Struct, frozen=True):
    """The changes of a server class that require a migration of its processes' states.

    `changed` are the changed classes of objects in a state, with the file and line of each in the newer release.
    `declared` are the declared types of the state in both releases, or None if the types are the same.
    `has_code_change` is whether the newer release defines a code_change, and `code_change` is whether this code_change
    is new or has changed. `gone["up"]` are the classes that the newer release lacks, and `gone["down"]` those that the
    older release lacks. `lost` are the fields of changed classes that the newer release lacks.
    """

    older: CallbackCode
    newer: CallbackCode
    changed: Mapping[str, tuple[str, int]]
    declared: tuple[str, str] | None
    code_change: bool
    has_code_change: bool
    gone: Mapping[Direction, tuple[str, ...]]
    lost: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        """The callback module of the processes in the older release, even if the class has moved since."""
        return self.older.module.name

    @property
    def needs_migration(self) -> bool:
        """Whether the states of the server class have to go through code_change."""
        return bool(self.changed) or self.declared is not None or self.code_change

    @property
    def reason(self) -> str:
        """What changes, for a message: "the state class shop.till.State (till.py, line 9) changes"."""
        if self.changed:
            name, (path, line) = next(iter(self.changed.items()))
            return f"the state class {name} ({path}, line {line}) changes"
        if self.declared is not None:
            return f"the state of {self.newer.name} ({self.newer.module.path}, line {self.newer.node.lineno}) changes"
        found = self.newer.method("code_change")
        line = found[2].lineno if found else self.newer.node.lineno
        return f"the code_change of {self.newer.name} ({self.newer.module.path}, line {line}) is new or changes"


def state_changes(older: ReleaseFacts, newer: ReleaseFacts) -> dict[str, StateChange]:
    """Return the changes of each server class whose processes go on in the newer release and need a migration.

    The key is the name of the class in the older release.
    """
    found = {}
    for name, old in older.servers.items():
        new = next_class(older, newer, name)
        if new is None:
            continue
        change = _state_change(older, newer, old, new)
        if change.needs_migration:
            found[name] = change
    return found


def apps_with_states(newer: ReleaseSource, changes: Mapping[str, StateChange]) -> set[str]:
    """Return the applications whose servers have states that change."""
    modules = {change.module for change in changes.values()}
    return {app.name for app in newer.view.apps if not modules.isdisjoint(app.modules)}


def _state_change(older: ReleaseFacts, newer: ReleaseFacts, old: CallbackCode, new: CallbackCode) -> StateChange:
    before, after = held_classes(older.code, old), held_classes(newer.code, new)
    changed, lost = {}, []
    for name, definition in before.items():
        target = after.get(name) or moved_class(older.code, newer.code, name)
        if target is None or target.statement is None:
            changed[name] = (definition.module.path, definition.statement.lineno if definition.statement else 1)
        elif definition.module.name != target.module.name or (
            class_text(older.code, definition) != class_text(newer.code, target)
        ):
            changed[name] = (target.module.path, target.statement.lineno)
            fields = field_names(older.code, definition) - field_names(newer.code, target)
            lost += [f"{name}.{field}" for field in sorted(fields)]
    declared = state_annotation(older.code, old), state_annotation(newer.code, new)
    text = code_change_text(new)
    return StateChange(
        older=old,
        newer=new,
        changed=changed,
        declared=declared if all(declared) and declared[0] != declared[1] else None,
        code_change=bool(text) and text != code_change_text(old),
        has_code_change=bool(text),
        gone={"up": _missing(before, older, newer), "down": _missing(after, newer, older)},
        lost=tuple(lost),
    )


def _missing(held: Mapping[str, Definition], source: ReleaseFacts, target: ReleaseFacts) -> tuple[str, ...]:
    return tuple(name for name in held if moved_class(source.code, target.code, name) is None)
