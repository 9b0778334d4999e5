"""The history of the operator's visits to processes, and the states of the processes at the last visit."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from hotdash.model.selection import ProcessKey
from node_runtime.protocol import messages as m

MAX_VISITS: Final = 100
MAX_LOOKS: Final = 50
"""The maximum number of processes whose states are kept."""


@dataclass(frozen=True, slots=True)
class Look:
    """The state of a process, and the time at which the node read it."""

    state: m.Term
    at: float


class Visits:
    """The visited processes. The changes of a process's state are counted from the end of the previous visit."""

    def __init__(self) -> None:
        self._keys: list[ProcessKey] = []
        self._at = -1
        self._baselines: OrderedDict[ProcessKey, Look] = OrderedDict()
        self._newest: Look | None = None

    @property
    def present(self) -> ProcessKey | None:
        """The process that is visited now; None before the first visit."""
        return self._keys[self._at] if self._keys else None

    def visit(self, key: ProcessKey) -> None:
        """Go to a process. As in a browser, the history after the present process is forgotten."""
        self.leave()
        if key != self.present:
            self._keys = [*self._keys[: self._at + 1], key][-MAX_VISITS:]
            self._at = len(self._keys) - 1

    def go(self, by: int) -> bool:
        """Go back (-1) or forth (1); return whether there was such a process."""
        if not 0 <= self._at + by < len(self._keys):
            return False
        self.leave()
        self._at += by
        return True

    def ahead(self, by: int) -> int:
        """Return how many processes of the history are behind (-1) or ahead of (1) the visited one."""
        return self._at if by < 0 else len(self._keys) - 1 - self._at

    def see(self, look: Look) -> Look:
        """Store the newest state of the visited process; return the earlier state with which it is compared."""
        key = self.present
        assert key is not None
        self._newest = look
        baseline = self._baselines.setdefault(key, look)
        self._baselines.move_to_end(key)
        if len(self._baselines) > MAX_LOOKS:
            self._baselines.popitem(last=False)
        return baseline

    def leave(self) -> None:
        """End the visit of the process. Its next visit compares with the newest state of this visit."""
        if self.present is not None and self._newest is not None:
            self._baselines[self.present] = self._newest
        self._newest = None
