"""The messages that the copy of the node sends to the node during a rehearsal."""

from __future__ import annotations

import msgspec

from node_runtime.code.old.found_holder import FoundHolder
from node_runtime.protocol.messages import LostData, PlannedChild, RehearsalResult, RehearsedCall
from node_runtime.releases.live_values import LiveValuesFound

from .new_code import NewCode
from .new_modules.bodies import LoadRefusal


class Report(msgspec.Struct, forbid_unknown_fields=True):
    """A message about a rehearsal's progress. Numbers are totals so far.

    `pause` is the seconds that the code_changes took, and `around` the seconds of the rest of the pause. `bodies` is
    the seconds that the bodies took, or None if they did not all run; `body` is the module whose body runs. `code`
    describes the new code, and `refusal` says why it can't be loaded. `cautions` are sentences that the plan repeats as
    warnings. `live_values` are all values of replaced or deleted code; None if they are as in an earlier report.
    `stays` has, by module, what will keep the replaced version. `lost` is known at the end. `results`, `children`,
    `calls`, `cautions` and `code` contain only what was found since the last report.
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
    cautions: list[str] = []
    stays: dict[str, list[FoundHolder]] = {}
    bodies: float | None = 0.0
    body: str | None = None
    code: NewCode | None = None
    refusal: LoadRefusal | None = None
    live_values: LiveValuesFound | None = None
    lost: list[LostData] = []
    complete: bool = False
    error: str | None = None
