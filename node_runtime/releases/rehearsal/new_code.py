"""The facts about the new code that the copy of the node sends after it has executed the code."""

from __future__ import annotations

import msgspec

from node_runtime.code import Batch, BodyEffects
from node_runtime.protocol.messages import Blocker
from node_runtime.releases.planning import affected, conditions
from node_runtime.releases.planning.lasting_blockers import lasting_blockers
from node_runtime.releases.planning.transition import Transition


class NewCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Facts about the new code.

    `blockers` are the conditions that the live node does not meet, `warnings` the load hazards. `versions` has the
    version of each module, and `needs` the other new modules that it imports.
    """

    blockers: tuple[Blocker, ...]
    warnings: tuple[str, ...]
    versions: dict[str, str]
    needs: dict[str, tuple[str, ...]]


def describe_code(transition: Transition, batch: Batch, effects: BodyEffects) -> NewCode:
    """Return the facts about the prepared code, before it becomes current in the copy."""
    return NewCode(
        blockers=(
            *lasting_blockers(transition, batch),
            *conditions.unready_state_machines(transition, batch, affected.pids_of_stopped(transition.script)),
        ),
        warnings=(*batch.warnings(), *effects.warnings()),
        versions={module: batch.version(module).vsn for module in batch.modules},
        needs={module: _needs(batch, module) for module in batch.modules},
    )


def _needs(batch: Batch, module: str) -> tuple[str, ...]:
    """Return the other new modules that the new `module` imports.

    An import of the form `from package import submodule` counts, too.
    """
    entries = batch.version(module).imports.entries
    imported = {entry.module for entry in entries} | {f"{entry.module}.{entry.name}" for entry in entries}
    return tuple(other for other in batch.modules if other != module and other in imported)
