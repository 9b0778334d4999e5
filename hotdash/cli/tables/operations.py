"""How operations are printed: phases, results per process, history, events, audit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from hotdash.model.operation_lines import headline, outcome_lines
from hotdash.model.rehearsal_lines import rehearsal_lines
from hotdash.model.styled_text import Span
from hotdash.model.term_lines import diff_lines
from hotdash.model.units import clock, duration, moment
from node_runtime.protocol import messages as m
from node_runtime.protocol.term_text import short

from .layout import Folded, block, columns, line_text, now, pid, status_text, text

_HASH = re.compile("[0-9a-f]{12}")


def step(done: m.Step) -> RenderableType:
    """One phase, as it is reported."""
    return Text.assemble(text(clock(done.started), "fact"), "  ", text(done.phase))


def results(operation: m.Operation) -> RenderableType:
    """One operation with what it did to each process."""
    return Group(*_result_parts(operation))


def _result_parts(operation: m.Operation) -> Iterator[RenderableType]:
    at = now()
    yield Text.assemble(line_text(headline(operation)), text(f"  {operation.id}", "fact"))
    yield block(outcome_lines(operation, True, at))
    if operation.rehearsal is not None and (operation.rehearsal.results or operation.rehearsal.calls):
        yield Text.assemble("\n", text("Rehearsal", "strong"))
        yield block(rehearsal_lines(operation.rehearsal))
    if operation.reason:
        yield text(f"reason: {operation.reason}", "fact")
    if operation.results:
        yield Text()
        yield _table(operation)
        if operation.touched > len(operation.results):
            yield text(
                f"and {operation.touched - len(operation.results):,} more processes of which nothing else is kept"
            )
    for result in operation.results:
        yield from _difference(result)


def _table(operation: m.Operation) -> RenderableType:
    table = columns("pid", "name", "module", "action", "from", "to", "outcome", "time", right=("time",))
    for result in operation.results:
        table.add_row(
            pid(result.pid),
            text(result.name or "", "name"),
            text(result.module),
            result.action,
            text(_few(result.old_vsn)),
            text(_few(result.new_vsn)),
            status_text(result.outcome),
            duration(result.seconds),
        )
    return table


def _few(vsn: str) -> str:
    """A version that is said; of one that is a hash as much as tells it from others."""
    return vsn[:8] if _HASH.fullmatch(vsn) else vsn


def _difference(result: m.ProcessResult) -> Iterator[RenderableType]:
    if result.before == result.after and result.reason is None and result.action == "load":
        return
    yield Text.assemble("\n", text(result.name or result.module, "name"), text(f" {pid(result.pid)}", "fact"))
    if result.reason:
        yield text(f"  {result.reason}", "bad")
    yield Text.assemble(text("  before  ", "fact"), text(short(result.before)))
    yield Text.assemble(text("  after   ", "fact"), text(short(result.after)))
    for line in diff_lines(result.before, result.after):
        yield Folded((Span("    "), *line))


def operations(listed: Sequence[m.Operation]) -> RenderableType:
    """Past operations, newest last."""
    if not listed:
        return text("No operation yet: this node runs what it was started with.")
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
            text(operation.who),
        )
    return table


def event_line(event: m.Event) -> RenderableType:
    """One event."""
    return Text.assemble(text(clock(event.at), "fact"), "  ", text(f"{event.kind:<9} ", "name"), text(event.text))


def events(listed: Sequence[m.Event]) -> RenderableType:
    """The newest events, without the vitals of each second."""
    lines = [event_line(event) for event in listed if event.kind != "vitals"]
    return Group(*lines) if lines else text("Nothing has happened yet.")


def audit(entries: Sequence[m.AuditEntry]) -> RenderableType:
    """Who asked for what."""
    if not entries:
        return text("Nobody has changed anything.")
    table = columns("when", "who", "role", "asked", "subject", "outcome", "reason")
    for entry in entries:
        outcome = entry.outcome or entry.phase
        cells = (moment(entry.at, now()), entry.who, entry.role, entry.method, entry.subject, outcome)
        table.add_row(*(text(cell) for cell in (*cells, entry.reason or "")))
    return table
