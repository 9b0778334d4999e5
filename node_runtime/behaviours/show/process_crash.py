"""The crash report of a process with callbacks: its last message and its state, redacted for the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from node_runtime.processes.crash_report import refusal, report_crash
from node_runtime.processes.errors import is_orderly
from node_runtime.processes.process import Item
from node_runtime.protocol.term_text import short

from .log_format import cut, limits, message_line

if TYPE_CHECKING:
    from node_runtime.behaviours.behaviour_process import BehaviourProcess


def report(process: BehaviourProcess, reason: object, error: BaseException, item: Item | None) -> None:
    """Log the exit of `process` with `reason` unless it is an orderly one.

    `item` is the message that it was handling, None while it terminated. Orderly exits, which are the most frequent
    ones, describe nothing.
    """
    if is_orderly(reason) or refusal(reason) is not None:
        report_crash(process, reason, error)
        return
    from .state_view import shown  # it imports all behaviours, and they import this module

    has_state = hasattr(process.instance, process.value)
    state = short(shown(type(process.instance), process.raw_state(), limits())) if has_state else ""
    message = "terminate" if item is None else message_line(item, type(process.instance))
    vsn = process.runtime.vsn_of(process.module, process.namespace)
    report_crash(process, reason, error, vsn=vsn, last_message=message, state=cut(state))
