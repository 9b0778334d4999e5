"""Tries, in the copy of the node, to convert messages, timers, events and arguments that hold values of replaced code.

The install converts them in the same way: see `install/pending_conversion.py` and `install/argument_conversion.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from msgspec.structs import replace

from node_runtime.behaviours.upgrade.live_processes import (
    RestartArguments,
    SupervisorProcess,
    pending_values,
)
from node_runtime.code import Batch
from node_runtime.processes.process import Process
from node_runtime.processes.runtime import Runtime
from node_runtime.protocol.messages import ValuePlace
from node_runtime.releases.migration import Converter, LostField, Obstacle, namespaces_of, shapes_for

from .held_values import HeldValue

PENDING_PLACES: Final[tuple[ValuePlace, ...]] = ("message", "timer", "timeout", "postponed event")
"""The install converts the values in these places by the default migration, even if there is a code_change."""
ARGUMENT_PLACES: Final[tuple[ValuePlace, ...]] = ("child arguments", "start arguments")
"""The install also converts the values in these places of supervisors, in the turn that switches the code."""
TRIALS_SECONDS: Final = 5.0
"""Processor time of all trials together."""
CLOCK_SECONDS: Final = 20.0
"""Time limit of all trials together by the clock: a trial that waits uses no processor time."""
Guard = Callable[[Callable[[], object]], bool]
"""Calls a function that may run code of the release, with a time limit. Returns whether the call succeeded."""


class PendingTrials:
    """The trial conversions of one rehearsal.

    `lost` has the fields that values have and the target lacks, each with the process that holds the value.
    """

    def __init__(self, batch: Batch, guard: Guard) -> None:
        self.lost: list[tuple[Process, LostField]] = []
        self.unknown: set[int] = set()
        """The pids of the processes whose values could not all be tried."""
        self._converter = Converter(shapes_for(namespaces_of(batch)))
        self._guard = guard

    def obstacles(self, values: Mapping[int, HeldValue]) -> dict[int, Obstacle]:
        """Try to convert `values`.

        Return the reason for each value that can't be converted, by its number in `values`.
        """
        found: dict[int, Obstacle] = {}
        until, until_cpu = time.monotonic() + CLOCK_SECONDS, time.process_time() + TRIALS_SECONDS
        by_process: dict[int, list[tuple[int, HeldValue]]] = {}
        for number, held in values.items():
            by_process.setdefault(int(held.process.pid), []).append((number, held))
        for pid, of_process in by_process.items():
            late = time.monotonic() > until or time.process_time() > until_cpu
            if late or not self._guard(partial(self._try, of_process, found)):
                self.unknown.add(pid)
        return found

    def convert_pending(self, node: Runtime) -> None:
        """Give all processes the converted messages, timers and events, as the install does when it resumes them."""
        for pending in pending_values(node):
            done = self._converter.convert(pending.values)
            if not done.obstacles:
                pending.replace(done.value)

    def convert_arguments(self, supervisors: Iterable[Process]) -> None:
        """Give supervisors the converted arguments, as the install does when it switches the code."""
        for process in supervisors:
            if isinstance(process, SupervisorProcess):
                arguments = RestartArguments(process)
                done = self._converter.convert(arguments.values)
                if not done.obstacles:
                    arguments.replace(done.value)

    def _try(self, values: Iterable[tuple[int, HeldValue]], found: dict[int, Obstacle]) -> None:
        for number, held in values:
            done = self._converter.convert(held.value)
            if done.obstacles:
                found[number] = done.obstacles[0]
            self.lost += [(held.process, replace(one, path=f"{held.place}{one.path}")) for one in done.lost]
