"""Crash reports: one log record for each process that ends because its own code failed; and a counter of failures.

The record's message is a sentence, its attribute `report` is the report, and its traceback has the source lines of the
code version that ran. Callers, links and monitors get the exception as the exit reason, but without the traceback,
which would keep the frames of the dead process and their code alive.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Final

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import ProcessKind

from .errors import Exit
from .exit_reasons import describe_reason, is_orderly, reason_is
from .log_context import logging_as
from .pid import Pid
from .runtime import runtime

if TYPE_CHECKING:
    from .process import Process

logger: Final = logging.getLogger("node_runtime")
RUNTIME_PACKAGE: Final = __name__.partition(".")[0]
MAX_TRACE_ERRORS: Final = 6
"""The maximum number of errors in the trace of a crash report: the error itself, its causes and members of groups."""
MAX_TRACE_CALLS: Final = 12
"""From each end of an error's traceback, a trace keeps at most this many calls."""
COUNTED: Final = "counted_failure"
"""The attribute of a log record that says that `FailureCounter` has counted the failure."""


class FailureCounter:
    """Counts the failures of a runtime since its start.

    The code that sees a failure counts it. Counting log records instead would be unreliable: a program can disable each
    logger and handler.
    """

    def __init__(self) -> None:
        self.crashes = 0
        """Processes that ended because their own code failed, and HTTP requests whose handlers failed."""
        self.restarts = 0
        """Restarts and failed starts of children, except temporary children."""
        self.unfinished_restarts = 0
        """Restarts that have begun and have not ended yet."""
        self.retry_due = 0.0
        """The time, on the monotonic clock, at which the last delayed restart is due (see `BackOff`)."""
        self.endings: list[str] = []
        """Clauses about supervisors that restarted children too often, and applications that ended abnormally."""

    @contextmanager
    def restart(self) -> Iterator[None]:
        """Count a restart of children as unfinished until the block ends."""
        self.unfinished_restarts += 1
        try:
            yield
        finally:
            self.unfinished_restarts -= 1

    def expect_retry(self, seconds: float) -> None:
        """Note that a child is down until a retry in `seconds` seconds."""
        self.retry_due = max(self.retry_due, time.monotonic() + seconds)


def failures() -> FailureCounter:
    """Return the failure counter of the running runtime."""
    return runtime().singleton(FailureCounter)


@dataclass(frozen=True, slots=True)
class CrashReport:
    """The description of a crashed process and its exit reason. Follows the crash reports of proc_lib.

    `vsn` is the version of the module that the process ran. `last_message` and `state` are texts without secrets, or ""
    if the process has none. `trace` has the lines of `trace_lines`.
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
    trace: tuple[str, ...] = ()


def report_crash(
    process: Process, reason: object, error: BaseException, *, vsn: str = "", last_message: str = "", state: str = ""
) -> None:
    """Log the end of `process`, unless the end is orderly. `error` is the exception that the code of `process` raised.

    If a `Refused` caused the end, no code has failed, so the log gets only the sentence of the Refused, without a
    traceback. If an application ends because one of its processes failed to start, the log also gets only one sentence:
    the crash report of that process has the traceback.
    """
    if not is_orderly(reason):
        refused = find_refusal(reason)
        reason_text = describe_reason(reason) if refused is None else refused.sentence
        reported = process.kind == "application" and type(error) is Exit
        if reported:
            reason_text = describe_start_failure(reason)
        has_trace = refused is None and not reported
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
            trace=trace_lines(error) if has_trace else (),
        )
        process.runtime.exit_log.add_report(report)
        process.runtime.singleton(FailureCounter).crashes += 1
        extra = {"report": report, COUNTED: True}
        with logging_as(process):
            if has_trace:
                frames = (type(error), error, user_frames(error.__traceback__))
                logger.error("%s", _sentence(report), exc_info=frames, extra=extra)
            else:
                logger.error("%s %s ended: %s", process.kind, process.title(), reason_text, extra=extra)
    _forget_frames(error)


def _sentence(report: CrashReport) -> str:
    name = f"{report.name} {report.pid}" if report.name else str(report.pid)
    code = f"{report.module}:{report.qualname}" + (f" {report.vsn}" if report.vsn else "")
    sentence = f"{report.kind} {name} ({code}) crashed: {report.reason}"
    for label, text in (("last message", report.last_message), ("state", report.state)):
        sentence += f"; {label}: {text}" if text else ""
    return sentence


def find_refusal(reason: object) -> Refused | None:
    """Return the Refused that caused an exit, or None if no Refused caused it.

    The Refused is `reason` itself, or the reason with which a called process or a child ended.
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


def describe_start_failure(reason: object) -> str:
    """Return a clause with the reason why a process or one of its children did not start."""
    if isinstance(reason, Refused):
        return reason.sentence
    if type(reason) is Exit:
        return describe_start_failure(reason.reason)
    if type(reason) is tuple and len(reason) == 2 and reason_is(reason[0], "shutdown"):
        return describe_start_failure(reason[1])
    if type(reason) is tuple and len(reason) == 3 and reason_is(reason[0], "failed_to_start_child"):
        return f"child {reason[1]!r} did not start: {describe_start_failure(reason[2])}"
    return describe_reason(reason)


def user_frames(traceback: TracebackType | None) -> TracebackType | None:
    """Return the part of a traceback that begins with user code, or the whole traceback if no frame is user code."""
    found = traceback
    while found is not None and found.tb_frame.f_globals.get("__name__", "").partition(".")[0] == RUNTIME_PACKAGE:
        found = found.tb_next
    return found or traceback


def trace_lines(error: BaseException) -> tuple[str, ...]:
    """Return the calls that led to `error`, outermost first, as `file:line function`. The calls of its causes follow.

    A line that names a cause begins with "caused by ", "raised while handling " or "in the group: ". Secrets are
    redacted. There are no source lines, because viewers may see the trace, but not the source.
    """
    lines: list[str] = []
    seen: set[int] = set()
    waiting: list[tuple[str, BaseException]] = [("", error)]
    while waiting:
        link, one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        if link:
            lines.append(f"{link} {describe_reason(one)}")
        lines += _calls(one.__traceback__)
        if len(seen) == MAX_TRACE_ERRORS:
            break
        if isinstance(one, BaseExceptionGroup):
            waiting += (("in the group:", member) for member in one.exceptions[:MAX_TRACE_ERRORS])
        if one.__cause__ is not None:
            waiting.append(("caused by", one.__cause__))
        elif one.__context__ is not None and not one.__suppress_context__:
            waiting.append(("raised while handling", one.__context__))
    return tuple(lines)


def raised_at(error: BaseException) -> str:
    """Return the call that raised `error`, as `folder/file:line function`; empty for an error without a traceback."""
    step = error.__traceback__
    if step is None:
        return ""
    while step.tb_next is not None:
        step = step.tb_next
    code = step.tb_frame.f_code
    return f"{'/'.join(code.co_filename.split('/')[-2:])}:{step.tb_lineno} {code.co_qualname}"


def _calls(traceback: TracebackType | None) -> list[str]:
    found: list[str] = []
    step = user_frames(traceback)
    while step is not None:
        code = step.tb_frame.f_code
        found.append(f"{code.co_filename}:{step.tb_lineno} {code.co_qualname}")
        step = step.tb_next
    left_out = len(found) - 2 * MAX_TRACE_CALLS
    if left_out > 0:
        found[MAX_TRACE_CALLS:-MAX_TRACE_CALLS] = [f"… {left_out:,} calls left out"]
    return found


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
