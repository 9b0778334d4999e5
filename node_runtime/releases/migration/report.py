"""Collects the findings of a migration.

The same finding about many objects of a class is recorded once, with a count.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from node_runtime.behaviours.show.key_text import key_text
from node_runtime.processes.redaction.text_redaction import shown

from .findings import LostField, MigratedClass, Obstacle
from .shapes import PathStep

MAX_STEPS = 12
"""A path with more steps is shortened at its beginning."""


class MigrationReport:
    """The findings so far, and the places of the objects in the value that is migrated."""

    def __init__(self) -> None:
        self.parents: dict[int, tuple[int, PathStep] | None] = {}
        """For each object, by its `id`: the object through which the search first found it, and the step from there."""
        self._migrated: dict[str, MigratedClass] = {}
        self._lost: dict[tuple[str, str], LostField] = {}
        self._obstacles: dict[tuple[str, str | None, str], Obstacle] = {}

    def findings(self) -> tuple[tuple[MigratedClass, ...], tuple[LostField, ...], tuple[Obstacle, ...]]:
        """Return what was found since the last call."""
        found = tuple(self._migrated.values()), tuple(self._lost.values()), tuple(self._obstacles.values())
        self._migrated, self._lost, self._obstacles = {}, {}, {}
        return found

    def is_clear(self) -> bool:
        """Return whether no obstacle was found since the last call of `findings`."""
        return not self._obstacles

    def add_migrated(self, value: Any, cls: str, added: tuple[str, ...] = (), gone: tuple[str, ...] = ()) -> None:
        """Record an instance of a replaced class."""
        known = self._migrated.get(cls)
        if known is None:
            self._migrated[cls] = MigratedClass(cls, self.path(value), 1, added, gone)
        else:
            self._migrated[cls] = MigratedClass(cls, known.path, known.count + 1, added, gone)

    def add_lost(self, value: Any, cls: str, field: str, *, holds_data: bool) -> None:
        """Record that the target's class lacks the field `field`, which the instance `value` has.

        The place that is recorded is that of the first instance that holds data, if there is one.
        """
        known = self._lost.get((cls, field))
        if known is None or (holds_data and not known.with_data):
            known = LostField(cls, field, self.path(value), 0 if known is None else known.count, 0)
        self._lost[cls, field] = replace(known, count=known.count + 1, with_data=known.with_data + holds_data)

    def add_obstacle(
        self, value: Any, cls: str, field: str | None, reason: str, remedy: str, *, is_misfit: bool = False
    ) -> None:
        """Record why an object can't be migrated."""
        known = self._obstacles.get((cls, field, remedy))
        if known is None:
            found = Obstacle(cls, field, self.path(value), shown(reason), remedy, is_misfit)
            self._obstacles[cls, field, remedy] = found
        else:
            self._obstacles[cls, field, remedy] = replace(known, count=known.count + 1)

    def path(self, value: Any) -> str:
        """Return the place of an object in the value, such as `.orders[1].status`."""
        steps: list[str] = []
        place = self.parents.get(id(value))
        while place is not None and len(steps) <= MAX_STEPS:
            parent, step = place
            steps.append(_text(step))
            place = self.parents.get(parent)
        if place is not None:
            steps[-1] = "…"
        return shown("".join(reversed(steps)))


def _text(step: PathStep) -> str:
    kind, name = step
    if kind == "attribute":
        return f".{name}"
    if name is ...:
        return "[…]"  # a part of an object whose class is written in C: its place is unknown
    key = key_text(name) or f"‹{type(name).__qualname__}›"
    return f"[{key}]" if kind == "item" else f"{{{key}}}"
