"""A warning about supervisors whose new class permits fewer restarts than the old one.

A supervisor keeps the times of its restarts when it gets a new class, as in OTP. So restarts from before the upgrade
count against the new limit.
"""

from __future__ import annotations

import time

from node_runtime.behaviours.upgrade.live_processes import ChildTable, SupervisorProcess


def lowered_intensity(process: SupervisorProcess, before: ChildTable, after: ChildTable) -> str | None:
    """Return a sentence if a lower limit of restarts will apply and earlier restarts count against it; else None."""
    old, new = before.flags, after.flags
    if new.intensity >= old.intensity and new.period <= old.period:
        return None
    counted = sum(at >= time.monotonic() - new.period for at in before.restarts)
    if not counted:
        return None
    limits = f"from {old.intensity} in {old.period:g} s to {new.intensity} in {new.period:g} s"
    left = max(0, new.intensity - counted)
    return (
        f"The upgrade changes the intensity of {process.title()} {limits}. Its {counted} restart{'s' * (counted != 1)} "
        f"of the last {new.period:g} s count{'s' * (counted == 1)} against the new limit: {left or 'no'} more may "
        f"follow before the supervisor ends."
    )
