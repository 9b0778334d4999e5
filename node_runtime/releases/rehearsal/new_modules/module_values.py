"""The data in global variables of modules that an upgrade replaces, and the fate of this data, for the plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import msgspec

from node_runtime.code import CACHE_KIND, Batch, ModuleValue
from node_runtime.processes.redaction.text_redaction import shown
from node_runtime.protocol.messages import PlannedModuleValue
from node_runtime.releases.rehearsal.new_code import NewCode

MAX_VALUES: Final = 50
"""At most this many global variables are listed; variables whose data is lost come first."""
_ORDER: Final = ("lost", "migrated", "carried", "made anew")
_IN_VARIABLE: Final = "list the name in __carry__ to keep it"
_IN_FUNCTION: Final = (
    "a function holds it, and the new version has a new function without this data; to keep the data, store it in a "
    "global variable that __carry__ lists"
)
_IN_CACHE: Final = (
    "the new version has a new cache without this object; to keep the object, store it in a global variable that "
    "__carry__ lists, or make its class frozen if nothing changes it"
)
MAX_CODE_NAMED: Final = 3
"""If lost data refers to replaced functions and classes, at most this many of them are named."""


def with_module_values(code: NewCode, batch: Batch, repeated: Callable[[], Mapping[str, dict[str, Any]]]) -> NewCode:
    """Return `code` with the fate of the data in global variables. `repeated` executes the old bodies once more."""
    found = sorted(batch.module_values(cache(repeated)), key=lambda value: _ORDER.index(value.fate))
    more_lost = sum(value.fate == "lost" for value in found[MAX_VALUES:])
    values = tuple(_planned(value) for value in found[:MAX_VALUES])
    back = tuple(f"{one.module}.{one.name} ({shown(one.kind)})" for one in found if one.changes_lost_back)
    return msgspec.structs.replace(
        code, module_values=values, more_lost_values=more_lost, changes_lost_back=back[:MAX_VALUES]
    )


def lost_values(code: NewCode) -> tuple[str, ...]:
    """Return a sentence for each global variable whose data the upgrade would lose.

    A last sentence says how many of these variables are not listed.
    """
    listed = tuple(
        f"{one.module}.{one.name} ({one.kind}{_entries(one)}, about {one.size} bytes) holds data that the object "
        f"of the new version lacks, so this data is lost: {_remedy(one)}."
        for one in code.module_values
        if one.fate == "lost"
    )
    if not (more := code.more_lost_values):
        return listed
    return (
        *listed,
        f"The data of {more} more global variable{'s' * (more != 1)} is lost; a plan lists at most {MAX_VALUES}.",
    )


def changes_lost_on_way_back(code: NewCode, left: str) -> tuple[str, ...]:
    """Return a sentence for each global variable whose later changes a rollback to the release `left` would lose."""
    return tuple(
        f"A rollback loses what changes in {name} after the upgrade: release {left} has no __carry__ for this name."
        for name in code.changes_lost_back
    )


def _remedy(one: PlannedModuleValue) -> str:
    if one.kind.startswith(CACHE_KIND):
        return _IN_CACHE
    if one.in_function:
        return _IN_FUNCTION
    if not one.code:
        return _IN_VARIABLE
    more = len(one.code) - MAX_CODE_NAMED
    named = ", ".join(one.code[:MAX_CODE_NAMED]) + f" and {more} more" * (more > 0)
    return (
        f"the object also refers to replaced code ({named}), which __carry__ would keep, too; to keep only the data, "
        "store it apart from the code, in a global variable that __carry__ lists"
    )


def _entries(one: PlannedModuleValue) -> str:
    return "" if one.entries is None else f", {one.entries} entr{'y' if one.entries == 1 else 'ies'}"


def _planned(value: ModuleValue) -> PlannedModuleValue:
    return PlannedModuleValue(
        module=value.module,
        name=value.name,
        kind=shown(value.kind),
        fate=value.fate,
        entries=value.entries,
        size=value.size,
        in_function=value.in_function,
        code=tuple(map(shown, value.code)),
    )
