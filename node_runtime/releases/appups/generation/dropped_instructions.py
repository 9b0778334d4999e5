"""The notes for instructions in an author's appup that the generated appup lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from node_runtime.releases.files.appup_instructions import QUESTION

from .appup_text import EntryText
from .draft import DraftStep, toml_value

_GENERATED = ("update", "load_module", "add_module", "delete_module", "point_of_no_return", QUESTION)


def dropped_entry(entry: EntryText, before: str | None, after: str) -> Iterator[str]:
    """Yield a note for each instruction that only an author can have written, of an entry that is left out.

    The entry is for the appup's former version `before`; the appup gets the version `after`.
    """
    for step in entry.steps:
        if not _may_be_generated(step.table):
            yield (
                f"{_shown(step)} is left out, because its entry `{entry.direction}` for {entry.versions} is in the "
                f"appup of the version {before}. To keep the entry in {after}, also pass --from with the release "
                f"{entry.versions}."
            )


def dropped_steps(entry: EntryText, steps: list[DraftStep]) -> Iterator[str]:
    """Yield a note for each instruction of `entry` that the new instructions `steps` have no more."""
    kept = {step.key for step in steps}
    for step in entry.steps:
        if step.key not in kept and QUESTION not in step.table:
            yield (
                f"{_shown(step)} is left out of the entry `{entry.direction}` for {entry.versions}, since nothing that "
                "differs needs it."
            )


def _may_be_generated(table: Mapping[str, Any]) -> bool:
    if any(name in table for name in _GENERATED):
        return "extra" not in table
    return str(table.get("apply", "")).startswith("node_runtime.")


def _shown(step: DraftStep) -> str:
    return toml_value(step.table)
