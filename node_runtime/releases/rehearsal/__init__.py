"""The rehearsal: runs every code_change of an upgrade on a copy of the live states before anything is changed."""

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
