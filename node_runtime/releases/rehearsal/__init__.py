"""The rehearsal: runs an upgrade's code_changes and applied functions in a copy of the node."""

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

__all__ = [
    "ProgressCallback",
    "RehearsalEnd",
    "RehearsalProgress",
    "blockers",
    "blocks_way_back",
    "is_due",
    "needs_consent",
    "problems_only",
    "refusal",
    "rehearse",
    "sentence",
    "warnings",
]  # fmt: skip
