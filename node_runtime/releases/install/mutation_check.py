"""Detects code_change callbacks that mutate the old state. An install can't put such a state back exactly.

The rehearsal checks every process. An install checks only the first few states, and only small ones, because the
suspended processes wait for the check.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from node_runtime.behaviours.show.fingerprint import Fingerprint, fingerprint
from node_runtime.behaviours.show.value_readers import ValueReaders
from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess
from node_runtime.releases.planning.conditions import process_label

MAX_STATES = 32
"""An install compares at most this many states."""
MAX_PARTS = 300
"""A state with more parts (values inside it) is not compared."""
FINGERPRINT_SECONDS = 0.05
MAX_PROCESSES_NAMED = 3
"""A message names at most this many processes."""


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

    def describe_unchecked(self) -> str | None:
        """Return a clause that names the processes whose states were not checked for mutation; None if all were."""
        unchecked = self._not_compared
        return f"not checked for mutation: the state of {names(unchecked)}" if unchecked else None


def names(processes: Iterable[BehaviourProcess]) -> str:
    """Return the labels of the first few processes, and the number of the other processes, as one text."""
    every = list(processes)
    more = f" and {len(every) - MAX_PROCESSES_NAMED} more" if len(every) > MAX_PROCESSES_NAMED else ""
    return ", ".join(process_label(process) for process in every[:MAX_PROCESSES_NAMED]) + more
