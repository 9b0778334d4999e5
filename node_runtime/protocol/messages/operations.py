"""Operations, their result for each process, and the entries of the audit log."""

from __future__ import annotations

from typing import Literal

from .plans import Rehearsal
from .struct import AuditRole, WireStruct
from .term import Term


class ProcessResult(WireStruct, frozen=True):
    """The result of an install for one process, with its state before and after the install.

    `seconds` is the time for which the process was held (suspended). A process that runs a coroutine can't be held; for
    such a process, `reason` says that it continues in the old version.
    """

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


class OperationStep(WireStruct, frozen=True):
    """One phase of an operation; `seconds` is the phase's duration, None while it runs."""

    phase: str
    started: float
    seconds: float | None = None


class Operation(WireStruct, frozen=True):
    """An install, a revert or a commit. The node continues it even if the client disconnects.

    A "fallback" is an operation of the parent process: the permanent release did not boot, so another release was
    booted, and that release is permanent now. `outcome` is None while the operation runs. Then it is one of these:

    - "installed": the release is current and on probation
    - "committed": the release is permanent
    - "reverted": the node runs the previous release again; an install is reverted if another worker can't install it
    - "aborted": nothing was touched, or only by functions before the point of no return, and that was undone
    - "put back": the install failed after the point of no return, and was undone exactly
    - "partly put back": the install failed, and not everything could be undone, so the node restarts
    - "partly reverted": a revert over several releases ended at a release in between
    - "restarted": the node restarted before the operation or its probation had ended

    `touched` is the number of affected processes. `results` has the results of some of these processes, failures first.
    `rehearsal` is the rehearsal before the install; it has only the results with a problem. `warnings` are sentences
    about failures after the processes were resumed; these failures don't change the outcome. The `warnings` of an
    aborted install name the functions that were applied and undone. The `direction` of an install is "up", "down" or
    "cold". A "cold" install restarts the node into the release, and ends after the restart.
    """

    id: str
    kind: Literal["install", "commit", "revert", "fallback"]
    from_vsn: str
    to_vsn: str
    who: str
    started: float
    phase: str
    claim: str = ""
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
    steps: tuple[OperationStep, ...] = ()
    results: tuple[ProcessResult, ...] = ()
    touched: int = 0
    rehearsal: Rehearsal | None = None
    warnings: tuple[str, ...] = ()
    direction: Literal["up", "down", "cold"] | None = None
    waits_for: str = ""
    """A clause about the event or condition that a waiting operation awaits."""
    waits_until: float | None = None
    """The time at which the operation gives up; None if it is not waiting, or waits without a limit."""

    @property
    def by(self) -> str:
        """The requester as text: the name of the key, and in parentheses the user that the client claims to be."""
        return requester(self.who, self.claim)

    @property
    def ended_in(self) -> str:
        """The release that runs after an operation with the outcome "installed", "committed" or "reverted".

        An install has the outcome "reverted" if another worker of the node can't install the release.
        """
        return self.from_vsn if (self.kind, self.outcome) == ("install", "reverted") else self.to_vsn


AuditPhase = Literal["intent", "outcome", "event"]


class AuditEntry(WireStruct, frozen=True):
    """One line of the node's audit log.

    A change that a client or a command of the owner requests has two lines: "intent" is written before the change, and
    "outcome" afterwards. Anything else, such as a boot or a refused login, has one line, an "event". `who` is the name
    of the client's key, which the node has verified. `claim` is the user that the client claims to be. If the `role` is
    "local", `who` is an OS user who has changed the node's directory. If it is "node", `who` is the node itself. If it
    is "none", `who` is a client without a valid key. `seq` is the number of the line, and `prev` is the hash of the
    line before: see docs/formats.md.
    """

    at: float
    who: str
    role: AuditRole
    peer: str
    method: str
    subject: str
    phase: AuditPhase
    claim: str = ""
    reason: str | None = None
    plan_id: str | None = None
    outcome: str | None = None
    seq: int = 0
    prev: str = ""


class AuditCheck(WireStruct, frozen=True):
    """The result of a verification of the audit log. The log has the entries `first` to `last`.

    `sentence` says where the chain is anchored, or which line is the first broken line.
    """

    intact: bool
    entries: int
    first: int
    last: int
    sentence: str


def requester(who: str, claim: str) -> str:
    """Return a requester as text: the name of the key, and in parentheses the user that the client claims to be."""
    user = claim.partition("@")[0]
    return who if user in ("", who) else f"{who} ({claim})"
