"""The default migration of functions without a name in their module: lambdas, and functions that functions make."""

from __future__ import annotations

import pytest

from tests.support.migrated import versions

MAKERS = """
    from dataclasses import dataclass
    @dataclass
    class Point:
        x: int = 0
        y: int = {y}
    def adder(n):
        def add(x):
            return ({v}, x + n)
        return add
    def counter():
        n = 0
        def step():
            nonlocal n
            n += 1
            return n
        def shown():
            return ({v}, n)
        return step, shown
    def holding(point):
        return lambda: (type(point) is Point, {v}, point)
    def stepping(n=5):
        return lambda x, step=n: x + step
    def deep():
        def middle():
            return lambda: {v}
        return middle()
    class Shelf:
        rule = staticmethod(lambda x: ({v}, x))
        def key(self):
            return lambda: (type(self) is Shelf, {v})
        @property
        def later(self):
            return lambda: {v}
    SQUARE = lambda x: ({v}, x * x)
    RULES = {{"odd": lambda x: ({v}, x % 2)}}
"""
OLD, NEW = MAKERS.format(v=1, y=1), MAKERS.format(v=2, y=2)


@pytest.mark.parametrize(
    ("value", "call", "result"),
    [
        ("adder(3)", "v(4)", (2, 7)),
        ("SQUARE", "v(3)", (2, 9)),
        ("RULES['odd']", "v(3)", (2, 1)),
        ("Shelf.rule", "v(3)", (2, 3)),
        ("Shelf().key()", "v()", (True, 2)),
        ("Shelf().later", "v()", 2),
        ("deep()", "v()", 2),
        ("stepping(7)", "v(1)", 8),
        ("holding(Point(4))", "v()[:2]", (True, 2)),
        ("holding(Point(4))", "v()[2].x", 4),
        ("[holding(p := Point(4)), p]", "v[0]()[2] is v[1]", True),
    ],
)
def test_a_function_gets_the_targets_code_and_keeps_its_variables(value: str, call: str, result: object) -> None:
    with versions(OLD, NEW) as both:
        done = both.up(both.old(value))
        assert not done.obstacles, str(done.obstacles[0])
        assert eval(call, {"v": done.value}) == result


def test_functions_that_share_a_variable_still_share_it() -> None:
    with versions(OLD, NEW) as both:
        value = both.old("counter()")
        value[0]()
        step, shown = both.up(value).value
        assert (step(), shown()) == (2, (2, 2))
        step, shown = both.down((step, shown)).value
        assert (step(), shown()) == (3, (1, 3))


LAMBDA = "migrated_module:make.<locals>.<lambda>, which is in use"


@pytest.mark.parametrize(
    ("before", "after", "why", "remedy"),
    [
        ("def make(): return lambda: 1", "", "the target has no make, which has made the function", "keep make"),
        (
            "def make(): return lambda: 1", "def make(): return lambda x: 1",
            "in the target, the function has other arguments or uses other variables",
            "keep its arguments and variables",
        ),
        (
            "def make(a=1, b=2): return lambda: a", "def make(a=1, b=2): return lambda: b",
            "in the target, the function has other arguments or uses other variables",
            "keep its arguments and variables",
        ),
        (
            "def make(): return (lambda: 1), (lambda: 2)", "def make(): return (lambda: 3), (lambda: 4)",
            "make makes 2 functions of this name in the target", "keep the code of make",
        ),
        (
            "def make(): return lambda n=1: n", "def make(): return lambda n=2: n",
            "make has changed, so the default values of the function may have changed, too", "keep the code of make",
        ),
    ],
)  # fmt: skip
def test_a_function_whose_successor_is_not_certain_is_in_the_way(
    before: str, after: str, why: str, remedy: str
) -> None:
    with versions(before, after) as both:
        made = both.old("make()")
        [found] = both.up(made if callable(made) else made[0]).obstacles
        assert found.reason == f"{LAMBDA}, has no name in its module, so its successor can't be found: {why}"
        assert found.remedy == remedy


def test_one_of_several_lambdas_is_found_by_its_code() -> None:
    with versions("def make(): return (lambda: 1), (lambda: 2)", "def make(): return (lambda: 2), (lambda: 3)") as both:
        value = both.old("make()[1]")
        assert both.up(value).value() == 2
    with versions("def make(): return (lambda: 1), (lambda: 2)", "def make(): return (lambda: 1), (lambda: 3)") as both:
        value = both.old("make()")
        assert [one() for one in both.up(value).value] == [1, 3]


def test_a_weak_reference_from_elsewhere_to_such_a_function_is_in_the_way() -> None:
    with versions(OLD, NEW) as both:
        both.a["KEPT"] = both.old("adder(3)")
        both.old("__import__('builtins').setattr(adder, 'weak', __import__('weakref').ref(KEPT))")
        [found] = both.up(both.a["KEPT"]).obstacles
        assert found.reason.startswith("weak references to an object of function would be lost")
