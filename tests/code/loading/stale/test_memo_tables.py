"""A plan names dicts of unchanged modules that keep results of changed code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.code.loading.test_load_hazards import booted, warnings

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

LIMITS = "LOW = {n}\ndef rate(): return {n} + 1\ndef same(): return 5\n"
USER = """
    import limits
    KNOWN = {{}}
    OTHER = {{"a": 1}}
    def remember(key):
        if key not in KNOWN:
            KNOWN[key] = {result}
        return KNOWN[key]
    class Table:
        @staticmethod
        def low(key): return KNOWN.setdefault(key, limits.LOW)
    def read(): return OTHER["a"] + limits.rate()
"""


@pytest.mark.parametrize(
    ("filling", "result", "named"),
    [
        ("remember", "limits.rate()", ["remember has computed with the replaced limits.rate"]),
        ("low", "limits.same()", []),
        ("remember", "object()", []),
        ("", "limits.rate()", []),
    ],
)
def test_a_dict_with_results_of_changed_code_is_named(app: App, filling: str, result: str, named: list[str]) -> None:
    user: Any = booted(app, limits=LIMITS.format(n=1), user=USER.format(result=result))[1]
    {"remember": user.remember, "low": user.Table.low}.get(filling, str)("a")
    found = [one for one in warnings(app, limits=LIMITS.format(n=2)) if one.startswith("user.KNOWN may keep results")]
    low = ["Table.low has computed with the replaced limits.LOW"] if filling and result != "object()" else []
    assert [one.partition("that ")[2].partition(": clear it")[0] for one in found] == [*named, *low]
