"""The details of one process, without its state, as styled lines."""

from __future__ import annotations

import re

from node_runtime.protocol import messages as m

from .process_tree import title_of
from .styled_text import Line, Span, Tone, line, span
from .units import age, count, plural

_STATUS: dict[str, tuple[str, Tone]] = {
    "idle": ("●", "ok"),
    "running": ("●", "ok"),
    "suspended": ("‖", "warn"),
    "zombie": ("✖", "bad"),
}
_HASH = re.compile(r"[0-9a-f]{12,}")
MAILBOX_WARNING_LENGTH = 100
"""If a mailbox has this many messages or more, their number is shown as a warning."""


def status_mark(process: m.ProcessSummary) -> Span:
    """Return one character for the status of a process."""
    return Span(*_STATUS[process.status])


def status_word(process: m.ProcessSummary) -> Span:
    """Return the status of a process as text."""
    return Span(process.status, _STATUS[process.status][1])


def kind_words(process: m.ProcessSummary) -> Span:
    """Return the state of a state machine, the strategy of a supervisor, or the kind of any other process."""
    if process.state_name is not None:
        return span(process.state_name, "strong")
    if process.kind == "supervisor":
        return span(process.strategy or "supervisor", "muted")
    return span(process.kind, "muted")


def mailbox_words(process: m.ProcessSummary) -> Span:
    """Return the number of waiting messages, or an empty span for none."""
    if not process.mailbox:
        return Span("")
    return Span(count(process.mailbox), "warn" if process.mailbox >= MAILBOX_WARNING_LENGTH else "plain")


def process_lines(process: m.ProcessSummary, node_now: float) -> list[Line]:
    """Return the identity, status, code, mailbox, links and monitors of a process."""
    kind = [span(process.kind)]
    if process.state_name is not None:
        kind += [span(" in state "), span(process.state_name, "strong")]
    lived = age(node_now - process.started).replace(" ", "\xa0")
    lines = [
        line(status_mark(process), " ", span(title_of(process), "name"), span(f"  <{process.pid}>", "muted")),
        line(
            *kind,
            ", ",
            status_word(process),
            span(f"  up\xa0{lived}", "muted"),
        ),
        line(span("runs ", "muted"), span(_callback(process)), " ", span(process.vsn, "strong")),
    ]
    if process.strategy is not None:
        lines.append(
            line(span("strategy ", "muted"), span(process.strategy), span(f"  {process.intensity or ''}", "muted"))
        )
    lines.append(
        line(
            span("mailbox\xa0", "muted"),
            span(count(process.mailbox), "warn" if process.mailbox >= MAILBOX_WARNING_LENGTH else "plain"),
            span("  handled\xa0", "muted"),
            span(count(process.messages)),
            span("  restarts\xa0", "muted"),
            span(count(process.restarts), "warn" if process.restarts else "plain"),
        )
    )
    relations = [(name, pids) for name, pids in (("links", process.links), ("monitors", process.monitors)) if pids]
    if relations:
        spans: list[Span] = []
        for name, pids in relations:
            spans += [span(f"{name} ", "muted"), span(_pids(pids)), span("  ")]
        lines.append(tuple(spans))
    return lines


def _callback(process: m.ProcessSummary) -> str:
    if process.callback is None or ":" in process.callback:
        return process.callback or process.module
    return f"{process.module}:{process.callback}"


def short_vsn(vsn: str) -> str:
    """Return a version; the hash of a module's content is shortened to 7 digits."""
    return vsn[:7] if _HASH.fullmatch(vsn) else vsn


def version(vsn: str, app_vsn: str | None) -> Line:
    """Return a module's version. If the version is a hash, the version of the application precedes it."""
    if app_vsn is None or not _HASH.fullmatch(vsn):
        return (span(vsn, "strong"),)
    return (span(app_vsn, "strong"), span(f" {short_vsn(vsn)}", "muted"))


def missing_child_lines(child: m.ChildInfo) -> list[Line]:
    """Return the lines of a child specification without a live process."""
    words = "is being restarted" if child.status == "restarting" else "is not running"
    return [
        line(span("○ ", "warn"), span(child.child_id, "name"), span(f"  {child.kind}", "muted")),
        line(span(f"This child of <{child.supervisor}> {words}.", "warn")),
    ]


def application_lines(application: m.ApplicationInfo, members: int) -> list[Line]:
    """Return the lines of an application with its number of processes."""
    return [
        line(span(application.name, "name"), " ", span(application.vsn, "strong"), span("  application", "muted")),
        line(span(plural(members, "process", "processes"), "muted")),
    ]


def _pids(pids: tuple[int, ...]) -> str:
    shown = " ".join(f"<{pid}>" for pid in pids[:6])
    return f"{shown} and {len(pids) - 6} more" if len(pids) > 6 else shown
