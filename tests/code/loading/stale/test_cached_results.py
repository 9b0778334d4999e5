"""A plan names caches of unchanged modules that keep results of changed code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.code.loading.test_load_hazards import booted, warnings

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

USER = """
    import functools, limits
    from limits import LOW
    @functools.cache
    def rate(): return limits.rate()
    @functools.lru_cache(maxsize=3)
    def low(): return LOW * 2
    @functools.cache
    def same(): return limits.same()
    class Table:
        @staticmethod
        @functools.cache
        def rate(): return limits.rate() + limits.LOW
"""
LIMITS = "LOW = {n}\ndef rate(): return {n} + 1\ndef same(): return 5\n"


@pytest.mark.parametrize(
    ("call", "place", "changed"),
    [
        ("rate", "rate", "limits.rate"),
        ("low", "low", "limits.LOW"),
        ("Table.rate", "Table.rate", "limits.rate, limits.LOW"),
    ],
)
def test_a_cache_with_results_of_changed_code_is_named(app: App, call: str, place: str, changed: str) -> None:
    _, user = booted(app, limits=LIMITS.format(n=1), user=USER)
    assert warnings(app, limits=LIMITS.format(n=2)) == (), "all caches are empty"
    user.same()
    eval(f"user.{call}()", {"user": user})
    assert warnings(app, limits=LIMITS.format(n=2)) == (
        f"The cache user.{place} keeps results that were computed with the replaced {changed}: call its cache_clear() "
        f"after the upgrade, or let the appup load user too.",
    )
