"""The progress of the running operation: records the phases with their times and reports them to a listener."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from node_runtime.processes.redaction.struct_redaction import redact_struct
from node_runtime.processes.redaction.text_redaction import shown
from node_runtime.protocol.messages import Operation, OperationStep, ProcessResult, Rehearsal
from node_runtime.protocol.messages.operations import requester

OperationKind = Literal["install", "commit", "revert", "fallback"]
OperationOutcome = Literal["installed", "committed", "reverted", "aborted", "put back", "restarted", "partly put back"]
"""The outcomes that `OperationProgress.finish` accepts; the release handler adds "partly reverted"."""


def new_operation(
    kind: OperationKind,
    from_vsn: str,
    to_vsn: str,
    who: str,
    *,
    claim: str = "",
    reason: str | None = None,
) -> Operation:
    """Return a new operation with a new id; its start is the current time."""
    return Operation(
        id=secrets.token_hex(6),
        kind=kind,
        from_vsn=from_vsn,
        to_vsn=to_vsn,
        who=shown(who),
        started=time.time(),
        phase="begun",
        claim=shown(claim),
        reason=None if reason is None else shown(reason),
    )


class OperationProgress:
    """The one running operation of the node.

    `enter` records the time and calls `on_phase`, which must not block. `report` calls `listener`, which may take long,
    so while the install has suspended processes, `report` is called only if the pause is long already. `begun` is
    whether the operation has taken its first step. `abortable` is whether the operation has changed nothing yet and can
    still be aborted. `aborted` is a clause that says who has aborted the operation; None if nobody has.
    """

    def __init__(
        self, operation: Operation, listener: Callable[[Operation], None], on_phase: Callable[[str], None]
    ) -> None:
        self.operation = operation
        self.begun = False
        self.abortable = False
        self.aborted: str | None = None
        self._listener = listener
        self._on_phase = on_phase
        self._phases: list[tuple[str, float]] = []

    @property
    def id(self) -> str:
        """The operation's id."""
        return self.operation.id

    def name_aborter(self, reason: str | None, who: str, claim: str) -> None:
        """Note who aborts the operation, and why."""
        why = f": {shown(reason.rstrip('.'))}" if reason else ""
        waited = f", while it waited for: {self.operation.waits_for}" if self.operation.waits_for else ""
        self.aborted = f"{requester(shown(who), shown(claim))} aborted it{why}{waited}"

    def enter(self, phase: str) -> bool:
        """Begin a phase. Return False, without an effect, if the operation is already in this phase."""
        if self._phases and self._phases[-1][0] == phase:
            return False
        self._phases.append((phase, time.time()))
        self.operation = msgspec.structs.replace(self.operation, waits_for="", waits_until=None)
        self._on_phase(phase)
        return True

    def wait_for(self, clause: str, until: float | None) -> bool:
        """Note what the operation waits for, and the Unix time of the timeout. Return whether the clause is new."""
        clause = shown(clause)
        if clause == self.operation.waits_for:
            return False
        self.operation = msgspec.structs.replace(self.operation, waits_for=clause, waits_until=until)
        return True

    def report(self) -> None:
        """Call the listener with the operation and its phases so far."""
        phase = self._phases[-1][0] if self._phases else "begun"
        self.operation = msgspec.structs.replace(self.operation, phase=phase, steps=self._steps(None))
        self._listener(self.operation)

    def set_rehearsal(self, rehearsal: Rehearsal) -> None:
        """Add the result of the rehearsal to the operation."""
        self.operation = msgspec.structs.replace(self.operation, rehearsal=redact_struct(rehearsal))

    def warn(self, warnings: Iterable[str]) -> None:
        """Add sentences about failures that don't change the outcome."""
        known = self.operation.warnings
        self.operation = msgspec.structs.replace(self.operation, warnings=(*known, *map(shown, warnings)))

    def finish(
        self,
        outcome: OperationOutcome,
        *,
        error: str | None = None,
        pause: float | None = None,
        probation_until: float | None = None,
        results: tuple[ProcessResult, ...] = (),
        touched: int = 0,
    ) -> Operation:
        """Return the operation as ended. `self.operation` does not change.

        The release handler reports the end to the listeners only when the next operation may begin.
        """
        ended = time.time()
        return msgspec.structs.replace(
            self.operation,
            phase="probation" if probation_until is not None else outcome,
            steps=self._steps(ended),
            ended=ended,
            outcome=outcome,
            error=None if error is None else shown(error),
            pause=pause,
            probation_until=probation_until,
            results=results,
            touched=touched,
            waits_for="",
            waits_until=None,
        )

    def _steps(self, ended: float | None) -> tuple[OperationStep, ...]:
        ends = [*(started for _, started in self._phases[1:]), ended]
        return tuple(
            OperationStep(phase=phase, started=started, seconds=None if end is None else max(0.0, end - started))
            for (phase, started), end in zip(self._phases, ends, strict=False)
        )
