"""Data in global variables of a module: a plan says what is carried, what is made anew, and what would be lost."""

from __future__ import annotations

import asyncio
import importlib
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from starlette.requests import HTTPConnection

from tests.support.projects.small_shop import COUNTER, COUNTER_2, LOAD_COUNTER
from tests.support.waiting import begun

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

DATA = """
import functools, logging, re, threading
from collections import OrderedDict

class Room:
    def __init__(self, *members): self.members = list(members)
    def greet(self): return {n}

class Sleeping:
    __slots__ = ("seconds",)
    def __init__(self): self.seconds = 0

log = logging.getLogger(__name__)
lock = threading.Lock()
pattern = re.compile("a")
TABLE = {{"a": 1, "b": [{n}]}}
KINDS = {{"room": Room}}
EMPTY_ROOM = Room()
SLOTTED = Sleeping()
FULL = Room()
SEEN = set()
ORDERS = OrderedDict()
total = 0
limit = {n}
KEPT = []
{carry}

@functools.lru_cache
def square(number): return number * number

def add():
    global total
    total += 1
"""


async def test_a_plan_lists_the_data_in_global_variables_and_what_becomes_of_it(small: SmallNode) -> None:
    small.write("1", {"shop.counter": DATA.format(n=1, carry="") + COUNTER})
    small.write("2", {"shop.counter": DATA.format(n=2, carry="__carry__ = ['KEPT']") + COUNTER_2}, LOAD_COUNTER)
    small.boot()
    counter: Any = importlib.import_module("shop.counter")
    plan = await small.handler.plan("2")
    fates = {value.name: value.fate for value in plan.module_values}
    assert fates == {
        **dict.fromkeys(("TABLE", "KINDS", "EMPTY_ROOM", "SLOTTED", "FULL", "SEEN", "ORDERS", "square"), "made anew"),
        "KEPT": "carried",
    }
    assert plan.lost == ()
    counter.FULL.members += ["ann", "bob"]
    counter.SLOTTED.seconds = 5
    counter.SEEN.add(7)
    counter.ORDERS["x"] = "y"
    counter.square(3)
    counter.add()
    counter.KEPT.append(1)
    values = {value.name: value for value in (await small.handler.plan("2")).module_values}
    lost = {name for name, value in values.items() if value.fate == "lost"}
    assert lost == {"FULL", "SLOTTED", "SEEN", "ORDERS", "total"}
    assert values["square"].fate == "made anew", "the new code computes the results of a cache again"
    assert (values["SEEN"].entries, values["square"].entries, values["FULL"].kind) == (1, 1, "shop.counter.Room")
    assert values["KEPT"].fate == "carried"
    named = (await small.handler.plan("2")).lost
    assert len(named) == len(lost)
    assert any(one.startswith("shop.counter.SEEN (set, 1 entry, about ") for one in named)
    assert counter.FULL.members == ["ann", "bob"], "a plan changes nothing"


async def test_lost_data_beyond_the_limit_is_counted(small: SmallNode) -> None:
    sets = "\n".join(f"SEEN{number} = set()" for number in range(52))
    small.write("1", {"shop.counter": sets + COUNTER})
    small.write("2", {"shop.counter": sets + COUNTER_2}, LOAD_COUNTER)
    small.boot()
    counter: Any = importlib.import_module("shop.counter")
    for number in range(52):
        getattr(counter, f"SEEN{number}").add(number)
    plan = await small.handler.plan("2")
    assert len(plan.module_values) == 50
    assert len(plan.lost) == 51
    assert plan.lost[-1] == "The data of 2 more global variables is lost; a plan lists at most 50."


SITE = """
import functools
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

class Table:
    rows = (1, 2)
    @functools.cached_property
    def total(self): return sum(self.rows)

def page(request): return PlainTextResponse("{n}")

app = Starlette(routes=[Route("/", page)])
other = Starlette(routes=[Route("/", page)])
table = Table()
"""
POOL = """
from concurrent.futures import ThreadPoolExecutor

class Pool(ThreadPoolExecutor): pass
pool = Pool()
"""


async def test_what_an_object_makes_when_it_is_first_used_is_no_data(small: SmallNode) -> None:
    small.write("1", {"shop.counter": SITE.format(n=1) + POOL + COUNTER})
    small.write("2", {"shop.counter": SITE.format(n=2) + POOL + COUNTER_2}, LOAD_COUNTER)
    small.boot()
    counter: Any = importlib.import_module("shop.counter")
    counter.app.middleware_stack = counter.app.build_middleware_stack()  # as the first request does
    counter.other.state.users = {"ann"}
    assert counter.table.total == 3
    assert counter.pool.submit(int).result() == 0
    fates = {value.name: value.fate for value in (await small.handler.plan("2")).module_values}
    assert fates == {"app": "made anew", "other": "lost", "table": "made anew", "pool": "made anew"}
    counter.pool.shutdown()


async def test_a_web_application_with_data_is_not_to_be_carried_since_it_would_keep_its_old_routes(
    small: SmallNode,
) -> None:
    small.write("1", {"shop.counter": SITE.format(n=1) + COUNTER})
    small.write("2", {"shop.counter": SITE.format(n=2) + COUNTER_2}, LOAD_COUNTER)
    small.boot()
    counter: Any = importlib.import_module("shop.counter")
    counter.app.state.users = {"ann"}
    (sentence,) = (await small.handler.plan("2")).lost
    assert sentence.endswith(
        "so this data is lost: the object also refers to replaced code (shop.counter.page), which __carry__ would "
        "keep, too; to keep only the data, store it apart from the code, in a global variable that __carry__ lists."
    )


async def test_data_beside_open_connections_is_to_be_carried_although_they_refer_to_their_application(
    small: SmallNode,
) -> None:
    small.write("1", {"shop.counter": SITE.format(n=1) + "rooms = {}\n" + COUNTER})
    small.write("2", {"shop.counter": SITE.format(n=2) + "rooms = {}\n" + COUNTER_2}, LOAD_COUNTER)
    small.boot()
    counter: Any = importlib.import_module("shop.counter")
    scope = {"type": "http", "asgi": {"version": "3.0"}, "app": counter.app, "endpoint": counter.page}
    counter.rooms["lobby"] = [HTTPConnection(scope)]
    (sentence,) = (await small.handler.plan("2")).lost
    assert sentence.endswith("so this data is lost: list the name in __carry__ to keep it.")


HUB = """
class Log:
    def __init__(self): self.lines = []

class Hub:
    rooms: dict[str, list[str]] = {{}}
    names = ["ann"]
    log = Log()
    made = 0
    first = None
    limit = {n}
    @classmethod
    def make(cls, name):
        cls.made += 1
        cls.first = cls.first or cls()
        cls.rooms[name] = []
        cls.log.lines.append(name)
{carry}
"""


async def test_data_in_attributes_of_classes_is_lost_unless_the_dotted_name_is_carried(small: SmallNode) -> None:
    carried = "__carry__ = ['Hub.rooms', 'Hub.made', 'Hub.log']"
    small.write("1", {"shop.counter": HUB.format(n=1, carry="") + COUNTER})
    small.write("2", {"shop.counter": HUB.format(n=2, carry="") + COUNTER_2}, LOAD_COUNTER)
    small.write("3", {"shop.counter": HUB.format(n=3, carry=carried) + COUNTER_2}, LOAD_COUNTER)
    small.boot()
    counter: Any = importlib.import_module("shop.counter")
    assert (await small.handler.plan("2")).lost == ()
    counter.Hub.make("lobby")
    rooms = counter.Hub.rooms
    lost = [one.partition(" ")[0] for one in (await small.handler.plan("2")).lost]
    assert sorted(lost) == [f"shop.counter.Hub.{name}" for name in ("first", "log", "made", "rooms")]
    plan = await small.handler.plan("3")
    assert {one.name for one in plan.module_values if one.fate == "carried"} == {"Hub.rooms", "Hub.made", "Hub.log"}
    assert [one.partition(" ")[0] for one in plan.lost] == ["shop.counter.Hub.first"]
    assert (await small.install("3")).outcome == "installed"
    assert counter.Hub.rooms is rooms
    assert (counter.Hub.made, counter.Hub.limit, counter.Hub.log.lines) == (1, 3, ["lobby"])
    assert type(counter.Hub.log) is counter.Log, "a carried instance adopts the new version of its class"
    assert (await small.roll_back()).outcome == "reverted"
    assert (counter.Hub.rooms, counter.Hub.limit, counter.Hub.first) == (rooms, 1, counter.Hub.first)
    assert type(counter.Hub.log) is counter.Log


OBJECTS = """
import array, itertools, queue, random, socket, types
dice = random.Random(42)
chance, fate = random.Random(), random.SystemRandom()
ids = itertools.count()
steps = (number for number in range(3))
jobs = queue.Queue()
idle = queue.Queue()
numbers = array.array("i")
settings = types.SimpleNamespace(debug=False)
connection = None
N = {n}
def connect():
    global connection
    connection = socket.socket()
"""


async def test_counters_queues_and_connections_that_the_new_version_lacks_are_lost(small: SmallNode) -> None:
    small.write("1", {"shop.counter": OBJECTS.format(n=1) + COUNTER})
    small.write("2", {"shop.counter": OBJECTS.format(n=2) + COUNTER_2}, LOAD_COUNTER)
    small.boot()
    counter: Any = importlib.import_module("shop.counter")
    assert (await small.handler.plan("2")).lost == ()
    for generator in (counter.dice, counter.chance, counter.fate):
        generator.random()
    next(counter.ids)
    next(counter.steps)
    counter.jobs.put(1)
    counter.idle.put(1)
    counter.idle.get()
    counter.numbers.append(1)
    counter.settings.debug = True
    counter.connect()
    plan = await small.handler.plan("2")
    lost = [one.partition(" ")[0] for one in plan.lost]
    assert sorted(lost) == [
        f"shop.counter.{name}" for name in ("connection", "dice", "ids", "jobs", "numbers", "settings", "steps")
    ]
    assert all(0 < value.size < 100_000 for value in plan.module_values), "a generator has no number of items to count"
    counter.connection.close()


async def test_an_empty_queue_is_lost_if_a_task_waits_for_it(small: SmallNode) -> None:
    """The task would wait for ever, because what is put into the new queue never reaches it."""
    queue = "import asyncio\njobs, idle = asyncio.Queue(), asyncio.Queue()\n"
    small.write("1", {"shop.counter": queue + COUNTER})
    small.write("2", {"shop.counter": queue + COUNTER_2}, LOAD_COUNTER)
    small.boot()
    counter: Any = importlib.import_module("shop.counter")
    counter.idle.put_nowait(1)
    assert await counter.idle.get() == 1
    waiting = asyncio.create_task(counter.jobs.get())
    await begun(waiting)
    (lost,) = (await small.handler.plan("2")).lost
    assert lost.startswith("shop.counter.jobs (asyncio.queues.Queue for which tasks or threads wait, 0 entries")
    assert lost.endswith("is lost: list the name in __carry__ to keep it.")
    waiting.cancel()


FUNCTIONS = """
import dataclasses, functools, itertools
import attrs, msgspec, pydantic

class Parser:
    @functools.lru_cache
    def parse(self, text): return [int(text)]
    @staticmethod
    @functools.cache
    def other(text): return {{"n": int(text)}}

class Bus:
    def __init__(self): self.sent = []
    def emit(self, what): self.sent.append(what)

@dataclasses.dataclass
class Order:
    number: int = dataclasses.field(default_factory=itertools.count().__next__)

@attrs.define
class Bill:
    number: int = attrs.field(factory=itertools.count().__next__)

class Entry(msgspec.Struct):
    number: int = msgspec.field(default_factory=itertools.count().__next__)

class Note(pydantic.BaseModel):
    number: int = pydantic.Field(default_factory=itertools.count().__next__)
    version: int = {n}

def tick():
    tick.calls += 1
tick.calls = 0

def counter():
    count = 0
    def up():
        nonlocal count
        count += 1
    return up
up = counter()

def memo(function):
    known = {{}}
    @functools.wraps(function)
    def inner(number):
        known[number] = function(number)
    inner.known = known
    return inner

@memo
def square(number): return number * number

def seen_before(name, seen=[]):
    seen.append(name)

def unused(name, seen=[]): pass
unused.title = "unused"
next_id = itertools.count().__next__
emit = Bus().emit
add = functools.partial(list.append, [])
N = {n}
"""


async def test_data_that_functions_hold_is_lost(small: SmallNode) -> None:
    small.write("1", {"shop.counter": FUNCTIONS.format(n=1) + COUNTER})
    small.write("2", {"shop.counter": FUNCTIONS.format(n=2) + COUNTER_2}, LOAD_COUNTER)
    small.boot()
    counter: Any = importlib.import_module("shop.counter")
    assert (await small.handler.plan("2")).lost == ()
    counter.Parser().parse("1")
    counter.Parser.other("2")
    for use in (counter.tick, counter.up, counter.next_id, counter.Order, counter.Bill, counter.Entry, counter.Note):
        use()
    for use in (counter.square, counter.seen_before, counter.emit, counter.add):
        use(3)
    plan = await small.handler.plan("2")
    assert sorted(one.partition(" ")[0].removeprefix("shop.counter.") for one in plan.lost) == [
        "Bill.number.<default_factory>.<self>",
        "Entry.number.<default_factory>.<self>",
        "Note.number.<default_factory>.<self>",
        "Order.number.<default_factory>.<self>",
        "Parser.other",
        "Parser.parse",
        "add.<partial>.0",
        "emit.<self>",
        "next_id.<self>",
        "seen_before.<defaults>.seen",
        "square.known",
        "tick.calls",
        "up.<closure>.count",
    ]
    assert all("a function holds it" in one or "make its class frozen" in one for one in plan.lost)


COUNTED = """
{carry}
total = 0
known = []
N = {n}
def add():
    global total
    total += 1
    known.append(total)
"""


async def test_data_is_lost_if_the_older_version_that_becomes_current_again_lacks_it(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTED.format(n=1, carry="") + COUNTER})
    carry = "__carry__ = ['total', 'known']"
    small.write("2", {"shop.counter": COUNTED.format(n=2, carry=carry) + COUNTER_2}, LOAD_COUNTER)
    small.boot()
    counter: Any = importlib.import_module("shop.counter")
    counter.add()
    assert (await small.install("2")).outcome == "installed"
    assert (await small.handler.plan("1")).lost == (), "both versions have the same data"
    counter.add()
    lost = [one.partition(" ")[0] for one in (await small.handler.plan("1")).lost]
    assert lost == ["shop.counter.total"], "the versions share the list"


VARIABLE = """
import asyncio
from contextvars import ContextVar
request = ContextVar("request", default=None)
{carry}
async def handle(number):
    request.set(number)
    await asyncio.Event().wait()
"""


async def test_a_context_variable_that_is_set_in_a_task_is_lost_unless_it_is_carried(small: SmallNode) -> None:
    small.write("1", {"shop.counter": VARIABLE.format(carry="")})
    for vsn, carry in (("2", ""), ("3", "__carry__ = ['request']")):
        source = VARIABLE.format(carry=f"VSN = {vsn}\n{carry}")
        small.write(vsn, {"shop.counter": source}, LOAD_COUNTER)
    small.boot()
    counter: Any = importlib.import_module("shop.counter")
    assert (await small.handler.plan("2")).lost == ()
    task = asyncio.create_task(counter.handle(5))
    await begun(task)
    (lost,) = (await small.handler.plan("2")).lost
    assert lost.startswith("shop.counter.request (_contextvars.ContextVar, 1 entry, about ")
    assert lost.endswith("is lost: list the name in __carry__ to keep it.")
    assert (await small.handler.plan("3")).lost == ()
    before = counter.request
    await small.install("3")
    assert counter.request is before
    task.cancel()


THREADS = """
import io, sqlite3, threading, weakref
from abc import ABC
from collections import ChainMap, UserDict
import attrs, click
@attrs.define
class Item:
    tags: list = attrs.Factory(list)
    up: object = None
class Reader(ABC): pass
class File(Reader): pass
@click.command()
def hello(): pass
class Request(threading.local):
    user = None
    def __init__(self): self.stack = []
request = Request()
local = threading.local()
local.depth = 0
watched = threading.local()
members = weakref.WeakSet()
rooms = weakref.WeakValueDictionary()
settings = UserDict()
layers = ChainMap({{}}, {{"a": 1}})
report = io.StringIO()
rows = sqlite3.connect(":memory:")
rows.execute("create table word (text)")
class Hub:
    current = threading.local()
    members = weakref.WeakSet()
    rows = None
class Member: pass
N = {n}
def work(used, gate):
    watched.at = None
    request.stack
    used.set()
    gate.wait()
def enter(used, gate):
    request.stack.append("ann")
    local.depth = 1
    Hub.current.user = "ann"
    used.set()
    gate.wait()
"""


async def test_data_of_threads_and_in_weak_containers_is_lost(small: SmallNode) -> None:
    small.write("1", {"shop.counter": THREADS.format(n=1) + COUNTER})
    small.write("2", {"shop.counter": THREADS.format(n=2) + COUNTER_2}, LOAD_COUNTER)
    small.boot()
    counter: Any = importlib.import_module("shop.counter")
    gate = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        try:
            counter.hello.main([], standalone_mode=False)
            assert isinstance(counter.File(), counter.Reader)
            pool.submit(counter.work, used := threading.Event(), gate)
            assert used.wait(60)
            assert (await small.handler.plan("2")).lost == ()
            pool.submit(counter.enter, used := threading.Event(), gate)
            assert used.wait(60)
            member = counter.Member()
            for holder in (counter.members, counter.Hub.members):
                holder.add(member)
            counter.rooms["lobby"] = member
            counter.settings["debug"] = counter.layers["debug"] = True
            counter.report.write("done")
            counter.Hub.rows = sqlite3.connect(":memory:")
            counter.rows.execute("insert into word values ('tea')")
            lost = {one.partition(" ")[0] for one in (await small.handler.plan("2")).lost}
            names = "request local members rooms settings layers report rows Hub.current Hub.members Hub.rows"
            assert lost == {f"shop.counter.{name}" for name in names.split()}
        finally:
            gate.set()
    assert counter.rows.execute("select count(*) from word").fetchall() == [(1,)]
    for database in (counter.rows, counter.Hub.rows):
        database.close()  # Python 3.13 warns of each connection that it has to close itself


KINDS = """
from collections import defaultdict
from pathlib import Path

class Kept(property):
    def __get__(self, owner, kind=None):
        if owner is None: return self
        if "total" not in vars(owner): vars(owner)["total"] = self.fget(owner)
        return vars(owner)["total"]

class Rule:
    def __init__(self, path): self.path = path

class Table:
    def __init__(self):
        self.rules = {{Rule(path) for path in {paths}}}
        self.home = str(Path(__file__).parent)
        self.by_name = defaultdict(list)
        self.mode = "{mode}"
    @Kept
    def total(self): return len(self.rules)

handlers = {{}}
table = Table()
used = Table()
"""
PLUGINS = """
from . import kinds
kinds.handlers["{name}"] = print
"""
LOAD_KINDS = """
    [[up]]
    from = "1"
    instructions = [{ load_module = "shop.kinds" }, { load_module = "shop.plugins", deps = ["shop.kinds"] }]
    """


async def test_each_part_of_an_object_that_the_old_or_the_new_bodies_make_is_no_data(small: SmallNode) -> None:
    few, more = [f"/{number}" for number in range(9)], [f"/{number}" for number in range(12)]
    old = {"shop.kinds": KINDS.format(paths=few, mode="slow"), "shop.plugins": PLUGINS.format(name="old")}
    new = {"shop.kinds": KINDS.format(paths=more, mode="fast"), "shop.plugins": PLUGINS.format(name="new")}
    small.write("1", old)
    small.write("2", new, LOAD_KINDS)
    small.boot()
    importlib.import_module("shop.plugins")
    kinds: Any = importlib.import_module("shop.kinds")
    for table in (kinds.table, kinds.used):
        assert table.total == 9
        assert table.by_name["none"] == []
        table.mode = "fast"  # as the new version makes it
    fates = {value.name: value.fate for value in (await small.handler.plan("2")).module_values}
    assert fates == dict.fromkeys(("handlers", "table", "used"), "made anew")
    kinds.handlers["third"] = print
    kinds.table.by_name["ann"].append(1)
    next(iter(kinds.used.rules)).path = "/changed"
    fates = {value.name: value.fate for value in (await small.handler.plan("2")).module_values}
    assert fates == dict.fromkeys(("handlers", "table", "used"), "lost")
    assert sorted(kinds.handlers) == ["old", "third"], "a plan changes nothing"
