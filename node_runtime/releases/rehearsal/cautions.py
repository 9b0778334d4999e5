"""Facts that a plan warns of: fewer permitted restarts, and settings of the whole OS process that a script changes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from node_runtime.behaviours.upgrade.live_processes import ChildTable, SupervisorProcess
from node_runtime.code import OsProcessSettings
from node_runtime.processes.redaction.text_redaction import shown

MAX_SETTINGS: Final = 5
"""At most this many changed settings are named."""


class ScriptSettings:
    """Finds the settings of the OS process that the script's functions change in the copy of the node."""

    def __init__(self) -> None:
        self._before = OsProcessSettings()
        self._found: dict[str, None] = {}

    @contextmanager
    def not_counted(self) -> Iterator[None]:
        """Ignore changes in the `with` block: a revert undoes what the bodies of modules register."""
        self._compare()
        yield
        self._before = OsProcessSettings()

    def warnings(self) -> list[str]:
        """Return a sentence that names the changed settings, if there are any."""
        self._compare()
        names = [shown(name) for name in self._found]
        if not names:
            return []
        more = f" and {len(names) - MAX_SETTINGS} more" if len(names) > MAX_SETTINGS else ""
        return [
            "The code that the script calls (code_change, children, apply) changes settings of the whole OS process: "
            f"{', '.join(names[:MAX_SETTINGS])}{more}. A downgrade does not restore them. A failed install does, "
            "unless its script has waited (stop, start, restart_child, an asynchronous apply)."
        ]

    def _compare(self) -> None:
        self._found |= dict.fromkeys(change.describe() for change in self._before.changes())


def lowered_intensity(process: SupervisorProcess, before: ChildTable, after: ChildTable) -> str | None:
    """Return a sentence if a lower limit of restarts will apply and earlier restarts count against it; else None.

    A supervisor keeps the times of its restarts when it gets a new class, as in OTP. So restarts from before the
    upgrade count against the new limit.
    """
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
