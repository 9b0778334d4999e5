"""The current callback of a process, its waits, its oldest messages, and the exits of its predecessors."""

from __future__ import annotations

from itertools import islice
from typing import Final

from node_runtime.behaviours.show.describe import DescribeLimits, describe, is_hidden
from node_runtime.behaviours.show.log_format import named_arguments
from node_runtime.behaviours.show.secret_fields import Declaration
from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess
from node_runtime.processes.process import MailItem, Process, request_arguments
from node_runtime.processes.redaction.named_secrets import REDACTED
from node_runtime.processes.redaction.text_redaction import shown
from node_runtime.processes.runtime import Runtime
from node_runtime.protocol.escape import escape
from node_runtime.protocol.messages import ProcessExit, Term

MAX_MAIL: Final = 10
"""The maximum number of queued messages that are described."""
MAX_EXITS: Final = 5
"""The maximum number of ends of predecessors."""
MAX_ARGUMENTS: Final = 6
"""The maximum number of arguments of a queued request that are described."""
_MAIL_LIMITS: Final = DescribeLimits(depth=3, parts=8, terms=40, size=2000, text=100, seconds=0.001)


def running_callback(process: Process) -> str | None:
    """Return the name of the async callback that the process runs; None if it runs none."""
    callback = process.current_callback()
    return None if callback is None else escape(callback)


def waited_for(process: Process) -> tuple[int, ...]:
    """Return the processes whose reply or exit the current callback awaits."""
    return tuple(int(other.pid) for other in list(process.waits_for()))


def oldest_mail(process: Process) -> tuple[Term, ...]:
    """Return descriptions of the oldest queued messages, redacted and short."""
    try:
        items = list(islice(process.mail or (), MAX_MAIL))
    except RuntimeError:  # the control thread reads it while the event loop changes it
        return ()
    cls = type(process.instance) if isinstance(process, BehaviourProcess) else None
    return tuple(_described(item, cls) for item in items)


def predecessors(runtime: Runtime, process: Process) -> tuple[ProcessExit, ...]:
    """Return the last exits of processes that had the same name, or the same parent and code."""
    found = (
        ProcessExit(
            pid=int(one.pid), started=one.started, ended=one.ended, reason=shown(one.reason), orderly=one.orderly
        )
        for one in runtime.exit_log.newest(2 * MAX_EXITS * 40)
        if (one.name == process.name if process.name else one.name is None and _place(one) == _place(process))
    )
    return tuple(islice(found, MAX_EXITS))


def _place(process: object) -> tuple[object, ...]:
    parent = getattr(process, "parent", None)
    return parent or None, getattr(process, "module", ""), getattr(process, "qualname", "")


def _described(item: MailItem, cls: type[object] | None) -> Term:
    tag = item[0]
    if tag is None:
        return describe(item[1], _MAIL_LIMITS)
    if not isinstance(tag, str):
        return Term(type="system message", text=escape(str(tag)))
    method = next((vars(one)[tag] for one in (() if cls is None else cls.__mro__) if tag in vars(one)), None)
    given = named_arguments(method, *request_arguments(item))[:MAX_ARGUMENTS]
    parts = tuple((shown(name), _argument(name, value, declared)) for name, value, declared in given)
    return Term(type="cast" if item[3] is None else "call", text=shown(tag), items=parts)


def _argument(name: str, value: object, declared: Declaration | None) -> Term:
    if name and is_hidden(name, value):
        return Term(type=type(value).__name__, text=REDACTED)
    return describe(value, _MAIL_LIMITS, declared=declared)
