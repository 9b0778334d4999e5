"""A rehearsal as styled lines: the counts, the problems, and an example without a problem."""

from __future__ import annotations

from node_runtime.protocol import messages as m

from .styled_text import Line, Span, Tone, line, span
from .term_lines import diff_lines
from .units import duration, plural

MAX_LISTED = 12
"""The maximum number of processes with a problem, and of failed calls, that are listed."""
_MAX_TRACE_LINES = 3
_MAX_DIFF_LINES = 8


def unrehearsed(plan: m.Plan) -> str | None:
    """Return what could not be rehearsed, such as "the code_change of 3 processes".

    Return None if all was rehearsed, and also if there was no rehearsal or it failed. An install of a plan with
    something unrehearsed needs an operator's consent.
    """
    rehearsal = plan.rehearsal
    if rehearsal is None or rehearsal.failed:
        return None
    if rehearsal.bodies is None and rehearsal.error is not None:
        return "the new code"
    number = rehearsal.unrehearsed + rehearsal.processes - rehearsal.reached
    if number:
        return f"the code_change of {plural(number, 'process', 'processes')}"
    not_searched = rehearsal.not_searched
    return f"the search for old values in {plural(not_searched, 'process', 'processes')}" if not_searched else None


def rehearsal_lines(rehearsal: m.Rehearsal) -> list[Line]:
    """Return the counts, the processes with a problem, and one process without problems as an example."""
    lines = [_verdict(rehearsal)] if rehearsal.processes else []
    if rehearsal.error:
        lines.append(line(span(f"  The rehearsal ended early: {rehearsal.error}.", "bad")))
    troubled = [one for one in rehearsal.results if one.outcome != "ok" or one.given_back is False]
    for one in troubled[:MAX_LISTED]:
        lines += _problem_lines(one)
    for call in rehearsal.calls[:MAX_LISTED]:
        lines += _call(call)
    more = rehearsal.failed + rehearsal.unrehearsed + rehearsal.not_given_back - len(troubled[:MAX_LISTED])
    if more > 0:
        lines.append(line(span(f"    and {more} more", "muted")))
    example = next((one for one in rehearsal.results if one.outcome == "ok" and one.after is not None), None)
    if example is not None and example.after is not None:
        lines.append(
            line(span("  for example ", "muted"), span(_name(example), "name"), span(f"  <{example.pid}>", "muted"))
        )
        lines += [(Span("    "), *one) for one in diff_lines(example.before, example.after)[:_MAX_DIFF_LINES]]
    return lines


def _verdict(rehearsal: m.Rehearsal) -> Line:
    tried = plural(rehearsal.reached, "process", "processes")
    whole = (
        tried if rehearsal.reached == rehearsal.processes else f"{rehearsal.reached} of {rehearsal.processes} processes"
    )
    spans = [span(f"  {whole} rehearsed on a copy of the node in {duration(rehearsal.seconds)}"), Span("  ")]
    counts: list[tuple[int, str, Tone]] = [
        (rehearsal.failed, "would fail", "bad"),
        (rehearsal.unrehearsed, "can't be rehearsed", "warn"),
        (rehearsal.not_given_back - rehearsal.no_way_back, "not restored by a downgrade", "warn"),
        (rehearsal.no_way_back, "have no way back", "bad"),
    ]
    said = [part for number, words, tone in counts if number for part in (Span(", "), span(f"{number} {words}", tone))]
    return line(*spans, *(said[1:] or [span("no problems found", "ok")]))


def _problem_lines(one: m.RehearsalResult) -> list[Line]:
    bad = one.outcome not in ("ok", "unrehearsed")
    mark = Span("✖ ", "bad") if bad else Span("! ", "warn")
    tone: Tone = "bad" if bad else "warn"
    head = (
        Span("  "),
        mark,
        span(_name(one), "name"),
        span(f"  <{one.pid}>  ", "muted"),
        span(one.message or "", tone),
    )
    return [head, *((Span("      "), span(frame, "muted")) for frame in one.trace[-_MAX_TRACE_LINES:])]


def _call(one: m.RehearsedCall) -> list[Line]:
    bad = one.outcome != "unrehearsed"
    mark = Span("✖ ", "bad") if bad else Span("! ", "warn")
    head = (
        Span("  "), mark, span(one.function, "name"), span(f"  instruction {one.step}  ", "muted"),
        span(one.message, "bad" if bad else "warn"),
    )  # fmt: skip
    return [head, *((Span("      "), span(frame, "muted")) for frame in one.trace[-_MAX_TRACE_LINES:])]


def _name(one: m.RehearsalResult) -> str:
    return one.name or one.module
