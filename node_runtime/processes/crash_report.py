"""Crash reports: one log record for each process that ends because its own code failed.

The record has the report as its attribute `report`, besides the sentence for people, and the traceback: the lines of
the code version that ran. The reason that travels on, to callers, links and monitors, loses its traceback here: it
would keep the frames of the dead alive, and with them the code that they run.
"""

from __future__ import annotations

import logging
import reprlib
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Final

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Kind

from .errors import Exit, describe_reason, is_orderly, is_word
from .log_context import on_behalf_of
from .pid import Pid

if TYPE_CHECKING:
    from .process import Process

logger: Final = logging.getLogger("node_runtime")
OURS: Final = __name__.partition(".")[0]

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 200


@dataclass(frozen=True, slots=True)
class CrashReport:
    """Why a process ended. Follows the crash reports of proc_lib.

    `vsn` is the version of the module that it ran; `last_message` and `state` are shown as people may see them, or ""
    where the process has none.
    """

    pid: Pid
    name: str | None
    kind: Kind
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
    """Log the end of `process` unless it is an orderly one; `error` is what its code raised.

    A refusal is said in its one sentence: it tells an operator what to do, and no code has failed.
    """
    if not is_orderly(reason):
        refused = refusal(reason)
        said = describe_reason(reason) if refused is None else refused.sentence
        report = CrashReport(
            pid=process.pid,
            name=process.name,
            kind=process.kind,
            module=process.module,
            qualname=process.qualname,
            vsn=vsn,
            parent=process.parent,
            mailbox=len(process.mail or ()),
            reason=said,
            last_message=last_message,
            state=state,
        )
        with on_behalf_of(process):
            if refused is None:
                frames = (type(error), error, frames_of_users(error.__traceback__))
                logger.error("%s", _sentence(report), exc_info=frames, extra={"report": report})
            else:
                logger.error("%s %s refused: %s", process.kind, process.title(), said, extra={"report": report})
    _forget_frames(error)


def _sentence(report: CrashReport) -> str:
    name = f"{report.name} {report.pid}" if report.name else str(report.pid)
    code = f"{report.module}:{report.qualname}" + (f" {report.vsn}" if report.vsn else "")
    said = f"{report.kind} {name} ({code}) crashed: {report.reason}"
    for what, shown in (("last message", report.last_message), ("state", report.state)):
        said += f"; {what}: {shown}" if shown else ""
    return said


def refusal(reason: object) -> Refused | None:
    """The refusal that a reason comes from: itself, that of a process that was asked, or that of a child."""
    while issubclass(type(reason), (Refused, Exit, tuple)):  # of anything else nothing is asked: see is_word
        if isinstance(reason, Refused):
            return reason
        if isinstance(reason, Exit):
            reason = reason.reason
        elif isinstance(reason, tuple) and len(reason) == 2 and is_word(reason[0], "shutdown"):
            reason = reason[1]
        elif isinstance(reason, tuple) and len(reason) == 3 and is_word(reason[0], "failed_to_start_child"):
            reason = reason[2]
        else:
            return None
    return None


def frames_of_users(traceback: TracebackType | None) -> TracebackType | None:
    """A traceback from where the runtime called somebody's code; all of it where it never did."""
    found = traceback
    while found is not None and found.tb_frame.f_globals.get("__name__", "").partition(".")[0] == OURS:
        found = found.tb_next
    return found or traceback


def shown(message: object) -> str:
    """A message in one bounded line, whatever its own `repr` does."""
    try:
        return _short.repr(message)
    except BaseException as error:
        return f"<{type(message).__name__} whose repr raised {type(error).__name__}>"


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
