"""What supervisors and applications say of those they started: reports for the log. Follows OTP's supervisor reports.

Each record has the report as its attribute `report`, besides the sentence for people. Progress of children is of level
DEBUG, since a supervisor may start very many.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from node_runtime.processes.exit_reasons import describe_reason
from node_runtime.processes.pid import Pid

from .child_spec import ChildSpec

Context: TypeAlias = Literal["child_terminated", "start_error", "shutdown_error", "not_in_time", "shutdown"]
"""What happened: it ended, did not start, ended badly when told to, had to be killed, or was restarted too often."""

WORDS: Final[dict[Context, tuple[int, str]]] = {
    "child_terminated": (logging.WARNING, "child %(child)r of %(supervisor)s ended: %(reason)s"),
    "start_error": (logging.ERROR, "child %(child)r of %(supervisor)s did not start: %(reason)s"),
    "shutdown_error": (logging.WARNING, "child %(child)r of %(supervisor)s did not shut down in order: %(reason)s"),
    "not_in_time": (logging.WARNING, "child %(child)r of %(supervisor)s did not shut down in time; killed"),
    "shutdown": (logging.ERROR, "%(supervisor)s gives up: child %(child)r made %(reason)s"),
}
logger: Final = logging.getLogger("node_runtime")
progress: Final = logging.getLogger("node_runtime.progress")


@dataclass(frozen=True, slots=True)
class SupervisorReport:
    """Trouble with one child. `supervisor` is named as for people, `start` is the child's start function."""

    supervisor: str
    context: Context
    child: str
    pid: Pid | None
    start: str
    restart: str
    reason: str


@dataclass(frozen=True, slots=True)
class ProgressReport:
    """`starter`, a supervisor or "application", has started `child`."""

    starter: str
    child: str
    pid: Pid | None
    start: str


def report_child(context: Context, supervisor: str, spec: ChildSpec, pid: Pid | None, reason: object) -> None:
    """Log what happened to the child of that specification."""
    said = describe_reason(reason)
    report = SupervisorReport(supervisor, context, spec.id, pid, spec.start, spec.restart, said)
    level, words = WORDS[context]
    facts = {"child": spec.id, "supervisor": supervisor, "reason": said}
    logger.log(level, words, facts, extra={"report": report})


def wants_progress() -> bool:
    """Whether anybody reads that a child has been started."""
    return progress.isEnabledFor(logging.DEBUG)


def report_started(supervisor: str, spec: ChildSpec, pid: Pid | None) -> None:
    """Log that a child has been started."""
    report = ProgressReport(supervisor, spec.id, pid, spec.start)
    progress.debug("child %r of %s is started as %s", spec.id, supervisor, pid, extra={"report": report})


def report_application(name: str, vsn: str, pid: Pid | None, start: str | None) -> None:
    """Log that an application has been started."""
    report = ProgressReport("application", name, pid, start or "")
    progress.info("application %s %s is started", name, vsn, extra={"report": report})
