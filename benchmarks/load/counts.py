"""The counts of one client: what it has sent, what went wrong, and how long the answers took."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Final

FAULTS: Final = ("failed", "wrong", "dropped", "lost", "doubled")
"""The counts that have to be 0."""


@dataclass
class Counts:
    """What a client has counted.

    `sent`: requests or messages. `failed`: requests without a complete answer. `wrong`: answers with a status or a body
    that no version of the site gives. `dropped`: connections that the server has closed. `lost`: messages that somebody
    should have heard and hasn't; `doubled`: messages that somebody has heard again, and answers that nobody asked for.
    `seconds`: the time from the moment at which each one was due until its answer.
    """

    sent: int = 0
    failed: int = 0
    wrong: int = 0
    dropped: int = 0
    lost: int = 0
    doubled: int = 0
    seconds: list[float] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)
    """The first faults, in words."""

    def fault(self, kind: str, example: str, times: int = 1) -> None:
        """Count a fault of a kind of `FAULTS`."""
        setattr(self, kind, getattr(self, kind) + times)
        if len(self.examples) < 10:
            self.examples.append(f"{kind}: {example}")

    def summary(self) -> Summary:
        """Return the counts without the single times."""
        ordered = sorted(self.seconds)
        return Summary(
            **{name.name: getattr(self, name.name) for name in fields(self) if name.name != "seconds"},
            answered=len(ordered),
            median=percentile(ordered, 0.5),
            p99=percentile(ordered, 0.99),
            longest=percentile(ordered, 1.0),
        )


@dataclass(frozen=True)
class Summary:
    """The counts of one client, and the times in seconds, 0 without any answer. For the fields see Counts."""

    sent: int
    failed: int
    wrong: int
    dropped: int
    lost: int
    doubled: int
    examples: list[str]
    answered: int
    median: float
    p99: float
    longest: float


def percentile(ordered: list[float], share: float) -> float:
    """Return the value below or at which a share of the ordered values are; 0 without values."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0
