"""An operation as styled lines: its phases, its outcome and its results, as the node has reported them."""

from __future__ import annotations

from collections.abc import Container

from node_runtime.protocol import messages as m

from .styled_text import Line, Span, Tone, line, span
from .units import age, countdown, duration, plural

_OUTCOMES: dict[str, tuple[str, Tone]] = {
    "installed": ("{to} running, on probation", "warn"),
    "committed": ("{to} running and permanent", "ok"),
    "reverted": ("rolled back from {left} to {ended_in}", "ok"),
    "aborted": ("aborted: nothing was changed", "bad"),
    "put back": ("failed and was undone: {from_} keeps running", "bad"),
    "restarted": ("the node was restarted into its permanent release", "bad"),
    "partly put back": ("failed and was undone only in part", "bad"),
    "partly reverted": ("rolled back only in part: did not reach {to}", "bad"),
}
_MARKS: dict[str, tuple[str, Tone]] = {
    "installed": ("◆", "warn"),
    "committed": ("✔", "ok"),
    "reverted": ("↩", "ok"),
}
CRASHED = "crashed since"
"""The outcome of a process that an install left alive and that has crashed since."""
RESULT_TONES: dict[str, Tone] = {"ok": "ok", "failed": "bad", "died": "bad", "put back": "warn", CRASHED: "bad"}


def outcome_mark(operation: m.Operation) -> Span:
    """Return one character for the outcome."""
    if operation.outcome is None:
        return Span("◌", "warn")
    return Span(*_MARKS.get(operation.outcome, ("✖", "bad")))


def outcome_words(operation: m.Operation) -> Span:
    """Return the outcome that the node has reported; while the operation runs, its phase."""
    if operation.outcome is None:
        return span(f"running: {operation.phase}", "warn")
    if operation.outcome == "installed" and operation.probation_until is None:
        return span(f"{operation.to_vsn} was installed", "ok")
    if operation.outcome == "aborted" and operation.warnings:
        return span("aborted", "bad")  # the warnings say what was changed and undone
    words, tone = _OUTCOMES[operation.outcome]
    from_, to, ended_in = operation.from_vsn, operation.to_vsn, operation.ended_in
    left = to if ended_in == from_ else from_
    return span(words.format(to=to, from_=from_, left=left, ended_in=ended_in), tone)


def kind_words(operation: m.Operation) -> str:
    """Return what was requested: an upgrade, a downgrade, a commit or a rollback."""
    if operation.kind == "install":
        return {"up": "Upgrade", "down": "Downgrade"}.get(operation.direction or "", "Install")
    return {"commit": "Commit", "revert": "Roll back", "fallback": "Fall back"}[operation.kind]


def version_words(operation: m.Operation) -> str:
    """Return the old and the new version of an operation; for a commit, the version that becomes permanent."""
    return operation.to_vsn if operation.kind == "commit" else f"{operation.from_vsn} → {operation.to_vsn}"


def started_words(operation: m.Operation) -> str:
    """Return a clause that says who has started which operation."""
    return f"{operation.by} has started: {kind_words(operation).lower()} {version_words(operation)}"


def headline(operation: m.Operation) -> Line:
    """Return the line that says which change was requested, and by whom."""
    verb, versions = kind_words(operation), version_words(operation)
    how = " by a restart" if operation.direction == "cold" else ""
    return line(span(f"{verb}{how}", "strong"), " ", span(versions, "name"), span(f"  by {operation.by}", "muted"))


def default_reason(verb: str, vsn: str) -> str:
    """Return the reason that a dialog proposes for the audit log. It says no more than the operation itself."""
    return f"{verb} {vsn}" if verb == "commit" else f"{verb} to {vsn}"


def reason_lines(operation: m.Operation) -> list[Line]:
    """Return a line with the reason that was given for the operation, unless it is a default reason."""
    verbs = ("upgrade", "downgrade", "roll back", "commit")
    if not operation.reason or operation.reason in [default_reason(verb, operation.to_vsn) for verb in verbs]:
        return []
    return [line(span("  reason: ", "muted"), span(operation.reason))]


def outcome_lines(operation: m.Operation, fresh: bool, node_now: float) -> list[Line]:
    """Return the outcome, the reason for the operation, and its consequences.

    If there is no outcome and the data is not `fresh`, the outcome is shown as unknown.
    """
    if operation.outcome is None and not fresh:
        return [line(span("The outcome is unknown until the node answers again.", "bad"))]
    first: list[Span] = [outcome_mark(operation), Span(" "), outcome_words(operation)]
    if operation.outcome is None:
        first.append(span(f" · for {age(node_now - operation.started)}", "muted"))
    elif operation.ended is not None:
        first.append(span(f" · took {duration(operation.ended - operation.started)}", "muted"))
    if operation.pause is not None:
        first.append(span(f" · processes paused {duration(operation.pause)}", "muted"))
    lines: list[Line] = [tuple(first), *reason_lines(operation)]
    if operation.waits_for and operation.outcome is None:
        lines.append(
            line("  waits for: ", span(operation.waits_for, "warn"), span(_time_left(operation, node_now), "muted"))
        )
    if operation.error:
        lines.append((Span("  "), span(operation.error, "bad")))
    if kept := kept_words(operation):
        lines.append(line("  ", span(kept, "ok")))
    lines += [line(span("  ! ", "warn"), span(warning)) for warning in operation.warnings]
    if operation.outcome == "installed" and operation.probation_until is not None:
        left = operation.probation_until - node_now
        if left > 0:
            lines.append(
                line(
                    span(
                        f"  Unless the release is committed, the node rolls back by itself in {countdown(left)}.",
                        "warn",
                    )
                )
            )
    return lines


def kept_words(operation: m.Operation) -> str:
    """Return a sentence that says which release runs after an aborted operation; empty for another outcome."""
    return f"{operation.from_vsn} keeps running." if operation.outcome == "aborted" else ""


def _time_left(operation: m.Operation, node_now: float) -> str:
    if operation.waits_until is None:
        return " · without a time limit"
    return f" · gives up in {countdown(operation.waits_until - node_now)}"


def outcome_of(result: m.ProcessResult, crashed: Container[int]) -> str:
    """Return the outcome for one process. `crashed` are the pids of the processes that have crashed since."""
    return CRASHED if result.outcome == "ok" and result.pid in crashed else result.outcome


def results_by_outcome(operation: m.Operation, crashed: Container[int]) -> list[m.ProcessResult]:
    """Return the results, failures first; results with the same outcome are sorted by pid."""
    ranks = {"failed": 0, "died": 1, CRASHED: 2, "put back": 3}
    return sorted(operation.results, key=lambda result: (ranks.get(outcome_of(result, crashed), 4), result.pid))


def phase_lines(operation: m.Operation, node_now: float) -> list[Line]:
    """Return one short line for each phase that the node has reported."""
    if not operation.steps:
        return [line(span("No phase reported yet.", "muted"))]
    width = max(len(step.phase) for step in operation.steps)
    return [_phase(step, operation, node_now, width) for step in operation.steps]


def _phase(step: m.OperationStep, operation: m.Operation, node_now: float, width: int) -> Line:
    name = step.phase.ljust(width)
    if step.seconds is not None:
        failed = operation.outcome in ("aborted", "put back", "partly put back")
        last = step is operation.steps[-1]
        mark = Span("✖ ", "bad") if failed and last else Span("✔ ", "ok")
        return (mark, span(name), span(f"  {duration(step.seconds):>7}", "muted"))
    if operation.ended is not None:
        return (Span("· ", "muted"), span(name))
    taken = duration(max(0.0, node_now - step.started))
    return (Span("◌ ", "warn"), span(name, "warn"), span(f"  {taken:>7}", "muted"))


def result_counts(operation: m.Operation, crashed: Container[int]) -> Line:
    """Return a line with the number of results for each outcome."""
    results = operation.results
    if not results:
        empty = "No process was affected." if operation.ended is not None else "No result has been reported yet."
        return line(span(empty, "muted"))
    number = max(operation.touched, len(results))
    spans: list[Span] = [span(plural(number, "process", "processes"), "strong")]
    if number > len(results):
        spans.append(span(f" · details kept for {len(results):,}", "muted"))
    for outcome, tone in RESULT_TONES.items():
        number = sum(1 for result in results if outcome_of(result, crashed) == outcome)
        if number:
            spans += [Span(" · "), span(f"{number:,} {outcome}", tone)]
    return tuple(spans)
