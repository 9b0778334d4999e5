"""The crash report of a process with callbacks: its last message and its state, without secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from node_runtime.processes.crash_report import find_refusal, report_crash
from node_runtime.processes.exit_reasons import is_orderly
from node_runtime.processes.process import MailItem
from node_runtime.protocol.clip import clip
from node_runtime.protocol.term_text import term_line

from .log_format import MAX_LINE_LENGTH, line_limits, message_line
from .state_view import describe_state

if TYPE_CHECKING:
    from node_runtime.behaviours.behaviour_process import BehaviourProcess


def report_process_crash(
    process: BehaviourProcess, reason: object, error: BaseException, item: MailItem | None
) -> None:
    """Log that `process` exits with `reason`, unless the exit is orderly.

    `item` is the message that the process was handling; None if `terminate` failed.
    """
    if is_orderly(reason) or find_refusal(reason) is not None:
        report_crash(process, reason, error)
        return
    state = (
        term_line(describe_state(type(process.instance), process.raw_state(), line_limits()))
        if process.has_state()
        else ""
    )
    message = "terminate" if item is None else message_line(item, type(process.instance))
    vsn = process.runtime.vsn_of(process.module, process.namespace)
    report_crash(process, reason, error, vsn=vsn, last_message=message, state=clip(state, MAX_LINE_LENGTH))
