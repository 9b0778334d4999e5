"""The processes of an operation that have crashed since, according to the crash reports in the log."""

from __future__ import annotations

import re
from typing import Final

from hotdash.model.node_view import NodeView
from node_runtime.protocol import messages as m

from .troubles import cause_of, level_of

_CRASH: Final = re.compile(r"[^()]*<(\d+)>(?: \([^()]*\))? (crashed|ended): ")
"""The beginning of a crash report, with the pid of the process."""


def logged_crashes(operation: m.Operation, node: NodeView) -> dict[int, str]:
    """Return the crash of each process of the operation that has crashed since its begin, as one sentence, by pid."""
    info = None if node.snapshot is None else node.snapshot.info
    if info is None or operation.started < info.started:
        return {}  # the operation and its pids are those of an earlier boot
    pids = {result.pid for result in operation.results}
    found: dict[int, str] = {}
    for event in node.log:
        if event.boot_id == info.boot_id and event.at >= operation.started and level_of(event) == "error":
            crash = _CRASH.match(cause := cause_of(event))
            if crash is not None and int(crash[1]) in pids:
                found[int(crash[1])] = cause
    return found
