"""The default migration of what real programs keep in their states: each goes up, comes back, and goes up again."""

from __future__ import annotations

from typing import Any, Final

import pytest

from tests.support.migrated import versions

HEAD: Final = """
    import abc, functools, weakref
    from dataclasses import dataclass, field
    from typing import Generic, TypeVar
    import attr
    from pydantic import BaseModel
    T = TypeVar("T")
"""
PAGES: Final = """
    class Page(BaseModel, Generic[T]):
        items: list[T]
        total: int = {}
    class Item(BaseModel):
        number: int
        tags: list[str] = []
"""
CACHED: Final = """
    @attr.s(frozen=True, cache_hash=True, auto_attribs=True)
    class Key:
        number: int
        rank: int = {}
"""
KEY: Final = """
    class Key:
        def __init__(self, number):
            self.number = number
        def __eq__(self, other):
            return self.number {0} == other.number {0}
        def __hash__(self):
            return hash(self.number {0})
"""


def walk(before: str, after: str, expression: str, look: str) -> list[Any]:
    """What the expression `look` makes of the value `v` at first, above, back below, and above again."""
    with versions(HEAD + before, HEAD + after) as both:
        value = both.old(expression)
        seen = [eval(look, {**both.a, "v": value})]
        for step, names in ((both.up, both.b), (both.down, both.a), (both.up, both.b)):
            done = step(value)
            assert done.obstacles == ()
            value = done.value
            seen.append(eval(look, {**names, "v": value}))
        return seen


def refusal(before: str, after: str, expression: str) -> str:
    """Why the value of the expression can't go up."""
    with versions(HEAD + before, HEAD + after) as both:
        return both.up(both.old(expression)).obstacles[0].reason


def test_a_parametrised_pydantic_model() -> None:
    look = "(type(v) is Page[Item], type(v.items[0]) is Item, v.items[0].number)"
    assert walk(PAGES.format(0), PAGES.format(1), "Page[Item](items=[Item(number=7)])", look) == [(True, True, 7)] * 4
    look = "(type(v) is Page[list[Item]], v.items[0][0].number)"
    assert walk(PAGES.format(0), PAGES.format(1), "Page[list[Item]](items=[[Item(number=7)]])", look) == [(True, 7)] * 4


def test_keys_of_an_attrs_class_that_keeps_its_hash() -> None:
    look = "v[Key(1)].number"
    assert walk(CACHED.format(2), CACHED.format(3), "{Key(1, 3): Key(5), Key(1): Key(4)}", "len(v)") == [2] * 4
    plain = CACHED.replace(", cache_hash=True", "")
    assert walk(plain.format(2), CACHED.format(2), "{Key(1): Key(5)}", look) == [5] * 4


@pytest.mark.parametrize(
    "container", ["{{Key(1): 'a', Key(3): 'b'}}", "{{Key(1), Key(3)}}", "frozenset([Key(1), Key(3)])"]
)
def test_entries_that_become_equal_are_refused_and_not_lost(container: str) -> None:
    reason = refusal(KEY.format("% 10"), KEY.format("% 2"), container.format())
    assert reason.endswith("are equal in the target: of 2 entries, 1 would be left")


def test_an_error_of_a_class_is_a_refusal() -> None:
    broken = KEY.format("% 10").replace("return hash(", "return hash(self.missing, ")
    assert refusal(KEY.format("% 10"), broken, "{Key(1): 2}").startswith(
        "AttributeError was raised when a new dict was"
    )
    shape = "    class Shape(abc.ABC):\n        def area(self): return 1\n"
    abstract = shape.replace("        def", "        @abc.abstractmethod\n        def")
    assert "abstract" in refusal(shape, abstract, "Shape()")


def test_an_object_that_a_proxy_leads_to_is_refused() -> None:
    node = """
    class Node:
        number = {}
    KEPT = []
    def watched(one):
        KEPT.append(weakref.proxy(one))
        return one
    """
    reason = refusal(node.format(1), node.format(2), "watched(Node())")
    assert reason.startswith("weak references to an object of")


def test_a_function_that_another_function_has_made_gets_the_new_code() -> None:
    later = """
    def later(number):
        def run():
            return number + {0}
        return run
    """
    assert walk(later.format(1), later.format(2), "[later(7)]", "v[0]()") == [8, 9, 8, 9]


def test_a_cache_around_a_plain_function_is_a_new_cache_around_the_new_function() -> None:
    square = "    def square(number):\n        return number * {}\n"
    look = "(v[0](3), v[0].cache_parameters()['maxsize'], v[0].cache_info().currsize)"
    seen = walk(square.format(2), square.format(3), "[functools.lru_cache(maxsize=7)(square)]", look)
    assert seen == [(6, 7, 1), (9, 7, 1), (6, 7, 1), (9, 7, 1)]


def test_a_cached_function_is_the_new_one() -> None:
    square = "    @functools.lru_cache\n    def square(number):\n        return number * {}\n"
    look = "v[0] is square"
    assert walk(square.format("number"), square.format("number * 1"), "[square]", look) == [True] * 4


def test_objects_that_stand_for_themselves_are_those_of_the_new_version() -> None:
    names = """
    class Missing:
        def __init__(self, name):
            self.name = name
    UNSET, NOTHING = object(), Missing("nothing")
    """
    look = "(v[0] is UNSET, v[1] is NOTHING)"
    assert walk(names, names, "[UNSET, NOTHING]", look) == [(True, True)] * 4
    assert "no migrated_module:UNSET, which is in use" in refusal(names, names.replace("UNSET", "OTHER"), "[UNSET]")
