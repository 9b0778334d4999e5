"""The facts about the new code that the copy of the node sends after it has executed that code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from node_runtime.code import Batch, BodyEffects
from node_runtime.processes.redaction.text_redaction import shown
from node_runtime.protocol.messages import Blocker, PlannedModuleValue
from node_runtime.releases.planning import affected, conditions
from node_runtime.releases.planning.data_files import left_behind_paths
from node_runtime.releases.planning.lasting_blockers import lasting_blockers
from node_runtime.releases.planning.participants import participants
from node_runtime.releases.planning.transition import Transition

from .states.missing_keys import states_without_keys
from .states.other_names import other_names
from .states.unrepeated_calls import unrepeated_calls

MAX_NAMED: Final = 20
"""At most this many registrations of a module, and this many things that its body opens, are named in a plan."""


class NewCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Facts about the new code.

    `blockers` are the conditions that the live node does not meet, and `warnings` are the load hazards. Four fields
    have an entry for each module: `versions` has its version, `needs` the other new modules that it imports,
    `registers` what its body registers, and `opens` the files and databases that its body opens. `module_values` are
    the data in global variables, and `more_lost_values` is the number of further global variables whose data is lost.
    `changes_lost_back` names the variables that the upgrade keeps, but whose later changes a rollback loses.
    `served` are the names of the replaced code that an application would still serve: a blocker reports each of them.
    """

    blockers: tuple[Blocker, ...]
    warnings: tuple[str, ...]
    versions: dict[str, str]
    needs: dict[str, tuple[str, ...]]
    registers: dict[str, tuple[str, ...]] = {}
    opens: dict[str, tuple[str, ...]] = {}
    module_values: tuple[PlannedModuleValue, ...] = ()
    more_lost_values: int = 0
    changes_lost_back: tuple[str, ...] = ()
    served: tuple[str, ...] = ()


def describe_code(
    transition: Transition, batch: Batch, effects: BodyEffects, opens: Mapping[str, Iterable[str]]
) -> NewCode:
    """Return the facts about the prepared code, before it becomes current in the copy."""
    without_keys, cautions = states_without_keys(transition, batch)
    return NewCode(
        blockers=(
            *lasting_blockers(transition, batch),
            *conditions.unready_state_machines(transition, batch, affected.pids_of_stopped(transition.script)),
            *without_keys,
        ),
        warnings=(
            *batch.warnings(),
            *effects.warnings(),
            *left_behind_paths(transition),
            *participants().warnings(batch),
            *cautions,
            *unrepeated_calls(transition, batch),
            *other_names(transition, batch),
        ),
        versions={module: batch.version(module).vsn for module in batch.modules},
        needs={module: _needs(batch, module) for module in batch.modules},
        registers={module: _registers(batch, module) for module in batch.modules},
        opens={module: _named(map(shown, opened)) for module, opened in opens.items()},
        served=tuple(participants().served(batch)),
    )


def _registers(batch: Batch, module: str) -> tuple[str, ...]:
    return _named(shown(one.describe()) for one in batch.version(module).registrations)


def _named(clauses: Iterable[str]) -> tuple[str, ...]:
    """Return at most `MAX_NAMED` clauses, and the number of further ones."""
    every = tuple(clauses)
    more = len(every) - MAX_NAMED
    return (*every[:MAX_NAMED], *([f"{more} more"] if more > 0 else []))


def _needs(batch: Batch, module: str) -> tuple[str, ...]:
    """Return the other new modules that `module` imports, also as `from package import submodule`."""
    entries = batch.version(module).imports.entries
    imported = {entry.module for entry in entries} | {f"{entry.module}.{entry.name}" for entry in entries}
    return tuple(other for other in batch.modules if other != module and other in imported)
