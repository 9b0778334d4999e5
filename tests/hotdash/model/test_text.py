"""Text for terminals: sanitized, wrapped, with units, and sparklines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotdash.model.styled_text import cut, line, sanitize, span, text_of, width_of, wrap
from hotdash.model.units import age, count, countdown, duration, size
from hotdash.model.vitals import sparkline
from tests.support.hypothesis_profiles import UNHURRIED


def test_control_characters_and_reversals_are_spelt_out() -> None:
    assert sanitize("a\x1b[31m\n\u202e\x85") == "a\\x1b[31m\\n\\u202e\\x85"
    assert sanitize("größer → 漢字 ✔") == "größer → 漢字 ✔"


@UNHURRIED
@given(st.text())
def test_no_terminal_control_sequence_remains(text: str) -> None:
    assert all(character >= " " and not "\x7f" <= character <= "\x9f" for character in sanitize(text))


@UNHURRIED
@given(st.lists(st.text(alphabet="ab 漢", max_size=30), max_size=4), st.integers(8, 40))
def test_folded_lines_fit_and_lose_nothing_but_blanks(texts: list[str], width: int) -> None:
    spans = line(*(span(text) for text in texts))
    folded = wrap(spans, width)
    assert all(width_of(part) <= width for part in folded)
    joined = "".join(text_of(part) for part in folded)
    assert joined.replace(" ", "") == text_of(spans).replace(" ", "")


def test_a_line_that_is_cut_ends_in_an_ellipsis_and_keeps_its_tones() -> None:
    spans = (span("fil@127.0.0.1", "strong"), span(" on probation", "warn"))
    assert cut(spans, 26) == spans
    assert cut(spans, 20) == (spans[0], span(" on pr…", "warn"))
    assert cut(spans, 13) == (span("fil@127.0.0.…", "strong"),)
    assert cut(spans, 5) == (span("fil@…", "strong"),)
    assert width_of(cut(line("漢字漢字"), 4)) == 4


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (age(59), "59 s"), (age(3725), "1 h 02"), (age(90_000 * 2), "2 d"), (age(-5), "0 s"),
        (duration(0.000084), "84 µs"), (duration(0.0041), "4.1 ms"), (duration(0.34), "340 ms"),
        (duration(2.41), "2.4 s"),
        (size(48_200_000), "48 MB"), (size(1200), "1.2 kB"), (size(7), "7 B"), (count(930), "930"),
        (count(12_400), "12.4 k"), (count(2_000_000), "2.0 M"), (countdown(571), "9:31"),
    ],
)  # fmt: skip
def test_numbers_are_formatted_for_people(told: str, expected: str) -> None:
    assert told == expected


def test_sparklines_are_right_aligned_and_scaled() -> None:
    assert sparkline([0, 5, 10], 5, min_range=10) == "  ▁▅█"
    assert sparkline([48.0, 48.0], 2, min_range=4, from_minimum=True) == "▁▁"
    assert sparkline([], 3) == "   "
