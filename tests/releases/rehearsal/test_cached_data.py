"""A cache is no data, because the new code fills it again; an object in it that may have been changed is data."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.projects.small_shop import COUNTER, COUNTER_2, LOAD_COUNTER

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

VALUES = """
import datetime, decimal, enum, functools, logging, pathlib, re, types, typing, uuid
from dataclasses import dataclass
import attrs, msgspec, pydantic

class Color(enum.Enum):
    RED = 1

class Point(typing.NamedTuple):
    x: int
    tags: tuple

@dataclass(frozen=True)
class Rate:
    value: decimal.Decimal
    places: tuple = ()

@attrs.frozen
class Word:
    text: str

class Price(msgspec.Struct, frozen=True):
    cents: int

class Settings(pydantic.BaseModel, frozen=True):
    port: int = 80

class Empty:
    def __init__(self): self.items, self.last = {{}}, None

@functools.lru_cache(maxsize=8)
def value(number):
    return {values}[number]

class Parser:
    @functools.cache
    def parse(self, text): return frozenset({{int(text)}}), Rate(decimal.Decimal(text))
    @staticmethod
    @functools.lru_cache
    def other(*texts, **more): return [], Empty(), functools.partial(int, "1"), object(), logging.getLogger()

N = {n}
"""
KINDS = (
    "1", "'text'", "Color.RED", "Point(1, ('a',))", "Rate(decimal.Decimal(1), (Color.RED, None))", "Word('a')",
    "Price(5)", "Settings()", "datetime.datetime.now(datetime.timezone.utc)", "uuid.uuid4()", "pathlib.Path('a')",
    "re.compile('a')", "range(3)", "Parser", "len", "types.MappingProxyType({'a': (1,)})",
)  # fmt: skip


async def test_cached_results_that_nothing_can_change_are_computed_again_and_not_lost(small: SmallNode) -> None:
    values = f"({', '.join(KINDS)})".replace("{", "{{").replace("}", "}}")
    source = VALUES.replace("{values}", values)
    small.write("1", {"shop.counter": source.format(n=1) + COUNTER})
    small.write("2", {"shop.counter": source.format(n=2) + COUNTER_2}, LOAD_COUNTER)
    small.boot()
    counter: Any = importlib.import_module("shop.counter")
    for number in range(8):
        counter.value(number)
    counter.Parser().parse("1")
    counter.Parser.other("1", "2", key=3)
    plan = await small.handler.plan("2")
    assert plan.lost == ()
    fates = {one.name: (one.fate, one.entries) for one in plan.module_values}
    assert fates == {"value": ("made anew", 8), "Parser.parse": ("made anew", 1), "Parser.other": ("made anew", 1)}
    counter.value.cache_clear()
    for number in range(8, len(KINDS)):
        counter.value(number)
    assert (await small.handler.plan("2")).lost == ()


CHANGEABLE = """
import functools, sqlite3, queue
import pydantic

class Store:
    def __init__(self): self.items = {{}}

class Settings(pydantic.BaseModel):
    port: int = 80

@functools.cache
def store(): return Store()
@functools.lru_cache
def settings(): return Settings()
@functools.lru_cache(maxsize=2)
def database(path): return sqlite3.connect(path)
@functools.cache
def jobs(): return queue.Queue()
@functools.cache
def limits(): return ({{"a": 1}},)
@functools.cache
def made(): return Store()
made().items["first"] = 1
N = {n}

class Hub:
    @functools.cached_property
    def rooms(self): return {{}}
    @functools.cached_property
    def total(self): return 5
hub = Hub()
"""


async def test_a_cached_object_that_may_have_been_changed_is_lost_and_named(small: SmallNode) -> None:
    small.write("1", {"shop.counter": CHANGEABLE.format(n=1) + COUNTER})
    small.write("2", {"shop.counter": CHANGEABLE.format(n=2) + COUNTER_2}, LOAD_COUNTER)
    small.boot()
    counter: Any = importlib.import_module("shop.counter")
    counter.store()
    counter.jobs()
    assert (counter.hub.rooms, counter.hub.total) == ({}, 5)
    assert (await small.handler.plan("2")).lost == (), "the objects are empty"
    counter.store().items["tea"] = 1
    counter.settings()
    counter.database(":memory:").execute("create table word (text)")
    counter.database(":memory:").execute("insert into word values ('tea')")
    counter.jobs().put("job")
    counter.limits()
    counter.made()
    counter.hub.rooms["lobby"] = ["ann"]
    plan = await small.handler.plan("2")
    kinds = {one.name: one.kind for one in plan.module_values if one.fate == "lost"}
    cache = "functools cache with a changeable"
    assert kinds == {
        "store": f"{cache} shop.counter.Store",
        "settings": f"{cache} shop.counter.Settings",
        "database": f"{cache} sqlite3.Connection",
        "jobs": f"{cache} queue.Queue",
        "limits": f"{cache} dict",
        "hub": "shop.counter.Hub",
    }
    (sentence,) = (one for one in plan.lost if ".store " in one)
    assert sentence.startswith(f"shop.counter.store ({cache} shop.counter.Store, 1 entry, about ")
    assert sentence.endswith("that __carry__ lists, or make its class frozen if nothing changes it.")
    counter.made().items["second"] = 2
    lost = {one.name for one in (await small.handler.plan("2")).module_values if one.fate == "lost"}
    assert "made" in lost, "both bodies fill this cache, and the object in it has been changed since"
    counter.database(":memory:").close()


DATABASES = """
import functools, sqlite3
words = sqlite3.connect({path!r}, check_same_thread=False)
@functools.cache
def database(): return sqlite3.connect({path!r})
N = {n}
"""


async def test_rows_of_an_open_transaction_are_lost_with_their_connection(small: SmallNode, tmp_path: Path) -> None:
    path = str(tmp_path / "words.db")
    small.write("1", {"shop.counter": DATABASES.format(n=1, path=path) + COUNTER})
    small.write("2", {"shop.counter": DATABASES.format(n=2, path=path) + COUNTER_2}, LOAD_COUNTER)
    small.boot()
    counter: Any = importlib.import_module("shop.counter")
    for connection, name in ((counter.words, "words"), (counter.database(), "database")):
        connection.execute("create table if not exists word (text)")
        assert (await small.handler.plan("2")).lost == ()
        connection.execute("insert into word values ('tea')")
        (lost,) = (await small.handler.plan("2")).lost
        assert lost.startswith(f"shop.counter.{name} ")
        connection.commit()
    assert (await small.handler.plan("2")).lost == (), "the rows are in the file"
    counter.words.close()
    counter.database().close()


@pytest.mark.parametrize("limit", ["None", "4"])
async def test_an_object_that_is_carried_anyway_is_not_lost_with_its_cache(small: SmallNode, limit: str) -> None:
    source = "import functools\n__carry__ = ['ROOMS']\nROOMS = {{}}\nN = {n}\n" + (
        f"@functools.lru_cache(maxsize={limit})\ndef rooms(): return ROOMS\n"
    )
    small.write("1", {"shop.counter": source.format(n=1) + COUNTER})
    small.write("2", {"shop.counter": source.format(n=2) + COUNTER_2}, LOAD_COUNTER)
    small.boot()
    counter: Any = importlib.import_module("shop.counter")
    counter.rooms()["lobby"] = 1
    assert (await small.handler.plan("2")).lost == ()
