"""A plan runs no code of values: objects that raise errors, or that lie about their class, don't stop a rehearsal."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import pytest

from node_runtime import gen_server, sys
from tests.support.projects.small_shop import COUNTER, COUNTER_2, UPDATE_COUNTER

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

ODD = """
class Lazy:
    def _fail(self, *args):
        raise RuntimeError("not configured")
    __getattr__ = __eq__ = __hash__ = __bool__ = __len__ = __repr__ = __str__ = __iter__ = __contains__ = _fail
    __getitem__ = _fail
    __class__ = property(_fail)
    __dict__ = property(_fail)
    __module__ = property(_fail)
class Liar:
    def __init__(self, target):
        object.__setattr__(self, "target", target)
    @property
    def __class__(self):
        return type(object.__getattribute__(self, "target"))
    def __getattr__(self, name):
        raise RuntimeError(name)
"""
PLACES = {
    "a default value": "def f(x=Lazy(), *, y=Liar(print)): return x",
    "an attribute of a class": "class K:\n    lazy = Lazy()\n    liar = Liar(int)\n    read = property(Lazy())",
    "a dict": "D = {'a': Lazy(), 'b': Liar([])}",
    "a list": "D = [Lazy(), Liar({})]",
    "a global variable": "G = Lazy()\nH = Liar(print)\nI = Liar(int)",
    "a closure": "def make(x):\n    return lambda: x\nG = make(Lazy())",
    "a partial": "import functools\nG = functools.partial(print, Lazy(), x=Liar(1))",
    "an attribute of a function": "def g(): ...\ng.x = Lazy()",
    "an annotation": "G: Lazy() = 1",
    "__carry__": "__carry__ = ['G']\nG = Lazy()",
}


@pytest.mark.parametrize("is_loaded", [True, False], ids=["in a replaced module", "in another module"])
@pytest.mark.parametrize("place", PLACES)
async def test_an_object_in_a_module_does_not_stop_a_rehearsal(small: SmallNode, place: str, is_loaded: bool) -> None:
    text = "\nfrom shop.odd import Lazy, Liar\n" + PLACES[place]
    counter = text if is_loaded else ""
    others = {"shop.odd": ODD, "shop.user": "" if is_loaded else text}
    small.write("1", {"shop.counter": COUNTER + counter, **others})
    small.write("2", {"shop.counter": COUNTER_2 + counter, **others}, UPDATE_COUNTER)
    small.boot()
    importlib.import_module("shop.user")
    await gen_server.start_link(importlib.import_module("shop.counter").Counter, name="counter")
    await assert_rehearsed(small)


@pytest.mark.parametrize("kind", ["Lazy()", "Liar(1)", "Liar([])", "Liar({})", "Liar(print)", "Liar(int)"])
async def test_an_object_in_a_state_does_not_stop_a_rehearsal(small: SmallNode, kind: str) -> None:
    small.write("1", {"shop.counter": COUNTER, "shop.odd": ODD})
    small.write("2", {"shop.counter": COUNTER_2, "shop.odd": ODD}, UPDATE_COUNTER)
    small.boot()
    await gen_server.start_link(importlib.import_module("shop.counter").Counter, name="counter")
    odd: Any = eval(kind, vars(importlib.import_module("shop.odd")))
    await sys.replace_state("counter", lambda _: {"n": 1, "odd": odd, "inner": [{"x": (odd,)}]})
    await assert_rehearsed(small)


async def assert_rehearsed(small: SmallNode) -> None:
    plan = await small.handler.plan("2")
    assert plan.rehearsal is not None
    assert (plan.rehearsal.error, plan.rehearsal.reached, plan.rehearsal.unrehearsed) == (None, 1, 0)
