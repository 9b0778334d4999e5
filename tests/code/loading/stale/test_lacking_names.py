"""A plan names functions of unchanged modules that use what the new versions lack, or call it as they no longer can."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.code.loading.test_load_hazards import booted, warnings

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

BEFORE = """
    from dataclasses import dataclass
    def total(price): return price
    def label(text, size=1): return text
    def shown(*parts): return parts
    gone = 1
    class Box:
        def old_name(self): return 1
        def add(self, number): return number
        @classmethod
        def make(cls): return cls()
    @dataclass
    class Item:
        name: str
"""
AFTER = """
    from dataclasses import dataclass
    def total(price, tax): return price + tax
    def label(text, size=1, *, colour): return text
    def shown(first, *parts): return parts
    class Box:
        def new_name(self): return 1
        def add(self, number, unit): return number
        @classmethod
        def make(cls, size): return cls()
    @dataclass
    class Item:
        name: str
        price: int
"""


def named(app: App, user: str, after: str = AFTER) -> list[str]:
    booted(app, rules=BEFORE, user="import rules\nfrom rules import Item, total\n" + user)
    return [one for one in warnings(app, rules=after) if one.startswith("user ")]


USES = "uses {} in ask, which the new version no longer has: keep the name"
CALLS = "calls {} in ask without {}, which the new version requires: give it a default"


@pytest.mark.parametrize(
    ("body", "clause"),
    [
        ("return rules.gone", USES.format("rules.gone")),
        ("return rules.Box.old_name", USES.format("rules.Box.old_name")),
        ("return [rules.gone for _ in '1']", USES.format("rules.gone")),
        ("return rules.total(2)", CALLS.format("rules.total", "tax")),
        ("return total(2)", CALLS.format("rules.total", "tax")),
        ("return rules.label('a')", CALLS.format("rules.label", "colour")),
        ("return rules.Box.make()", CALLS.format("rules.Box.make", "size")),
        ("return Item('a')", CALLS.format("rules.Item", "price")),
        ("return rules.Item('a')", CALLS.format("rules.Item", "price")),
    ],
)
def test_what_no_longer_works_is_named(app: App, body: str, clause: str) -> None:
    assert named(app, f"def ask():\n    {body}\n") == [f"user {clause}, or let the appup load user too."]


@pytest.mark.parametrize(
    "body",
    [
        "return isinstance(1, rules.Item)",
        "return rules.total",
        "return rules.shown()",
        "return rules.unknown",
        "return rules.Box.unknown",
        "return rules.Box.__name__, rules.Box.mro()",
        "return rules.Box().add",
        "return rules.__name__",
    ],
)
def test_what_may_still_work_or_never_worked_is_not_named(app: App, body: str) -> None:
    assert named(app, f"def ask():\n    {body}\n") == []


def test_a_name_that_the_new_module_provides_by_getattr_is_not_named(app: App) -> None:
    after = AFTER + "    def __getattr__(name): return 1\n"
    assert named(app, "def ask():\n    return rules.gone\n", after) == []
