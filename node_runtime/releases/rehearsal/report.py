"""The messages that the copy of the node sends."""

from __future__ import annotations

import msgspec

from node_runtime.protocol.messages import PlannedChild, RehearsalResult, RehearsedCall

from .bodies import LoadRefusal
from .new_code import NewCode


class Report(msgspec.Struct, forbid_unknown_fields=True):
    """A message about a rehearsal's progress. Numbers are totals so far.

    `bodies` is the time that the bodies took, or None if they did not all run; `body` is the module whose body runs.
    `code` describes the new code, and `refusal` says why it can't be loaded. `results`, `children`, `calls` and `code`
    contain only what was found since the last report.
    """

    processes: int = 0
    reached: int = 0
    failed: int = 0
    unrehearsed: int = 0
    not_given_back: int = 0
    no_way_back: int = 0
    not_compared: int = 0
    pause: float = 0.0
    around: float = 0.0
    results: list[RehearsalResult] = []
    children: list[PlannedChild] = []
    calls: list[RehearsedCall] = []
    bodies: float | None = 0.0
    body: str | None = None
    code: NewCode | None = None
    refusal: LoadRefusal | None = None
    complete: bool = False
    error: str | None = None
