"""The statement in a trusted comment: one line, in one form only."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from node_runtime.releases.signing.statement import ReleaseStatement, build_id, parse_statement

BUILT = datetime(2026, 11, 28, 22, 26, 54, tzinfo=UTC)
STATEMENT = ReleaseStatement(
    name="fil",
    vsn="1986.b",
    sha256="a" * 64,
    manifest="b" * 64,
    build=build_id(BUILT, "b" * 64),
    expires=datetime(2027, 2, 26, tzinfo=UTC),
)
LINE = (
    f"hotdash1 name=fil vsn=1986.b sha256={'a' * 64} manifest={'b' * 64} "
    f"build=20261128T222654Z-bbbbbbbbbbbb expires=2027-02-26T00:00:00Z"
)


def test_a_statement_is_one_line_and_is_read_from_it() -> None:
    assert STATEMENT.line() == LINE
    assert parse_statement(LINE) == STATEMENT
    assert STATEMENT.built == BUILT


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        LINE + " ",
        LINE + "\n",
        LINE + " more=1",
        LINE.replace("hotdash1", "hotdash2"),
        LINE.replace(" vsn", "  vsn"),
        LINE.replace("fil", "../fil"),
        LINE.replace("1986.b", ""),
        LINE.replace("1986.b", "1986.b vsn=1986.c"),
        LINE.replace("aaaa", "AAAA"),
        LINE.replace("2027-02-26", "2027-02-30"),
        LINE.replace("20261128", "20261328"),
        LINE.replace("Z-bbbbbbbbbbbb", "Z-cccccccccccc"),
        LINE.replace(" expires=2027-02-26T00:00:00Z", ""),
        LINE.replace("1986", "\u0661986"),
    ],
)
def test_any_other_line_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"statement|build id|day|time data|range"):
        parse_statement(wrong)
