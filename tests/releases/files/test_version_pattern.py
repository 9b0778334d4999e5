"""Patterns for versions in appups: OTP's regular expressions, without expressions that take long."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.schemas import read_appup
from node_runtime.releases.files.version_pattern import (
    glob_for_regex,
    is_version_pattern,
    matches_version,
    version_key,
)
from tests.support.hypothesis_profiles import UNHURRIED


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("1.2", ["1.2"], ["1.20", "1", "1.2.0"]),
        ("0.1.*", ["0.1.7", "0.1.", "0.1.2-rc.1"], ["0.1", "0.10.1", "10.1.1"]),
        ("1986.?", ["1986.a"], ["1986.", "1986.ab"]),
        ("*", ["1", "x-1+b"], []),
        (">=0.1, <0.3", ["0.1", "0.1.0", "0.2.9", "0.3-rc1"], ["0.3", "0.3.0", "0.0.9", "0.1-rc1"]),
        (">1.9", ["1.10", "2"], ["1.9", "1.9.0", "1.8"]),
        ("<=1986.b", ["1986.a", "1986.b", "9"], ["1986.c", "1987"]),
        (">=1.0+b7", ["1.0", "1.0+b1"], ["0.9+b8"]),
    ],
)
def test_a_pattern_is_for_whole_versions(pattern: str, matching: list[str], others: list[str]) -> None:
    assert is_version_pattern(pattern)
    assert [vsn for vsn in (*matching, *others) if matches_version(pattern, vsn)] == matching


@UNHURRIED
@given(pattern=st.text("ab.*?", min_size=1, max_size=12), vsn=st.text("ab.", max_size=12))
def test_a_glob_matches_what_the_shell_would_match(pattern: str, vsn: str) -> None:
    assert matches_version(pattern, vsn) == (re.fullmatch(fnmatch.translate(pattern), vsn) is not None)


@UNHURRIED
@given(*(st.lists(st.sampled_from(["0", "1", "02", "10", "a", "rc", "+b"]), max_size=5).map(".".join) for _ in "123"))
def test_versions_have_an_order_in_ranges(one: str, two: str, three: str) -> None:
    def less(left: str, right: str) -> bool:
        return version_key(left, right) < version_key(right, left)

    assert not (less(one, two) and less(two, one))
    assert less(one, three) or not (less(one, two) and less(two, three))


@pytest.mark.parametrize(
    "text", ["", ">=", "=>1", ">=1,", "1 2", ">=1*", "<=1, >", "(a+)+", "*" * 257, "1|2", "ü", "-1"]
)
def test_other_texts_are_no_patterns(text: str) -> None:
    assert not is_version_pattern(text)


@pytest.mark.parametrize(
    ("regex", "glob"),
    [
        (r"0\.1\..*", "0.1.*"),
        (r"^1\.\d+$", "1.*"),
        (r"1986\.[a-z]", "1986.?"),
        (r"1\.0.*", "1.0*"),
        (r"1|1\.2", None),
        (r"(a+)+", None),
        (r"1{9999999999}", None),
        ("1" * 300, None),
    ],
)
def test_a_regular_expression_is_refused_with_the_pattern_that_replaces_it(
    tmp_path: Path, regex: str, glob: str | None
) -> None:
    assert glob_for_regex(regex) == glob
    path = tmp_path / "appup.toml"
    path.write_text(f"vsn = '2'\n[[up]]\nfrom = {{ regex = '{regex}' }}\ninstructions = []\n")
    with pytest.raises(Refused, match=r"appup.toml, line 3: an appup can't have the regular expression") as refused:
        read_appup(path)
    remedy = 'a range such as ">=0.1, <0.3", or one entry for each version.' if glob is None else f'from = "{glob}".'
    assert refused.value.sentence.endswith(remedy)


def test_a_wrong_pattern_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "appup.toml"
    path.write_text("vsn = '2'\n[[down]]\nto = '1 or 2'\ninstructions = []\n")
    with pytest.raises(Refused, match=r'line 3: to must be a version, a pattern .*, not "1 or 2"'):
        read_appup(path)
