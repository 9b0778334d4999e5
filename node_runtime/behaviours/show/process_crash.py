"""The crash report of a process with callbacks: its last message and its state, without secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from node_runtime.processes.crash_report import refusal, report_crash
from node_runtime.processes.exit_reasons import is_orderly
from node_runtime.processes.process import Item
from node_runtime.protocol.term_text import short

from .log_format import cut, limits, message_line
from .state_view import shown

if TYPE_CHECKING:
    from node_runtime.behaviours.behaviour_process import BehaviourProcess


def report(process: BehaviourProcess, reason: object, error: BaseException, item: Item | None) -> None:
    """Log the end of `process` for `reason` unless it is an orderly one.

    `item` is the mail that it was handling, None while it terminated. Most ends are orderly, so the mail and the state
    are described only for a report that shows them.
    """
    if is_orderly(reason) or refusal(reason) is not None:
        report_crash(process, reason, error)
        return
    has_state = hasattr(process.instance, process.state_attribute)
    state = short(shown(type(process.instance), process.raw_state(), limits())) if has_state else ""
    message = "terminate" if item is None else message_line(item, type(process.instance))
    vsn = process.runtime.vsn_of(process.module, process.namespace)
    report_crash(process, reason, error, vsn=vsn, last_message=message, state=cut(state))
