"""Whether code_change left the states alone that it was given: it must not change them, or nothing can be put back.

The rehearsal finds out for every process. Where a state has not been rehearsed, an install compares those of the first
few, at a bounded cost since everybody waits; of the rest nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from node_runtime.behaviours.show.fingerprint import Fingerprint, fingerprint
from node_runtime.behaviours.show.value_readers import Kinds
from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess

COMPARED = 32
"""How many states are compared with what they were."""
PARTS = 300
"""Of how many parts a state may be made to be compared."""
SECONDS = 0.05


class Noted:
    """What the first few states were before code_change was given them."""

    def __init__(self) -> None:
        self._prints: dict[int, tuple[BehaviourProcess, Fingerprint]] = {}
        self._unknown: list[BehaviourProcess] = []
        self._given = 0
        self._kinds = Kinds()

    def note(self, processes: Sequence[BehaviourProcess], states: Sequence[object]) -> None:
        """These processes' states are about to be given to code_change."""
        left = max(0, COMPARED - self._given)
        self._given += len(processes)
        for process, state in zip(processes[:left], states[:left], strict=True):
            noted = fingerprint(state, seconds=SECONDS, max_parts=PARTS, kinds=self._kinds)
            if noted is None:
                self._unknown.append(process)
            else:
                self._prints[process.pid] = process, noted
        self._unknown += processes[left:]

    def changed(self) -> Iterator[BehaviourProcess]:
        """The processes whose states are known to be other ones now."""
        return (process for process, noted in self._prints.values() if not noted.still_fits())

    def fits(self, process: BehaviourProcess) -> bool:
        """Whether nothing is known that speaks against its state being what it was."""
        return process.pid not in self._prints or self._prints[process.pid][1].still_fits()

    def unknown(self) -> Sequence[BehaviourProcess]:
        """The processes whose states were not compared."""
        return self._unknown
