"""Tables of operations: phases, results per process, history, events, audit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from hotdash.model.operation_lines import CRASHED, headline, outcome_lines, outcome_of
from hotdash.model.rehearsal_lines import rehearsal_lines
from hotdash.model.styled_text import Span
from hotdash.model.term_lines import diff_lines
from hotdash.model.units import clock, duration, moment
from node_runtime.protocol import messages as m
from node_runtime.protocol.term_text import term_line

from .layout import FoldedLine, block, columns, line_text, now, pid, status_text, text

_HASH = re.compile("[0-9a-f]{12}")


def step(done: m.OperationStep) -> RenderableType:
    """Return a line for one phase of an operation: when it started, and its name."""
    return Text.assemble(text(clock(done.started), "muted"), "  ", text(done.phase))


def results(
    operation: m.Operation, committed: m.Operation | None = None, crashes: Mapping[int, str] | None = None
) -> RenderableType:
    """Return one operation with its result for each process, and the head line of its commit if there is one.

    `crashes` are the processes that have crashed since the operation, by pid.
    """
    parts = list(_result_parts(operation, crashes or {}))
    if committed is not None:
        parts.append(Text.assemble("\n", _head(committed)))
    return Group(*parts)


def _result_parts(operation: m.Operation, crashes: Mapping[int, str]) -> Iterator[RenderableType]:
    time_now = now()
    yield _head(operation)
    yield block(outcome_lines(operation, True, time_now))
    if operation.rehearsal is not None and (operation.rehearsal.results or operation.rehearsal.calls):
        yield Text.assemble("\n", text("Rehearsal", "strong"))
        yield block(rehearsal_lines(operation.rehearsal))
    if operation.results:
        yield Text()
        yield _table(operation, crashes)
        if operation.touched > len(operation.results):
            yield text(
                f"and {operation.touched - len(operation.results):,} more processes, whose results are not stored"
            )
    for crash in crashes.values():
        yield text(f"{CRASHED}: {crash}", "bad")
    for result in operation.results:
        yield from _difference(result)


def _head(operation: m.Operation) -> Text:
    return Text.assemble(line_text(headline(operation)), text(f"  {operation.id}", "muted"))


def _table(operation: m.Operation, crashes: Mapping[int, str]) -> RenderableType:
    table = columns("pid", "name", "module", "action", "from", "to", "outcome", "time", right=("time",))
    for result in operation.results:
        table.add_row(
            pid(result.pid),
            text(result.name or "", "name"),
            text(result.module),
            result.action,
            text(_short_version(result.old_vsn)),
            text(_short_version(result.new_vsn)),
            text(CRASHED, "bad") if outcome_of(result, crashes) == CRASHED else status_text(result.outcome),
            duration(result.seconds),
        )
    return table


def _short_version(vsn: str) -> str:
    """Return a version; a hash is shortened to 8 digits."""
    return vsn[:8] if _HASH.fullmatch(vsn) else vsn


def _difference(result: m.ProcessResult) -> Iterator[RenderableType]:
    if result.before == result.after and result.reason is None and result.action == "load":
        return
    yield Text.assemble("\n", text(result.name or result.module, "name"), text(f" {pid(result.pid)}", "muted"))
    if result.reason:
        yield text(f"  {result.reason}", "bad" if result.outcome == "failed" else "muted")
    yield Text.assemble(text("  before  ", "muted"), text(term_line(result.before)))
    yield Text.assemble(text("  after   ", "muted"), text(term_line(result.after)))
    for line in diff_lines(result.before, result.after):
        yield FoldedLine((Span("    "), *line))


def operations(listed: Sequence[m.Operation]) -> RenderableType:
    """Return the table of past operations, newest last."""
    if not listed:
        return text("No operations yet: the node runs the release that it was started with.")
    table = columns("operation", "when", "kind", "from", "to", "outcome", "pause", "by", right=("pause",))
    for operation in listed:
        table.add_row(
            operation.id,
            moment(operation.started, now()),
            operation.kind,
            text(operation.from_vsn),
            text(operation.to_vsn),
            status_text(operation.outcome or operation.phase),
            "" if operation.pause is None else duration(operation.pause),
            text(operation.by),
        )
    return table


def event_line(event: m.NodeEvent) -> RenderableType:
    """Return one event as a line."""
    return Text.assemble(text(clock(event.at), "muted"), "  ", text(f"{event.kind:<9} ", "name"), text(event.text))


def events(listed: Sequence[m.NodeEvent]) -> RenderableType:
    """Return the newest events, without those that report the node's vitals each second."""
    lines = [event_line(event) for event in listed if event.kind != "vitals"]
    return Group(*lines) if lines else text("There are no events yet.")


def audit(entries: Sequence[m.AuditEntry]) -> RenderableType:
    """Return the table of the audit log. The node has verified `who`; `claim` is the name that the client gives
    itself."""
    if not entries:
        return text("The audit log is empty.")
    table = columns("when", "who", "claim", "role", "from", "request", "subject", "outcome", "reason")
    for entry in entries:
        outcome = entry.outcome or entry.phase
        client = (entry.who, entry.claim, entry.role, entry.peer)
        cells = (moment(entry.at, now()), *client, entry.method, entry.subject, outcome)
        table.add_row(*(text(cell) for cell in (*cells, entry.reason or "")))
    return table
