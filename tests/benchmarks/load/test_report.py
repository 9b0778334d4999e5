"""The report names each goal that is missed, and the table has a column for each site."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.load.counts import Counts, Summary, percentile
from benchmarks.load.measurement import Amount, Outcome
from benchmarks.load.report import problems, table

GOOD = Counts(sent=3, seconds=[0.001, 0.002, 0.010]).summary()


def outcome(*upgraded: Summary) -> Outcome:
    return Outcome(1000.0, 600.0, 4, 1, quiet=[GOOD, GOOD, GOOD], upgraded=list(upgraded))


def test_nothing_is_reported_if_all_goals_are_reached() -> None:
    one_outlier = replace(GOOD, longest=0.5)
    assert list(problems("site", outcome(one_outlier, replace(GOOD, longest=0.029), GOOD))) == []


def test_the_median_of_the_maxima_is_compared() -> None:
    slow = replace(GOOD, longest=0.031)
    assert list(problems("site", outcome(slow, slow, GOOD))) == [
        "site: the longest response took 31.0 ms under upgrades, and 10.0 ms without (limit 3 times)"
    ]


@pytest.mark.parametrize("kind", ["failed", "wrong", "dropped", "lost", "doubled"])
def test_each_fault_is_reported_with_an_example(kind: str) -> None:
    counts = Counts(seconds=[0.001])
    counts.fault(kind, "the first one", 2)
    found = list(problems("site", outcome(counts.summary())))
    assert found[0].startswith("site: 2 ")
    assert found[1] == f"site: {kind}: the first one"


def test_the_table_has_a_column_for_each_site_and_marks_what_is_missed() -> None:
    lines = list(table({"one": outcome(GOOD), "other": outcome(replace(GOOD, longest=1.0))}))
    assert lines[0] == "| | goal | one | other |"
    assert "| failed requests | 0 | 0 | 0 |" in lines
    assert "| longest response under upgrades, divided by without | ≤ 3x | 1.00x | 100.00x (**missed**) |" in lines


def test_failures_are_spread_over_the_rounds() -> None:
    amount = Amount(runs=1, rounds=20, failures=5, sockets=0, messages=0, pause=0)
    assert [number for number in range(20) if amount.fails_in(number)] == [3, 7, 11, 15, 19]


def test_a_percentile_is_the_value_below_or_at_which_a_share_is() -> None:
    assert [percentile([1.0, 2.0, 3.0, 4.0], share) for share in (0.0, 0.25, 0.5, 0.99, 1.0)] == [1, 1, 2, 4, 4]
    assert percentile([], 0.5) == 0.0


def test_a_measurement_that_ended_early_is_a_problem_and_has_a_column() -> None:
    ended = Outcome(trouble="2.0 was aborted")
    assert list(problems("site", ended)) == ["site: the measurement ended early: 2.0 was aborted"]
    assert next(table({"site": ended})) == "| | goal | site |"
    assert len(list(table({"site": ended}))) > 5
