"""The rehearsal: every code_change that an upgrade would run, run on a copy of the live states beforehand."""

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
