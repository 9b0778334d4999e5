"""Rehearses the way back of one process: converts its new state to a state of the running version again.

The result is checked as strictly as in an install, and compared with the old state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from node_runtime.behaviours.show.fingerprint import fingerprint, have_equal_parts
from node_runtime.behaviours.show.value_readers import ValueReaders
from node_runtime.code.classes.record_fields import is_cached
from node_runtime.releases.migration import LostField

from .code_change_plan import ClassPlan
from .guarded_call import CallVerdict, GuardedCaller
from .script_steps import ProcessCodeChange
from .states.state_check import check_state

FINGERPRINT_MAX_PARTS: Final = 200_000
FINGERPRINT_SECONDS: Final = 0.5
"""Time limit for taking the fingerprint of a state, and for comparing a state with its fingerprint."""


@dataclass(slots=True)
class WayBack:
    """The result of rehearsing the way back of one process: the conversion of its new state to the old version.

    `given_back` is whether the converted state equals the old state; None if that is unknown. If the two differ,
    `message` and `trace` say why. `failed` is whether an install in this direction would fail. `lost` has the fields
    that the conversion drops.
    """

    given_back: bool | None = None
    message: str | None = None
    trace: tuple[str, ...] = ()
    failed: bool = False
    lost: Sequence[LostField] = ()


def rehearse_way_back(
    caller: GuardedCaller, plan: ClassPlan, part: ProcessCodeChange, old: Any, new: Any, readers: ValueReaders
) -> WayBack:
    """Convert the state `new`, which was made from `old`, back to a state of the running version.

    If the rehearsed transition is a downgrade, the result is not compared with `old`: the older version's state lacks
    everything that the newer version has added.
    """
    verdict, back = CallVerdict(), WayBack()
    up = part.change.direction == "up"
    script = "the downgrade" if up else "the upgrade back"
    what = f"{script}, which has no code_change for this module," if plan.back is None else script
    before = fingerprint(new, seconds=FINGERPRINT_SECONDS, max_parts=FINGERPRINT_MAX_PARTS, readers=readers, alone=True)

    def take_back() -> None:
        returned, back.lost = (new, ()) if plan.back is None else plan.back(new)
        check_state(part.process, returned, plan.running, new, plan.new, what)
        if up:
            back.given_back = have_equal_parts(
                old, returned, seconds=FINGERPRINT_SECONDS, max_parts=FINGERPRINT_MAX_PARTS, left_out=is_cached
            )
            if back.given_back is False:
                back.message = f"{what} does not restore the old state"

    caller.call(verdict, script, take_back)
    if verdict.outcome != "unrehearsed" and before is not None and not before.still_fits():
        verdict.record("mutated", f"{script} mutates the state that it is given")
    if verdict.outcome == "unrehearsed":
        back.given_back, back.message = None, None
    elif verdict.outcome != "ok":
        back.given_back, back.message, back.trace, back.failed = False, verdict.message, verdict.trace, True
    return back
