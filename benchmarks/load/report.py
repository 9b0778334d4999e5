"""The table of the results, and what of them misses a goal."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from typing import Final

from .counts import FAULTS, Summary
from .measurement import Outcome

LONGEST_RATIO: Final = 3.0
"""The longest answer under upgrades may take this many times as long as the longest without."""
TITLES: Final = {
    "failed": "failed requests",
    "wrong": "wrong answers",
    "dropped": "dropped connections",
    "lost": "lost messages",
    "doubled": "doubled messages",
}


def longest(runs: list[Summary]) -> float:
    """Return the median of the runs' longest times, in seconds; 0 without runs."""
    return statistics.median(run.longest for run in runs) if runs else 0.0


def problems(name: str, outcome: Outcome) -> Iterator[str]:
    """Yield a sentence for each goal that a site misses."""
    if outcome.trouble:
        yield f"{name}: the measurement ended early: {outcome.trouble}"
    for kind, count in outcome.faults().items():
        if count:
            yield f"{name}: {count:,} {TITLES[kind]} (limit 0)"
    yield from (f"{name}: {example}" for example in outcome.examples())
    for what, upgraded, quiet in _compared(outcome):
        if longest(upgraded) > LONGEST_RATIO * longest(quiet):
            yield (
                f"{name}: the longest {what} took {longest(upgraded) * 1000:,.1f} ms under upgrades, and "
                f"{longest(quiet) * 1000:,.1f} ms without (limit {LONGEST_RATIO:g} times)"
            )


def table(outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    """Yield all figures as a table in Markdown; each site is a column."""
    yield "| | goal | " + " | ".join(outcomes) + " |"
    yield "|---|---|" + "---:|" * len(outcomes)
    columns = [dict(_cells(outcome)) for outcome in outcomes.values()]
    for title in dict.fromkeys(title for column in columns for title in column):
        goal, _, what = title.rpartition("|")
        yield f"| {what} | {goal} | " + " | ".join(column.get(title, "") for column in columns) + " |"


def _cells(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """Yield the cells of one site, each with the goal and the title of its row."""
    yield "|capacity, requests per second", f"{outcome.capacity:,.0f}"
    yield "|load, requests per second", f"{outcome.rate:,.0f}"
    yield "|upgrades and downgrades, each committed", f"{outcome.installs}"
    yield "|failed upgrades that were put back", f"{outcome.put_back}" if outcome.put_back else ""
    yield "|requests under upgrades", f"{sum(run.sent for run in outcome.upgraded):,}"
    if outcome.swarm is not None:
        yield "|messages on websockets", f"{outcome.swarm.sent:,}"
    faults = outcome.faults()
    for kind in FAULTS:
        if outcome.swarm is not None or kind not in ("lost", "doubled"):
            yield f"0|{TITLES[kind]}", str(faults[kind])
    for what, upgraded, quiet in _compared(outcome):
        yield f"|longest {what} without upgrades, ms", f"{longest(quiet) * 1000:,.1f}"
        yield f"|longest {what} under upgrades, ms", f"{longest(upgraded) * 1000:,.1f}"
        ratio = longest(upgraded) / longest(quiet) if longest(quiet) else 0.0
        missed = "" if ratio <= LONGEST_RATIO else " (**missed**)"
        yield f"≤ {LONGEST_RATIO:g}x|longest {what} under upgrades, divided by without", f"{ratio:.2f}x{missed}"
        p99s = (statistics.median(run.p99 for run in runs) * 1000 for runs in (quiet, upgraded))
        yield (
            f"|99th percentile of a {what}, without and under upgrades, ms",
            " and ".join(f"{p99:,.1f}" for p99 in p99s),
        )


def _compared(outcome: Outcome) -> Iterator[tuple[str, list[Summary], list[Summary]]]:
    """Yield what is compared, with the summaries of the runs under upgrades and without."""
    if outcome.quiet:
        yield "response", outcome.upgraded, outcome.quiet
    if outcome.quiet_messages:
        yield "message", outcome.upgraded_messages, outcome.quiet_messages
