"""A plan names what modules that a load leaves alone have made from the code that it replaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.code.loading.test_load_hazards import booted, warnings

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

MODELS = """
    import enum
    class Colour(enum.Enum):
        RED = {n}
    class Point:
        N = {n}
    def price():
        return {n}
    UNSET = object()
"""
USER = """
    import functools, models
    from models import Colour, Point, UNSET, price as cost
    {}
"""


def kept(app: App, user: str, **modules: str) -> list[str]:
    """The places that a plan names when `models` changes and `user` does not."""
    booted(app, models=MODELS.format(n=1), **modules, user=USER.format(user))
    found = warnings(app, models=MODELS.format(n=2))
    start = "user keeps the replaced version of models in "
    end = ", and uses it until user is loaded again: let the appup load user too."
    return [text.removeprefix(start).removesuffix(end) for text in found]


@pytest.mark.parametrize(
    ("user", "place"),
    [
        ("def paint(colour=Colour.RED): ...", "the default value of colour in paint"),
        ("def paint(*, colour=UNSET): ...", "the default value of colour in paint"),
        ("class Pen:\n        def paint(self, by=cost): ...", "the default value of by in Pen.paint"),
        ("class Pen:\n        colour = Colour.RED", "Pen.colour"),
        ("class Pen:\n        at = Point()", "Pen.at"),
        ("class Pen:\n        make = Point", "Pen.make"),
        ("SHADES = {Colour.RED: 1}", "SHADES"),
        ("ERRORS = (Point, KeyError)", "ERRORS"),
        ("POINTS = {'all': dict[str, list[Point]]}", "POINTS"),
        ("POINT = (Point | None,)", "POINT"),
        ("MAKE = Point", "MAKE"),
        ("PRICE = functools.partial(cost)", "PRICE"),
        ("def outer(by):\n        return lambda: by\n    PAINT = outer(Colour.RED)", "PAINT"),
        ("import json\n    ENCODER = json.JSONEncoder(default=cost)", "ENCODER"),
        ("import contextvars\n    AT = contextvars.ContextVar('AT', default=Colour.RED)", "AT"),
        ("import operator\n    PRICES = map(cost, ())", "PRICES"),
        ("from pydantic import TypeAdapter\n    ADAPTER = TypeAdapter(Colour)", "ADAPTER"),
        ("from pydantic import validate_call\n    @validate_call\n    def paint(by: Colour): ...", "paint"),
    ],
)
def test_what_a_body_has_kept_is_named_by_its_place(app: App, user: str, place: str) -> None:
    assert kept(app, user) == [place]


def test_imported_names_and_adopted_instances_are_not_stale(app: App) -> None:
    assert kept(app, "AT = [Point()]\n    from models import *\n    def paint(colour=None): ...") == []


def test_a_module_is_stale_by_another_one_that_exports_the_names_again(app: App) -> None:
    booted(
        app,
        models=MODELS.format(n=1),
        shown="from models import Colour\n",
        user="from shown import Colour\nRED = Colour.RED\nBLUE = [RED]\nDARK = [RED]\nPALE = [RED]\n",
    )
    assert warnings(app, models=MODELS.format(n=2)) == (
        "user keeps the replaced version of models in RED, BLUE, DARK and 1 more, and uses it until user is loaded "
        "again: let the appup load user too.",
    )


def test_what_an_earlier_load_left_behind_is_named_again(app: App) -> None:
    booted(app, models=MODELS.format(n=1), user="from models import Colour\nRED = Colour.RED\n")
    app.load(models=MODELS.format(n=2))
    assert len(warnings(app, models=MODELS.format(n=3))) == 1


def test_nothing_is_stale_if_the_module_is_loaded_too(app: App) -> None:
    user = USER.format("RED = Colour.RED\n    def paint(colour=Colour.RED): ...")
    booted(app, models=MODELS.format(n=1), user=user)
    assert warnings(app, models=MODELS.format(n=2), user=user) == ()


def test_a_class_that_a_module_provides_by_getattr_stays_old_and_an_instance_adopts_its_new_class(app: App) -> None:
    lazy = "class _Point:\n    N = {n}\ndef __getattr__(name):\n    return _Point if name == 'Point' else _Point()\n"
    (_, user) = booted(app, lazy=lazy.format(n=1), user="from lazy import Point, at\n")
    assert warnings(app, lazy=lazy.format(n=2)) == (
        "user keeps the replaced version of lazy in Point, and uses it until user is loaded again: let the appup load "
        "user too.",
    )
    app.load(lazy=lazy.format(n=2))
    assert (user.Point.N, user.at.N) == (1, 2)
