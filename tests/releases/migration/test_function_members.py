"""The default migration of functions inside of properties, class methods and the wrappers of decorators."""

from __future__ import annotations

import pytest

from tests.support.migrated import versions

BEFORE = """
import functools
def polite(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)
    return wrapper
def silent(function):
    def wrapper(*args):
        return function(*args)
    return wrapper
class Row:
    @property
    def name(self):
        return 'a'
    @name.setter
    def name(self, value):
        return 'a'
    @classmethod
    def made(cls, *args):
        return 'a'
    @staticmethod
    def still(*args):
        return 'a'
    @functools.cached_property
    def later(self):
        return 'a'
    def whole(self, *args):
        return 'a'
    part = functools.partialmethod(whole, 1)
    @polite
    def wrapped(self):
        return 'a'
@silent
def hidden(*args):
    return 'a'
@functools.lru_cache
def cached(*args):
    return 'a'
"""


@pytest.mark.parametrize(
    "value",
    [
        "Row.name.fget", "Row.name.fset", "Row.__dict__['made'].__func__", "Row.__dict__['still'].__func__",
        "Row.__dict__['later'].func", "Row.__dict__['part'].func", "Row.wrapped", "Row.wrapped.__wrapped__",
        "hidden.__closure__[0].cell_contents", "cached.__wrapped__", "cached",
    ],
)  # fmt: skip
def test_functions_inside_of_properties_and_decorators_go_by_name(value: str) -> None:
    with versions(BEFORE, BEFORE.replace("'a'", "'b'")) as both:
        new = both.migrated(value)
        assert new is eval(value, dict(both.b))
        assert new(*["x"] * new.__code__.co_argcount if "fset" in value else "x") == "b"
