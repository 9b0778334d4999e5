"""Detects code_change callbacks that mutate the old state. An install can't put such a state back exactly.

The rehearsal checks every process. An install checks only the first few states, and only small ones, because the
suspended processes wait for the check.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from node_runtime.behaviours.show.fingerprint import Fingerprint, fingerprint
from node_runtime.behaviours.show.value_readers import ValueReaders
from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess

MAX_STATES = 32
"""An install compares at most this many states."""
MAX_PARTS = 300
"""A state with more parts (values inside it) is not compared."""
FINGERPRINT_SECONDS = 0.05


class MutationCheck:
    """The fingerprints of the first few old states, taken before code_change is called with the states."""

    def __init__(self) -> None:
        self._fingerprints: dict[int, tuple[BehaviourProcess, Fingerprint]] = {}
        self._not_compared: list[BehaviourProcess] = []
        self._given = 0
        self._readers = ValueReaders()

    def take_fingerprints(self, processes: Sequence[BehaviourProcess], states: Sequence[object]) -> None:
        """Take the fingerprints of at most `MAX_STATES` old states. Call this before code_change."""
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
        """Return the processes whose old states were compared and have been mutated."""
        return (process for process, taken in self._fingerprints.values() if not taken.still_fits())

    def passes(self, process: BehaviourProcess) -> bool:
        """Return whether the old state of a process is unchanged. A state that was not compared counts as unchanged."""
        return process.pid not in self._fingerprints or self._fingerprints[process.pid][1].still_fits()

    def not_compared(self) -> Sequence[BehaviourProcess]:
        """Return the processes whose states were not compared."""
        return self._not_compared
