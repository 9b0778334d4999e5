"""A plan names what the bodies of unchanged modules have computed with values that the load changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.code.loading.test_load_hazards import booted, warnings

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

LIMITS = """
    import datetime, decimal, struct
    class Settings:
        size = {n}
        same = 5
    SETTINGS = Settings()
    DAY = datetime.timedelta(days={n})
    RATE = decimal.Decimal({n})
    HEADER = struct.Struct('{n}I')
    TAIL = struct.Struct('I')
    class Slots:
        __slots__ = ('size', 'same')
        def __init__(self):
            self.size, self.same = {n}, 5
    SLOTS = Slots()
    LOW = {n}
    NAMES = ["{n}"]
    SAME = 5
    TABLE = {{}}
    def rates():
        return [{n}]
    def same():
        return 1
"""


def copied(app: App, user: str, **modules: str) -> list[str]:
    """The values and places that a plan names when `limits` changes and `user` does not."""
    booted(app, limits=LIMITS.format(n=1), **modules, user=f"import limits\nfrom limits import LOW, SAME\n{user}\n")
    found = warnings(app, limits=LIMITS.format(n=2))
    start, end = "The body of user has used ", ". The new version has another value, which user gets"
    return [text.removeprefix(start).partition(end)[0] for text in found if text.startswith(start)]


@pytest.mark.parametrize(
    ("user", "named"),
    [
        ("MAX = limits.LOW * 2", "limits.LOW for MAX"),
        ("MAX = LOW", "limits.LOW for MAX"),
        ("def check(limit=LOW): ...", "limits.LOW for check"),
        ("class Pen:\n    width = LOW", "limits.LOW for Pen.width"),
        ("class Pen:\n    def draw(self, width=limits.LOW): ...", "limits.LOW for Pen.draw"),
        ("TITLE = f'at least {LOW}'", "limits.LOW for TITLE"),
        ("ALL = [*limits.NAMES, 'more']", "limits.NAMES for ALL"),
        ("TABLE = limits.TABLE", "limits.TABLE for TABLE"),
        ("RATES = limits.rates()", "limits.rates for RATES"),
        ("if limits.LOW > 3: pass", "limits.LOW for line 3"),
        ("MAX = limits.Settings.size * 2", "limits.Settings for MAX"),
        ("MAX = limits.SETTINGS.size", "limits.SETTINGS for MAX"),
        ("WEEK = limits.DAY * 7", "limits.DAY for WEEK"),
        ("RATE = limits.RATE + 1", "limits.RATE for RATE"),
        ("SIZE = limits.HEADER.size", "limits.HEADER for SIZE"),
        ("EMPTY = bytes(limits.HEADER.size)", "limits.HEADER for EMPTY"),
        ("MAX = limits.SLOTS.size", "limits.SLOTS for MAX"),
    ],
)
def test_a_changed_value_is_named_by_what_a_body_has_used_it_for(app: App, user: str, named: str) -> None:
    assert copied(app, user) == [named]


@pytest.mark.parametrize(
    "user",
    [
        "MAX = SAME",
        "MAX = limits.Settings.same + limits.SETTINGS.same",
        "SIZE = limits.TAIL.size + limits.SLOTS.same",
        "def check():\n    return LOW",
        "MAX = lambda: limits.LOW",
        "RATES = limits.same()",
        "RATES = lambda rates=limits.rates: rates()",
        "TABLE = dict(limits.TABLE)",
    ],
)
def test_what_stays_right_is_not_named(app: App, user: str) -> None:
    assert copied(app, user) == []


def test_a_value_is_followed_through_modules_that_only_import_it(app: App) -> None:
    shown = "from limits import LOW as LEAST\n"
    assert copied(app, "import shown\nMAX = shown.LEAST", shown=shown) == ["limits.LOW for MAX"]


def test_a_value_of_a_star_import_is_named(app: App) -> None:
    assert copied(app, "from limits import *\nALL = sorted(NAMES)") == ["limits.NAMES for ALL"]


def test_nothing_is_named_if_the_module_is_loaded_too(app: App) -> None:
    user = "import limits\nMAX = limits.LOW\n"
    booted(app, limits=LIMITS.format(n=1), user=user)
    assert not [text for text in warnings(app, limits=LIMITS.format(n=2), user=user + "\n") if "has used" in text]
