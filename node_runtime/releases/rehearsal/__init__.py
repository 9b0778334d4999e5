"""The rehearsal: runs every code_change of an upgrade on a copy of the live states before anything is touched."""

from .progress import News
from .rehearse import (
    Hear,
    Outcome,
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
    "Hear", "News", "Outcome", "blockers", "is_due", "needs_consent", "problems_only", "refusal", "rehearse",
    "sentence", "warnings",
]  # fmt: skip
