"""The rehearsal: runs every code_change of an upgrade in a forked copy of the node, before the node is changed."""

from .progress import RehearsalProgress
from .rehearse import (
    ProgressCallback,
    RehearsalEnd,
    blockers,
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
    "is_due",
    "needs_consent",
    "problems_only",
    "refusal",
    "rehearse",
    "sentence",
    "warnings",
]  # fmt: skip
