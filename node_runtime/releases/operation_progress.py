"""An operation while it runs: its phases as they come, told to whoever follows it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Literal

import msgspec

from node_runtime.protocol.messages import Operation, ProcessResult, Rehearsal, Step

Outcome = Literal["installed", "committed", "reverted", "aborted", "put back", "restarted", "partly put back"]
"""What `Progress` may end with; the handler says more of an operation that came part of its way."""


class Progress:
    """The one operation of the node. Entering a phase only notes the time, and tells `phases`, which must not
    wait; `tell` speaks, outside of the pause.
    """

    def __init__(
        self,
        kind: Literal["install", "commit", "revert", "fallback"],
        from_vsn: str,
        to_vsn: str,
        who: str,
        listener: Callable[[Operation], None],
        phases: Callable[[str], None],
        *,
        reason: str | None = None,
        plan_id: str | None = None,
    ) -> None:
        self.operation = Operation(
            id=secrets.token_hex(6),
            kind=kind,
            from_vsn=from_vsn,
            to_vsn=to_vsn,
            who=who,
            started=time.time(),
            phase="begun",
            reason=reason,
            plan_id=plan_id,
        )
        self._listener = listener
        self._phases = phases
        self._steps: list[tuple[str, float]] = []

    @property
    def id(self) -> str:
        """The operation's id."""
        return self.operation.id

    def enter(self, phase: str) -> bool:
        """The next phase begins; False if it is the present one."""
        if self._steps and self._steps[-1][0] == phase:
            return False
        self._steps.append((phase, time.time()))
        self._phases(phase)
        return True

    def tell(self) -> None:
        """Report the phases so far."""
        phase = self._steps[-1][0] if self._steps else "begun"
        self.operation = msgspec.structs.replace(self.operation, phase=phase, steps=self._timed(None))
        self._listener(self.operation)

    def rehearsed(self, rehearsal: Rehearsal) -> None:
        """Keep how the rehearsal went."""
        self.operation = msgspec.structs.replace(self.operation, rehearsal=rehearsal)

    def finish(
        self,
        outcome: Outcome,
        *,
        error: str | None = None,
        pause: float | None = None,
        probation_until: float | None = None,
        results: tuple[ProcessResult, ...] = (),
        touched: int = 0,
    ) -> Operation:
        """It is over. Returns the operation as it stays; the listener is not told.

        `operation` stays the one that still runs: nobody is to hear of an end before the next operation may begin.
        """
        ended = time.time()
        return msgspec.structs.replace(
            self.operation,
            phase="probation" if probation_until is not None else outcome,
            steps=self._timed(ended),
            ended=ended,
            outcome=outcome,
            error=error,
            pause=pause,
            probation_until=probation_until,
            results=results,
            touched=touched,
        )

    def _timed(self, ended: float | None) -> tuple[Step, ...]:
        ends = [*(started for _, started in self._steps[1:]), ended]
        return tuple(
            Step(phase=phase, started=started, seconds=None if end is None else max(0.0, end - started))
            for (phase, started), end in zip(self._steps, ends, strict=False)
        )
