"""Operations and what they did to each process; the audit's entries."""

from __future__ import annotations

from typing import Literal

from .plans import Rehearsal
from .struct import Role, Struct
from .term import Term


class ProcessResult(Struct, frozen=True):
    """What an install did to one process, with its state before and after; `seconds` is for how long it was held."""

    pid: int
    name: str | None
    module: str
    action: Literal["load", "suspend", "migrate"]
    old_vsn: str
    new_vsn: str
    outcome: Literal["ok", "failed", "died", "put back"]
    seconds: float
    before: Term
    after: Term
    reason: str | None = None


class Step(Struct, frozen=True):
    """One phase of an operation, with its duration once it has ended."""

    phase: str
    started: float
    seconds: float | None = None


class Operation(Struct, frozen=True):
    """An install, a revert or a commit: it belongs to the node and goes on when the client is gone.

    A "fallback" was the parent's: the permanent release did not boot, and the one that did took its place.
    `outcome`: None while it runs; "installed" (current, on probation), "committed", "reverted", "aborted"
    (nothing was touched), "put back" (failed after the bar and undone exactly), "restarted", "partly put back" or
    "partly reverted" (a way back over several releases ended at one between).
    `touched` is how many processes it was about; `results` tells of some of them, of those that failed first.
    `rehearsal`, before the hold: of its results only those that went otherwise than well are kept.
    """

    id: str
    kind: Literal["install", "commit", "revert", "fallback"]
    from_vsn: str
    to_vsn: str
    who: str
    started: float
    phase: str
    reason: str | None = None
    plan_id: str | None = None
    ended: float | None = None
    outcome: (
        Literal[
            "installed",
            "committed",
            "reverted",
            "aborted",
            "put back",
            "restarted",
            "partly put back",
            "partly reverted",
        ]
        | None
    ) = None
    error: str | None = None
    pause: float | None = None
    probation_until: float | None = None
    steps: tuple[Step, ...] = ()
    results: tuple[ProcessResult, ...] = ()
    touched: int = 0
    rehearsal: Rehearsal | None = None


class AuditEntry(Struct, frozen=True):
    """One line of the node's audit: the intent is written before the act, the outcome after it."""

    at: float
    who: str
    role: Role
    peer: str
    method: str
    subject: str
    phase: Literal["intent", "outcome"]
    reason: str | None = None
    plan_id: str | None = None
    outcome: str | None = None
