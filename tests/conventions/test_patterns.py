"""Regular expressions mean the same in each version of Python that the project runs on."""

from __future__ import annotations

import re

from tests.support.sources import ROOT

CHARACTERS = re.compile(r"\[(?:\\.|[^\]\\])+\]")
"""A set of characters, in which nothing is a group."""
POSSESSIVE_GROUP = re.compile(r"[\"'].*\)(?:[*+?]|\{[0-9,]+\})\+")


def test_no_group_is_repeated_possessively() -> None:
    """Before Python 3.11.5, a group keeps a part of a repetition that failed; `(?>(?:…)*)` doesn't."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for package in ("hotdash", "node_runtime")
        for path in (ROOT / package).rglob("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if POSSESSIVE_GROUP.search(CHARACTERS.sub("x", line))
    ]
    assert found == []
