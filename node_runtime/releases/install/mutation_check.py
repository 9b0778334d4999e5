"""Detects code_change callbacks that mutate their argument, after which an install could not be put back exactly.

The rehearsal checks every process. For states that were not rehearsed, an install compares the first few itself, at a
bounded cost because all held processes wait. It does not check the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from node_runtime.behaviours.show.fingerprint import Fingerprint, fingerprint
from node_runtime.behaviours.show.value_readers import ValueReaders
from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess

MAX_STATES = 32
"""At most this many states are compared."""
MAX_PARTS = 300
"""A state with more parts is not compared."""
FINGERPRINT_SECONDS = 0.05


class MutationCheck:
    """The fingerprints of the first few states, taken before code_change got them."""

    def __init__(self) -> None:
        self._fingerprints: dict[int, tuple[BehaviourProcess, Fingerprint]] = {}
        self._not_compared: list[BehaviourProcess] = []
        self._given = 0
        self._readers = ValueReaders()

    def take_fingerprints(self, processes: Sequence[BehaviourProcess], states: Sequence[object]) -> None:
        """Take the fingerprints of states before code_change gets them."""
        left = max(0, MAX_STATES - self._given)
        self._given += len(processes)
        for process, state in zip(processes[:left], states[:left], strict=True):
            taken = fingerprint(state, seconds=FINGERPRINT_SECONDS, max_parts=MAX_PARTS, readers=self._readers)
            if taken is None:
                self._not_compared.append(process)
            else:
                self._fingerprints[process.pid] = process, taken
        self._not_compared += processes[left:]

    def mutated(self) -> Iterator[BehaviourProcess]:
        """Return the processes whose states code_change has mutated, as far as they were compared."""
        return (process for process, taken in self._fingerprints.values() if not taken.still_fits())

    def passes(self, process: BehaviourProcess) -> bool:
        """Return whether the state of a process is unchanged, or was not compared."""
        return process.pid not in self._fingerprints or self._fingerprints[process.pid][1].still_fits()

    def not_compared(self) -> Sequence[BehaviourProcess]:
        """Return the processes whose states were not compared."""
        return self._not_compared
