"""The statements of a plan: a text for each blocker and warning, and for all that is new in newer plans.

The known fields are those of the plans that said nothing of the values that live processes hold. So a case judges what
a plan says, not in which field.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

SILENT_FIELDS: Final = frozenset(
    {
        *("id", "direction", "from_vsn", "to_vsn", "generation", "modules", "processes", "instructions", "children"),
        *("configuration", "point_of_no_return", "way_back", "nothing_to_do", "irreversible", "pause", "rehearsal"),
    }
)
SILENT_KEYS: Final = frozenset(
    {"pid", "name", "module", "kind", "action", "step", "application", "old_vsn", "new_vsn", "needs"}
)
SILENT_ACTIONS: Final = frozenset({"load", "suspend", "migrate", "stop", "kill", "add", "delete"})


def statements(plan: dict[str, Any]) -> list[str]:
    """The texts of a plan; one about a process ends with its pid in angle brackets."""
    said = [f"{one['reason']}; {one['remedy']} <{one['pid']}>" for one in plan["blockers"]] + list(plan["warnings"])
    for field in sorted(plan.keys() - SILENT_FIELDS - {"blockers", "warnings"}):
        entries = plan[field] if isinstance(plan[field], list) else [plan[field]]
        said += [_text(entry) for entry in entries if entry]
    for entry in (*plan["processes"], *plan["modules"]):
        if entry["action"] not in SILENT_ACTIONS or any(entry[key] for key in entry.keys() - SILENT_KEYS):
            said.append(_text(entry))
    return said


def mentions(plan: dict[str, Any], patterns: tuple[str, ...], process: str | None, pid: int | None) -> bool:
    """Returns whether one statement has a match of all patterns, as whole words, and names the process, if any."""
    wanted = [re.compile(rf"(?<!\w)(?:{pattern})(?!\w)") for pattern in patterns]
    if process is not None:
        by_pid = f"|<{pid}>" if pid else ""
        wanted.append(re.compile(rf"(?<![\w.]){re.escape(process)}(?!\w|\.\w){by_pid}"))
    return any(all(pattern.search(text) for pattern in wanted) for text in statements(plan))


def _text(entry: object) -> str:
    pid = f" <{entry['pid']}>" if isinstance(entry, dict) and "pid" in entry else ""
    return json.dumps(entry, ensure_ascii=False) + pid
