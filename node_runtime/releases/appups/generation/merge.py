"""Merges a drafted script with the script that the author of an appup has written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from node_runtime.releases.files.appup_instructions import QUESTION

from .draft import DraftStep, StepKey, step_key

_BAR = step_key({"point_of_no_return": True})


def merge_steps(
    drafts: list[DraftStep], written: list[DraftStep], is_current: Callable[[Mapping[str, Any]], bool]
) -> list[DraftStep]:
    """Return the drafted steps with the author's options and comments, and with the steps that the author has added.

    `is_current` returns whether an instruction that is not drafted still makes sense. A drafted question is left out if
    the author has deleted it from `written` and has written the instruction that answers it. Unless `written` has a
    point of no return itself, the author's steps are placed after the drafted one, because they may have effects.
    """
    by_key = {step.key: step for step in written}
    merged: list[DraftStep] = []
    for draft in drafts:
        if draft.about is not None and draft.about in by_key and draft.key not in by_key:
            continue
        merged.append(_combined(draft, by_key.get(draft.key)))
    drafted = {step.key for step in merged}
    bars = [number + 1 for number, step in enumerate(merged) if step.key == _BAR and _BAR not in by_key]
    before: StepKey | None = None
    for step in written:
        if step.key not in drafted and QUESTION not in step.table and is_current(step.table):
            places = [number + 1 for number, each in enumerate(merged) if each.key == before]
            merged.insert(max(places[-1:] + bars, default=0), step)
            drafted.add(step.key)
        if step.key in drafted:
            before = step.key
    return merged


def _combined(draft: DraftStep, written: DraftStep | None) -> DraftStep:
    """Return a drafted step with the author's options and comments; an author's `update` replaces `load_module`."""
    if written is None or QUESTION in draft.table:
        return draft
    new, old = dict(draft.table), dict(written.table)
    if "update" in old and "load_module" in new:
        table = old
    elif "load_module" in old and "update" in new:
        table = new | {key: value for key, value in old.items() if key != "load_module"}
    elif next(iter(new)) in old:
        table = {**new, **{key: value for key, value in old.items() if key not in new or key in ("undo", "args")}}
    else:
        table = new
    return DraftStep(table, written.comments, written.trailing)
