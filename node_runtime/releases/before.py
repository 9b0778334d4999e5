"""What processes were before their code_change, which is given the very state and may change it before it fails.

Looking is part of the pause, so it ends after `LOOKING_SECONDS` for all processes together: of the rest nothing is
claimed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from node_runtime.behaviours.describe import Limits
from node_runtime.behaviours.fingerprint import Fingerprint, fingerprint
from node_runtime.behaviours.process import BehaviourProcess
from node_runtime.behaviours.shown import shown
from node_runtime.protocol.messages import Term

LOOKING_SECONDS = 0.05
RESULTS = 100
"""How many processes an operation's results tell of."""


@dataclass(frozen=True, slots=True)
class Before:
    """One process's state before its code_change: as people see it and to compare; None where there was no time."""

    term: Term | None
    print: Fingerprint | None

    def is_changed(self) -> bool:
        """Whether the state is known to be another one now."""
        return self.print is not None and not self.print.still_fits()

    def is_same(self) -> bool:
        """Whether the state is known to be what it was."""
        return self.print is not None and self.print.still_fits()


class Looking:
    """The time that is left to look at states."""

    def __init__(self) -> None:
        self._left = LOOKING_SECONDS
        self._shown = 0

    def at(self, process: BehaviourProcess, state: object) -> Before:
        """Look at the state that the process's code_change is about to be given."""
        began = time.perf_counter()
        noted = fingerprint(state, seconds=self._left) if self._left > 0 else None
        left = self._left - (time.perf_counter() - began)
        term = None
        if left > 0 and self._shown < RESULTS:
            self._shown += 1
            term = shown(type(process.instance), state, limits(left))
        self._left -= time.perf_counter() - began
        return Before(term, noted)


def limits(seconds: float) -> Limits:
    """How much of a state results show, looked at for at most `seconds`."""
    return Limits(depth=8, parts=50, terms=400, size=10_000, text=200, seconds=max(0.0, seconds))
