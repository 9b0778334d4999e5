"""The rehearsal: runs an upgrade's code_changes and applied functions in a copy of the node."""

from .losses import dropped, lost, lost_on_way_back
from .new_code import NewCode
from .new_modules.bodies import PrepareCode
from .new_modules.module_values import changes_lost_on_way_back, lost_values
from .progress import RehearsalProgress
from .rehearse import (
    ProgressCallback,
    RehearsalEnd,
    blockers,
    blocks_way_back,
    is_due,
    needs_consent,
    problems_only,
    refusal,
    rehearse,
    sentence,
    warnings,
)
from .remedies import REMEDIES_LOAD

__all__ = [
    "REMEDIES_LOAD",
    "NewCode",
    "PrepareCode",
    "ProgressCallback",
    "RehearsalEnd",
    "RehearsalProgress",
    "blockers",
    "blocks_way_back",
    "changes_lost_on_way_back",
    "dropped",
    "is_due",
    "lost",
    "lost_on_way_back",
    "lost_values",
    "needs_consent",
    "problems_only",
    "refusal",
    "rehearse",
    "sentence",
    "warnings",
]  # fmt: skip
