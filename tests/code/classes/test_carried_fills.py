"""A body that fills an object named in `__carry__` fills its own new one; the live object is not changed."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest

from node_runtime.code import LoadFailed

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

FILLS = [
    "stats['a'] = 0",
    "stats['a'] += 100",
    "stats.update(a=0)",
    "stats['rows'].append(9)",
    "stats['rows'] += [9]",
    "stats['rows'][0:0] = [9]",
    "del stats['a']",
    "stats |= {'b': 9}",
    "stats.setdefault('b', 9)",
    "for name in ('a', 'b'):\n    stats[name] = 0",
    "other, stats['b'] = 0, 9",
    "if 'a' in stats:\n    stats.clear()",
]
MADE = "stats = {{'a': {n}, 'rows': [{n}]}}\n"


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("order", ["__carry__ = ['stats']\n" + MADE, MADE + "__carry__ = ['stats']\n"])
def test_a_body_that_fills_what_it_made_leaves_the_live_object_alone(app: App, fill: str, order: str) -> None:
    app.boot(a=MADE.format(n=1))
    a = importlib.import_module("a")
    stats, seen = a.stats, {"a": 1, "rows": [1]}
    text = f"{order.format(n=0)}{fill}\nALIAS = stats\n"
    with pytest.raises(LoadFailed):
        app.prepare(a=f"{text}1 / 0\n")
    app.prepare(a=text).discard()
    assert a.stats == seen
    app.load(a=text)
    assert a.stats is a.ALIAS is stats
    assert stats == seen


@pytest.mark.parametrize("fill", FILLS)
def test_a_body_that_would_change_what_it_did_not_make_is_refused(app: App, fill: str) -> None:
    app.boot(a=MADE.format(n=1))
    a = importlib.import_module("a")
    text = f"__carry__ = ['stats']\nif 'stats' not in globals():\n    {MADE.format(n=0)}{fill}\n"
    with pytest.raises(
        LoadFailed, match="__carry__ lists 'stats', and this line would change the old version's object"
    ) as failed:
        app.prepare(a=text)
    assert failed.value.line >= 4
    assert a.stats == {"a": 1, "rows": [1]}


def test_carried_numbers_and_strings_are_immutable_so_nothing_is_refused(app: App) -> None:
    app.boot(a="count = 3\n")
    a = importlib.import_module("a")
    app.load(a="__carry__ = ['count']\ncount += 1\nSEEN = count\n")
    assert (a.count, a.SEEN) == (3, 3)


def test_attributes_of_a_carried_object_are_left_alone(app: App) -> None:
    body = """
        import types
        __carry__ = ["pool"]
        pool = types.SimpleNamespace(size=0)
        pool.size = {n}
        pool.inner = types.SimpleNamespace(size=0)
        pool.inner.size = {n}
        SIZE = pool.size
    """
    app.boot(a=body.format(n=1))
    a = importlib.import_module("a")
    app.load(a=body.format(n=2))
    assert (a.pool.size, a.pool.inner.size, a.SIZE) == (1, 1, 1)


def test_a_first_version_fills_its_objects_as_usual(app: App) -> None:
    app.boot(a="__carry__ = ['stats']\nstats = {}\nstats['a'] = 1\n")
    assert importlib.import_module("a").stats == {"a": 1}


def test_names_may_be_listed_one_after_the_other(app: App) -> None:
    app.boot(a="one, two = [1], [1]\n")
    a = importlib.import_module("a")
    one, two = a.one, a.two
    text = "__carry__ = ['one']\none = []\n__carry__ += ['two']\ntwo = []\none.append(2)\ntwo.append(2)\n"
    app.load(a=text)
    assert a.one is one
    assert a.two is two
    assert (one, two) == ([1], [1])
