"""The identity and the present activity of a process, in a few lines."""

from __future__ import annotations

from hotdash.model.process_details import MAILBOX_WARNING_LENGTH, short_vsn, status_mark, status_word
from hotdash.model.process_tree import title_of
from hotdash.model.styled_text import Line, Span, line, span
from hotdash.model.units import age, count, duration
from node_runtime.protocol import messages as m


def fact_lines(view: m.ProcessView, now: float) -> list[Line]:
    """Return what the process is, what it runs, and what it does now; `now` is the time on the node."""
    process = view.process
    kind = [span(process.kind)]
    if process.state_name is not None:
        kind += [span(" in state "), span(process.state_name, "strong")]
    identity = line(
        status_mark(process), " ", span(title_of(process), "name"), span(f" <{process.pid}>  ", "muted"),
        *kind, ", ", status_word(process), span(f"  up\xa0{age(now - process.started)}".replace(" ", "\xa0"), "muted"),
    )  # fmt: skip
    arguments = f"({view.arguments})" if view.arguments else ""
    runs = line(
        span(_callback(process)), span(arguments, "muted"), " ", span(short_vsn(process.vsn), "strong"),
        *_number("mailbox", process.mailbox, MAILBOX_WARNING_LENGTH), *_number("handled", process.messages, None),
        *_number("restarts", process.restarts, 1), span(f"  busy\xa0{duration(view.spent)}", "muted"),
        span("  traps exits" if view.trapping else "", "muted"),
    )  # fmt: skip
    return [identity, runs, *_now_lines(view)]


def _number(name: str, number: int, warning: int | None) -> tuple[Span, Span]:
    warn = warning is not None and number >= warning
    return span(f"  {name}\xa0", "muted"), span(count(number).replace(" ", "\xa0"), "warn" if warn else "plain")


def _now_lines(view: m.ProcessView) -> list[Line]:
    lines: list[Line] = []
    if view.blocked:
        lines.append(line(span(f"{view.blocked[:1].upper()}{view.blocked[1:]}.", "warn")))
    if view.running is not None:
        lasts = f" for {duration(view.callback_seconds)}" if view.callback_seconds is not None else ""
        lines.append(line(span("in ", "muted"), span(view.running, "warn"), span(lasts, "muted"), *_waits(view)))
    if view.suspended_by:
        lines.append(line(span(f"suspended by {', '.join(view.suspended_by)}", "warn")))
    return lines


def _waits(view: m.ProcessView) -> list[Span]:
    names = {one.pid: one.name or one.module for one in view.related}
    spans = [span(f"{names.get(pid, '')} <{pid}>", "name") for pid in view.waits_for[:3]]
    return [span(", waits for ", "muted"), *spans] if spans else []


def _callback(process: m.ProcessSummary) -> str:
    if process.callback is None or ":" in process.callback:
        return process.callback or process.module
    return f"{process.module}:{process.callback}"
