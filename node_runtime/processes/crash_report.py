"""Crash reports: one log record for each process that ends because its own code failed.

The record has a sentence as its message, the report as its attribute `report`, and a traceback with the source lines of
the code version that ran. `report_crash` removes the traceback from the exception itself, which callers, links and
monitors get as the exit reason: a traceback would keep the frames of the dead process and their code alive.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Final

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import ProcessKind

from .errors import Exit
from .exit_reasons import describe_reason, is_orderly, reason_is
from .log_context import logging_as
from .pid import Pid

if TYPE_CHECKING:
    from .process import Process

logger: Final = logging.getLogger("node_runtime")
RUNTIME_PACKAGE: Final = __name__.partition(".")[0]


@dataclass(frozen=True, slots=True)
class CrashReport:
    """The description of a crashed process and its exit reason. Follows the crash reports of proc_lib.

    `vsn` is the version of the module that the process ran. `last_message` and `state` are texts without secrets, or ""
    if the process has none.
    """

    pid: Pid
    name: str | None
    kind: ProcessKind
    module: str
    qualname: str
    vsn: str
    parent: Pid
    mailbox: int
    reason: str
    last_message: str
    state: str


def report_crash(
    process: Process, reason: object, error: BaseException, *, vsn: str = "", last_message: str = "", state: str = ""
) -> None:
    """Log the end of `process` unless the end is orderly; `error` is the exception that its code raised.

    If a `Refused` caused the end, only its sentence is logged, without a traceback: the sentence tells an operator what
    to do, and no code has failed.
    """
    if not is_orderly(reason):
        refused = find_refusal(reason)
        reason_text = describe_reason(reason) if refused is None else refused.sentence
        report = CrashReport(
            pid=process.pid,
            name=process.name,
            kind=process.kind,
            module=process.module,
            qualname=process.qualname,
            vsn=vsn,
            parent=process.parent,
            mailbox=len(process.mail or ()),
            reason=reason_text,
            last_message=last_message,
            state=state,
        )
        with logging_as(process):
            if refused is None:
                frames = (type(error), error, user_frames(error.__traceback__))
                logger.error("%s", _sentence(report), exc_info=frames, extra={"report": report})
            else:
                logger.error("%s %s ended: %s", process.kind, process.title(), reason_text, extra={"report": report})
    _forget_frames(error)


def _sentence(report: CrashReport) -> str:
    name = f"{report.name} {report.pid}" if report.name else str(report.pid)
    code = f"{report.module}:{report.qualname}" + (f" {report.vsn}" if report.vsn else "")
    sentence = f"{report.kind} {name} ({code}) crashed: {report.reason}"
    for label, text in (("last message", report.last_message), ("state", report.state)):
        sentence += f"; {label}: {text}" if text else ""
    return sentence


def find_refusal(reason: object) -> Refused | None:
    """Return the Refused that caused an exit, or None if there is none.

    It is `reason` itself, or the reason with which a called process or a child ended.
    """
    while issubclass(type(reason), (Refused, Exit, tuple)):  # isinstance could run user code of other types
        if isinstance(reason, Refused):
            return reason
        if isinstance(reason, Exit):
            reason = reason.reason
        elif isinstance(reason, tuple) and len(reason) == 2 and reason_is(reason[0], "shutdown"):
            reason = reason[1]
        elif isinstance(reason, tuple) and len(reason) == 3 and reason_is(reason[0], "failed_to_start_child"):
            reason = reason[2]
        else:
            return None
    return None


def user_frames(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback from the first frame of user code on, or all of it if no frame is user code."""
    found = traceback
    while found is not None and found.tb_frame.f_globals.get("__name__", "").partition(".")[0] == RUNTIME_PACKAGE:
        found = found.tb_next
    return found or traceback


def _forget_frames(error: BaseException) -> None:
    seen: set[int] = set()
    parts: list[BaseException | None] = [error]
    while parts:
        part = parts.pop()
        if part is None or id(part) in seen:
            continue
        seen.add(id(part))
        part.__traceback__ = None
        parts += (part.__cause__, part.__context__)
        if isinstance(part, BaseExceptionGroup):
            parts += part.exceptions
