"""The relations, mailbox, stack, last exits and recorded messages of a process, as an outline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hotdash.model.styled_text import Line, Span, Tone, span
from hotdash.model.units import age, clock, count, duration, plural
from node_runtime.protocol import messages as m
from node_runtime.protocol.clip import clip
from node_runtime.protocol.term_text import term_line

from .call_lines import short_call, traceback_lines
from .outline import OutlineNode

MAX_MESSAGE = 300
"""The maximum number of characters of a queued message on its line."""
_KIND_TONES: dict[str, Tone] = {"in": "name", "out": "ok", "state": "warn", "postpone": "warn", "noreply": "muted"}


def surroundings(view: m.ProcessView, now: float) -> tuple[OutlineNode, ...]:
    """Return the sections that have something to show; `now` is the time on the node."""
    return tuple(_sections(view, now))


def _sections(view: m.ProcessView, now: float) -> Iterator[OutlineNode]:
    related = {one.pid: one for one in view.related}
    process = view.process

    def jumps(name: str, title: str, pids: Sequence[int], total: int, *, is_open: bool = True) -> Iterator[OutlineNode]:
        if pids:
            yield _jumps(name, title, pids, total, related, is_open)

    yield from jumps("waits for", "waits for", view.waits_for, len(view.waits_for))
    yield from jumps("waited by", "waited for by", view.waited_by, view.waited_by_count)
    if view.log is not None:
        yield _log(view.log)
    if view.trace is not None:
        yield _trace(view.trace, now)
    yield _mailbox(view)
    if view.stack:
        frames = tuple(
            OutlineNode(("stack", str(number)), (span(short_call(frame)),), folds=True)
            for number, frame in enumerate(view.stack)
        )
        yield OutlineNode(("stack",), (span("stack", "name"), Span("  outermost call first", "muted")), frames)
    yield from jumps("ancestors", "ancestors", view.ancestors, len(view.ancestors))
    yield from jumps("children", "children", view.children, view.child_count, is_open=view.child_count <= 10)
    yield from jumps("links", "links", process.links, view.link_count, is_open=view.link_count <= 5)
    yield from jumps("monitors", "monitors", process.monitors, view.monitor_count, is_open=view.monitor_count <= 5)
    yield from jumps("monitored by", "monitored by", view.monitored_by, view.monitored_by_count)
    if view.exits:
        yield _exits(view.exits, now)


def _jumps(
    name: str, title: str, pids: Sequence[int], total: int, related: dict[int, m.RelatedProcess], is_open: bool
) -> OutlineNode:
    children = [
        OutlineNode((name, str(pid)), _jump_line(pid, related.get(pid)), jump=pid) for pid in dict.fromkeys(pids)
    ]
    if total > len(pids):
        children.append(OutlineNode((name, "…"), (span(f"… {total - len(pids):,} more", "muted"),)))
    return OutlineNode((name,), (span(title, "name"), span(f"  {total:,}", "muted")), tuple(children), is_open=is_open)


def _jump_line(pid: int, process: m.RelatedProcess | None) -> Line:
    if process is None:
        return (span(f"<{pid}>"), Span("  "), span("has ended", "bad"))
    status: Line = ()
    if process.status in ("suspended", "zombie"):
        status = (Span("  "), span(process.status, "warn"))
    mail = (span(f"  mail {count(process.mailbox)}", "warn"),) if process.mailbox else ()
    master = process.kind == "application" and process.name is None
    return (
        span("→ ", "muted"),
        span("application master" if master else process.name or process.module, "strong"),
        span(f" <{pid}>  {process.kind}", "muted"),
        *status,
        *mail,
    )


def _mailbox(view: m.ProcessView) -> OutlineNode:
    waiting = view.process.mailbox
    head = (span("mailbox", "name"), span(f"  {plural(waiting, 'message')}" if waiting else "  empty", "muted"))
    children = [OutlineNode(("mailbox", str(number)), _mail_line(mail)) for number, mail in enumerate(view.mail)]
    if waiting > len(view.mail):
        children.append(OutlineNode(("mailbox", "…"), (span(f"… {waiting - len(view.mail):,} newer", "muted"),)))
    return OutlineNode(("mailbox",), head, tuple(children))


def _mail_line(mail: m.Term) -> Line:
    if mail.type in ("cast", "call"):
        inner = ", ".join(f"{name}={term_line(part)}" if name else term_line(part) for name, part in mail.items)
        return (span(f"{mail.type} ", "muted"), span(clip(f"{mail.text}({inner})", MAX_MESSAGE)))
    return (span("message ", "muted"), span(clip(term_line(mail), MAX_MESSAGE)))


def _exits(exits: tuple[m.ProcessExit, ...], now: float) -> OutlineNode:
    children = tuple(_exit(one, now, is_newest=one is exits[0]) for one in exits)
    return OutlineNode(("exits",), (span("last exits", "name"), Span("  of its predecessors", "muted")), children)


def _exit(end: m.ProcessExit, now: float, *, is_newest: bool) -> OutlineNode:
    path = ("exits", str(end.pid))
    when = f"{age(now - end.ended)} ago, after {age(end.ended - end.started)}: "
    head = (span(f"<{end.pid}> "), span(when, "muted"), span(end.reason, "ok" if end.orderly else "bad"))
    below: list[Line] = []
    if end.last_message:
        below.append((span("was handling ", "muted"), span(end.last_message)))
    if end.trace:
        below.append((span("traceback", "name"), span("  outermost call first", "muted")))
        below += traceback_lines(end.trace)
    if end.state:
        below.append((span("state ", "muted"), span(end.state)))
    if end.vsn:
        below.append((span("version of the module ", "muted"), span(end.vsn)))
    below.append((span("ended at ", "muted"), span(clock(end.ended))))
    children = tuple(OutlineNode((*path, str(number)), one, folds=True) for number, one in enumerate(below))
    return OutlineNode(path, head, children, is_open=is_newest, folds=True)


def _log(events: tuple[m.RecordedEvent, ...]) -> OutlineNode:
    head = (span("log", "name"), span(f"  the newest {plural(len(events), 'event')}, newest first", "muted"))
    return OutlineNode(("log",), head, _events("log", events))


def _trace(trace: m.ProcessTrace, now: float) -> OutlineNode:
    left = trace.until - now
    when = f"{duration(left)} left" if left > 0 else f"ended at {clock(trace.until)}"
    out = f", {trace.left_out:,} left out" if trace.left_out else ""
    head = (
        span("trace", "name"),
        span(f"  {when}", "warn" if left > 0 else "muted"),
        span(f"  {plural(len(trace.events), 'event')}", "muted"),
        span(out, "warn"),
        span(f"  at most {trace.rate} a second, newest first", "muted"),
    )
    return OutlineNode(("trace",), head, _events("trace", trace.events))


def _events(name: str, events: tuple[m.RecordedEvent, ...]) -> tuple[OutlineNode, ...]:
    return tuple(
        OutlineNode((name, str(number)), event_line(event)) for number, event in reversed(list(enumerate(events)))
    )


def event_line(event: m.RecordedEvent) -> Line:
    """Return a recorded event with its time and kind."""
    kind = span(event.kind.ljust(8), _KIND_TONES.get(event.kind, "plain"))
    return (span(clock(event.at), "muted"), Span(" "), kind, Span(" "), span(event.text))
