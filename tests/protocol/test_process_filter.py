"""The patterns in filters of processes, whose time is bounded whatever a client sends."""

from __future__ import annotations

import pytest

from node_runtime.protocol.process_filter import text_matches


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("b", "abc", True),
        ("B", "abc", False),
        ("a*", "abc", True),
        ("*c", "abc", True),
        ("*b", "abc", False),
        ("a?c", "abc", True),
        ("a?", "abc", False),
        ("?", "", False),
        ("*", "", True),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("*ab*ab", "ab", False),
        ("*ab*ab", "abab", True),
        ("*a?b*b", "aabab", True),
        ("a**?c", "abbc", True),
        ("*\n?", "a\nb", True),
        ("*.", "ab", False),
        ("*[ab]", "a", False),
        ("(a*)+", "(aa)+", True),
        ("*a" * 60 + "x", "a" * 256, False),
        ("*" + "?" * 120 + "x*", "a" * 256, False),
    ],
)
def test_a_pattern_matches_the_whole_text_and_other_texts_match_a_part(pattern: str, text: str, matches: bool) -> None:
    assert text_matches(pattern, text) is matches
