"""The report that the copy of the node sends to the node: the values of replaced or deleted code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from node_runtime.protocol.messages import Blocker, LiveValue

MAX_WARNINGS: Final = 20
"""A plan has at most this many warnings of one kind, and one more with the number of those that are left out."""


def limited(warnings: Sequence[str], rest: str) -> list[str]:
    """Return the first `MAX_WARNINGS` of `warnings`, and a sentence about the others: their number, then `rest`."""
    more = len(warnings) - MAX_WARNINGS
    return [*warnings[:MAX_WARNINGS], *([f"And {more:,} more {rest}."] if more > 0 else [])]


class LiveValuesFound(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The findings about live values, in three forms: the values that the plan lists, blockers, and warnings.

    `not_searched` is the number of processes whose values were only partly searched, or not at all. `seconds` is the
    processor time of the search. `supervisors` are the pids of the supervisors whose arguments the install has to
    convert.
    """

    values: tuple[LiveValue, ...] = ()
    blockers: tuple[Blocker, ...] = ()
    warnings: tuple[str, ...] = ()
    not_searched: int = 0
    seconds: float = 0.0
    supervisors: tuple[int, ...] = ()
