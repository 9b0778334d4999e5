"""The glossary: few terms, each with the file that implements it."""

from __future__ import annotations

import re
from typing import Final

from tests.support.sources import files, text

MAX_TERMS: Final = 60
ROW: Final = re.compile(r"^\| \*\*(?P<term>[^*]+)\*\* \| (?P<meaning>[^|]+) \| `(?P<home>[^`]+)` \|$", re.MULTILINE)


def test_each_term_has_one_sentence_and_a_file_that_exists() -> None:
    rows = [match.groupdict() for match in ROW.finditer(text("docs/glossary.md"))]
    assert 0 < len(rows) <= MAX_TERMS
    assert len({row["term"] for row in rows}) == len(rows)
    assert [row["term"] for row in rows if not row["meaning"].rstrip().endswith(".")] == []
    assert [row["home"] for row in rows if not files(row["home"])] == []
