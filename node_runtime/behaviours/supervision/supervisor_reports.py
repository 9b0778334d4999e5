"""Reports of supervisors and applications in the log. Follows OTP's supervisor reports and progress reports.

Each log record has a sentence for people and the report as its attribute `report`. The starts of children have the
level DEBUG, because a supervisor may start very many children.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, assert_never

from node_runtime.processes.crash_report import COUNTED, failures
from node_runtime.processes.exit_reasons import describe_reason
from node_runtime.processes.pid import Pid

from .child_spec import ChildSpec

ReportContext: TypeAlias = Literal["child_terminated", "start_error", "shutdown_error", "not_in_time", "shutdown"]
"""The problem with the child. It ended ("child_terminated"); it did not start ("start_error"); it did not shut down
cleanly ("shutdown_error"); it did not shut down in time and was killed ("not_in_time"); or it ended too often, so the
supervisor shuts down ("shutdown").
"""

_MESSAGES: Final[dict[ReportContext, tuple[int, str]]] = {
    "child_terminated": (logging.WARNING, "child %(child)r of %(supervisor)s ended: %(reason)s"),
    "start_error": (logging.ERROR, "child %(child)r of %(supervisor)s did not start: %(reason)s"),
    "shutdown_error": (logging.WARNING, "child %(child)r of %(supervisor)s did not shut down cleanly: %(reason)s"),
    "not_in_time": (logging.WARNING, "child %(child)r of %(supervisor)s did not shut down in time and was killed"),
    "shutdown": (logging.ERROR, "%(supervisor)s shuts down: restarting child %(child)r would make %(reason)s"),
}
logger: Final = logging.getLogger("node_runtime")
progress_logger: Final = logging.getLogger("node_runtime.progress")


@dataclass(frozen=True, slots=True)
class SupervisorReport:
    """A problem with one child. `supervisor` is the supervisor's title, `start` is the child's start function."""

    supervisor: str
    context: ReportContext
    child: str
    pid: Pid | None
    start: str
    restart: str
    reason: str


@dataclass(frozen=True, slots=True)
class ProgressReport:
    """The start of a child. `starter` is the supervisor's title, or "application" if `child` is an application."""

    starter: str
    child: str
    pid: Pid | None
    start: str


def report_child(context: ReportContext, supervisor: str, spec: ChildSpec, pid: Pid | None, reason: object) -> None:
    """Log a problem with the child of this specification, and count it."""
    reason_text = describe_reason(reason)
    match context:
        case "child_terminated" | "start_error":
            failures().restarts += spec.restart != "temporary"
        case "shutdown":
            failures().endings.append(f"{supervisor} shut down: restarting child {spec.id!r} would make {reason_text}")
        case "shutdown_error" | "not_in_time":
            pass
        case _ as unknown:
            assert_never(unknown)
    report = SupervisorReport(supervisor, context, spec.id, pid, spec.start, spec.restart, reason_text)
    level, message = _MESSAGES[context]
    facts = {"child": spec.id, "supervisor": supervisor, "reason": reason_text}
    logger.log(level, message, facts, extra={"report": report, COUNTED: True})


def wants_progress() -> bool:
    """Return whether starts of children are logged."""
    return progress_logger.isEnabledFor(logging.DEBUG)


def report_started(supervisor: str, spec: ChildSpec, pid: Pid | None) -> None:
    """Log that a child has been started."""
    report = ProgressReport(supervisor, spec.id, pid, spec.start)
    progress_logger.debug("child %r of %s was started as %s", spec.id, supervisor, pid, extra={"report": report})


def report_application(name: str, vsn: str, pid: Pid | None, start: str | None) -> None:
    """Log that an application has been started."""
    report = ProgressReport("application", name, pid, start or "")
    progress_logger.info("application %s %s was started", name, vsn, extra={"report": report})
