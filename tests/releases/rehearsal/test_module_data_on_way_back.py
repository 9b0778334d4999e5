"""A plan names the module data that the upgrade keeps and a rollback loses, and a rollback loses just that."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tests.support.projects.small_shop import COUNTER, COUNTER_2, LOAD_COUNTER

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

COUNTED = """
{carry}
total, listed = 0, 0
known, table, current = [], {{}}, None
N = {n}
class Hub:
    made = 0
    rooms = []
    limit = {n}
    @classmethod
    def make(cls): cls.made += 1
def add(number):
    global total, listed, current
    total += number
    listed += number
    known.append(number)
    table[number] = number
    current = [number]
    Hub.rooms.append(number)
    Hub.make()
"""
LIST = "__carry__ = ['total', 'known', 'listed', 'current', 'Hub.made', 'Hub.rooms']"
FUNCTION = """
def __carry__(old):
    return {'table': dict(old['table']), 'known': old['known'], 'listed': old['listed']}
"""


def sentence(name: str, vsn: str = "1") -> str:
    return (
        f"A rollback loses what changes in shop.counter.{name} after the upgrade: release {vsn} has no __carry__ for "
        f"this name."
    )


async def test_a_rollback_loses_later_changes_of_values_that_only_the_newer_release_carries(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTED.format(n=1, carry="__carry__ = ['listed']") + COUNTER})
    small.write("2", {"shop.counter": COUNTED.format(n=2, carry=LIST) + COUNTER_2}, LOAD_COUNTER)
    small.boot()
    counter: Any = importlib.import_module("shop.counter")
    counter.add(1)
    plan = await small.handler.plan("2")
    assert plan.lost_on_way_back == tuple(map(sentence, ("total (int)", "current (list)", "Hub.made (int)")))
    await small.install("2")
    counter.add(2)
    assert (counter.total, counter.listed, counter.Hub.made) == (3, 3, 2)
    await small.roll_back()
    assert (counter.total, counter.current, counter.Hub.made) == (1, [1], 1), "named in the plan"
    assert (counter.listed, counter.known, counter.Hub.rooms) == (3, [1, 2], [1, 2])


async def test_a_rollback_loses_later_changes_of_what_a_carry_function_has_made(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTED.format(n=1, carry="") + COUNTER})
    small.write("2", {"shop.counter": COUNTED.format(n=2, carry=FUNCTION) + COUNTER_2}, LOAD_COUNTER)
    small.boot()
    counter: Any = importlib.import_module("shop.counter")
    counter.add(1)
    plan = await small.handler.plan("2")
    assert plan.lost_on_way_back == tuple(map(sentence, ("table (dict)", "listed (int)")))
    await small.install("2")
    counter.add(2)
    await small.roll_back()
    assert (counter.table, counter.listed) == ({1: 1}, 1), "named in the plan"
    assert counter.known == [1, 2]
