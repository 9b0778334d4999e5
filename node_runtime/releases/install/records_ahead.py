"""Makes new objects of a default migration before the install holds the processes, in turn with other callbacks.

Only small objects (records) in the states are made ahead. So the time for which processes are held does not grow with
the number of records: see `node_runtime.releases.migration.ahead`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Final

from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess, CallbackVersion
from node_runtime.code import Batch
from node_runtime.processes.process import DEAD
from node_runtime.processes.runtime import runtime
from node_runtime.releases.migration import MadeAhead, inherits_code_change, namespaces_of, shapes_for
from node_runtime.releases.planning import conditions
from node_runtime.releases.planning.loop_slices import LoopSlices
from node_runtime.releases.planning.transition import Transition

SLICE_SECONDS: Final = 0.0005
"""The event loop is stopped for at most this time before other callbacks get their turn."""
LIMIT_SECONDS: Final = 30.0
"""Time limit for making objects ahead. The remaining objects are made while the processes are held."""
MAX_PASSES: Final = 3
ENOUGH: Final = 50
"""The last pass is the first one that finds fewer new records than this."""


async def make_ahead(transition: Transition, batch: Batch) -> MadeAhead:
    """Make the new objects for the records in the states of all processes that the default migration will migrate."""
    ahead = MadeAhead(shapes_for(namespaces_of(batch)))
    deadline = time.monotonic() + LIMIT_SECONDS
    for _ in range(MAX_PASSES):
        before = len(ahead)
        if not await _within(deadline, _steps(transition, batch, ahead)) or len(ahead) - before < ENOUGH:
            break
    await _within(math.inf, ahead.close())
    return ahead


async def release_ahead(ahead: MadeAhead) -> None:
    """Drop the new objects and the old records, with pauses for other callbacks of the event loop."""
    await _within(math.inf, ahead.release())


def _steps(transition: Transition, batch: Batch, ahead: MadeAhead) -> Iterator[None]:
    wanted: dict[CallbackVersion, bool] = {}
    for process in list(runtime().processes.values()):
        yield
        if not isinstance(process, BehaviourProcess) or process.run_state is DEAD:
            continue
        if process.code not in wanted:
            wanted[process.code] = process.kind != "supervisor" and _migrates_by_default(process, transition, batch)
        if wanted[process.code]:
            yield from ahead.make(process.raw_state())


def _migrates_by_default(process: BehaviourProcess, transition: Transition, batch: Batch) -> bool:
    """Return whether the install migrates `process`, and neither version of its class defines a code_change."""
    code = process.code
    if code.module not in transition.migrated:
        return False
    target = conditions.class_in(batch.namespace(code.module), code.qualname)
    is_default = target is not None and hasattr(target, "code_change") and inherits_code_change(target)
    return is_default and inherits_code_change(type(process.instance))


async def _within(deadline: float, steps: Iterator[None]) -> bool:
    """Take all `steps`, with other callbacks in between; return False if `deadline` passes first."""
    slices = LoopSlices(SLICE_SECONDS)
    for _ in steps:
        if slices.is_over:
            await slices.give_way()
            if time.monotonic() > deadline:
                return False
    return True
