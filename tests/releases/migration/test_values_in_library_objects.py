"""The default migration of values that objects of Python's own library hold, or a refusal that names the object."""

from __future__ import annotations

import asyncio
import contextvars
import datetime
import itertools
import queue
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.migrated import Versions, versions
from tests.support.waiting import begun

SOURCE = """
    import datetime
    class Item:
        release = 1
        __hash__ = object.__hash__
        def __init__(self, number=0):
            self.number = number
        def __lt__(self, other):
            return self.number < other.number
        def itself(self):
            return self
    def handler(*arguments):
        pass
    class Zone(datetime.tzinfo):
        release = 1
        def utcoffset(self, moment):
            return datetime.timedelta(hours=1)
"""


@pytest.fixture
def both() -> Iterator[Versions]:
    with versions(SOURCE, SOURCE.replace("release = 1", "release = 2")) as made:
        yield made


def converted(both: Versions, value: Any) -> Any:
    done = both.up(value)
    assert done.obstacles == ()
    assert done.value is not value
    return done.value


def obstacles(both: Versions, value: Any) -> list[str]:
    return [one.reason for one in both.up(value).obstacles]


@pytest.mark.parametrize("make", [datetime.datetime, datetime.time], ids=["datetime", "time"])
def test_a_time_zone_becomes_one_of_the_new_class(both: Versions, make: Callable[..., Any]) -> None:
    arguments = (2026, 1, 2) if make is datetime.datetime else (2, 3)
    old = make(*arguments, tzinfo=both.old("Zone()"), fold=1)
    (new,) = converted(both, [old])
    assert type(new.tzinfo) is both.b["Zone"]
    assert (new.replace(tzinfo=None), new.fold) == (old.replace(tzinfo=None), 1)
    assert both.up([make(*arguments, tzinfo=datetime.UTC)]).value[0].tzinfo is datetime.UTC


def test_a_weak_set_has_the_new_objects(both: Versions) -> None:
    items = [both.old(f"Item({number})") for number in range(3)]
    new_items, new_set = converted(both, (items, weakref.WeakSet(items[1:])))
    assert set(new_set) == set(new_items[1:])
    del new_items[2]
    assert [one.number for one in new_set] == [1]


def test_weak_dictionaries_have_the_new_objects(both: Versions) -> None:
    items = [both.old(f"Item({number})") for number in range(2)]
    by_number = weakref.WeakValueDictionary({one.number: one for one in items})
    numbers = weakref.WeakKeyDictionary({items[0]: items[1]})
    new = converted(both, {"by_number": by_number, "numbers": numbers, "items": items})
    assert dict(new["by_number"]) == dict(enumerate(new["items"]))
    assert dict(new["numbers"]) == {new["items"][0]: new["items"][1]}
    assert [type(one) for one in new["items"]] == [both.b["Item"]] * 2


def test_a_weak_set_whose_objects_something_else_keeps_alive_is_refused(both: Versions) -> None:
    item = both.old("Item()")
    reason = "only weak references lead to an object of migrated_module.Item, so a new object would vanish at once"
    assert obstacles(both, [weakref.WeakSet([item])]) == [reason]
    assert obstacles(both, [weakref.ref(item)]) == [reason]
    assert obstacles(both, {"x": weakref.WeakValueDictionary({1: item})}) == [reason]


@pytest.mark.parametrize(
    "expression", ["weakref.proxy(item)", "weakref.ref(item)()", "weakref.WeakMethod(item.itself)()()"]
)
def test_weak_references_and_proxies_lead_to_the_new_object(both: Versions, expression: str) -> None:
    item = both.old("Item(7)")
    way = expression.partition(")")[0] + ")"
    new_item, reference = converted(both, [item, eval(way, {"weakref": weakref, "item": item})])
    assert (new_item.number, type(new_item)) == (7, both.b["Item"])
    found = eval(expression.replace(way, "it"), {"it": reference})
    assert found.number == 7
    assert found.itself() is new_item


@pytest.mark.parametrize(
    "make", ["weakref.ref(item, end)", "weakref.proxy(item, end)", "weakref.WeakMethod(item.itself, end)"]
)
def test_a_weak_reference_with_a_callback_is_refused_and_not_lost(both: Versions, make: str) -> None:
    item = both.old("Item()")
    reference = eval(make, {"weakref": weakref, "item": item, "end": [].append})
    (reason,) = obstacles(both, [item, reference])
    assert reason.endswith("has a callback, which would run when a new object replaces the old one")


def test_weak_references_to_functions_lead_to_those_of_the_new_version(both: Versions) -> None:
    handler = both.old("handler")
    reference, members = converted(both, [weakref.ref(handler), weakref.WeakSet([handler])])
    assert reference() is both.b["handler"]
    assert list(members) == [both.b["handler"]]


def test_a_weak_set_of_kept_objects_stays_the_same(both: Versions) -> None:
    kept = threading.Event()
    value = [weakref.WeakSet([kept]), kept]
    assert both.up(value).value is value


QUEUES = (asyncio.Queue, asyncio.LifoQueue, asyncio.PriorityQueue, queue.Queue, queue.LifoQueue, queue.PriorityQueue)


@pytest.mark.parametrize("cls", QUEUES, ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_a_queue_keeps_its_order_its_limit_and_its_count(both: Versions, cls: Any) -> None:
    old = cls(5)
    for number in (2, 1, 3):
        old.put_nowait(both.old(f"Item({number})"))
    new = converted(both, {"q": old})["q"]
    assert (type(new), new.maxsize, new.qsize()) == (cls, 5, 3)
    left = [new.get_nowait() for _ in range(3)]
    assert [one.number for one in left] == [old.get_nowait().number for _ in range(3)]
    assert {type(one) for one in left} == {both.b["Item"]}
    for _ in left:
        new.task_done()
    with pytest.raises(ValueError, match="called too many times"):
        new.task_done()


async def test_an_asyncio_queue_for_which_tasks_wait_is_refused(both: Versions) -> None:
    waiting: asyncio.Queue[Any] = asyncio.Queue(1)
    waiting.put_nowait(both.old("Item()"))
    async with asyncio.TaskGroup() as group:
        await begun(group.create_task(waiting.put(1)))
        assert obstacles(both, [waiting]) == ["tasks wait for an asyncio:Queue, and a new one would not wake them"]
        waiting.get_nowait()


async def test_a_users_queue_for_which_tasks_wait_is_refused_if_its_items_change() -> None:
    source = "import asyncio\nclass Item:\n    N = {0}\nclass Jobs(asyncio.Queue):\n    N = {0}\n"
    with versions(source.format(1), source.format(2)) as both:
        waiting = both.old("Jobs(1)")
        waiting.put_nowait(both.old("Item()"))
        async with asyncio.TaskGroup() as group:
            await begun(group.create_task(waiting.put(1)))
            [found] = both.up(waiting).obstacles
            assert found.reason == "tasks wait for a migrated_module:Jobs, and a new one would not wake them"
            waiting.get_nowait()


async def test_a_users_lock_that_a_task_holds_is_refused() -> None:
    source = "import asyncio\nclass Guard(asyncio.Lock):\n    N = {}\n"
    with versions(source.format(1), source.format(2)) as both:
        guard = both.old("Guard()")
        assert both.up(guard).obstacles == ()
        await guard.acquire()
        [found] = both.up(guard).obstacles
        assert found.reason == "a task holds a migrated_module:Guard, and would not release a new one"
        assert found.remedy == "end the tasks or threads first"


def test_a_method_of_a_list_is_that_of_the_new_list(both: Versions) -> None:
    jobs = [both.old("Item()")]
    new = converted(both, {"jobs": jobs, "add": jobs.append, "length": len})
    new["add"](1)
    assert new["jobs"][1:] == [1]
    assert new["length"] is len


def test_a_context_that_holds_a_replaced_object_is_named_as_such(both: Versions) -> None:
    context, variable = contextvars.Context(), contextvars.ContextVar[Any]("variable")
    context.run(variable.set, both.old("Item()"))
    found = [one for one in obstacles(both, [context]) if "can't be copied" in one]
    assert found == ["contextvars.Context holds an object of a class that is replaced, and can't be copied"]


def test_other_objects_of_the_library_that_hold_a_replaced_object_are_named(both: Versions) -> None:
    item = both.old("Item()")
    simple: queue.SimpleQueue[Any] = queue.SimpleQueue()
    simple.put(item)
    for holder, name in (
        (itertools.chain([item]), "chain"),
        (simple, "_queue.SimpleQueue"),
        ((one for one in [item]), "generator"),
    ):
        found = [one.removeprefix("itertools.") for one in obstacles(both, [holder])]  # as Python 3.13 names it
        assert f"{name} holds an object of a class that is replaced, and can't be copied" in found
