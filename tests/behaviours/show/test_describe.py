"""Values that the node shows: hostile ones run no code, large ones are cut, secrets are hidden."""

from __future__ import annotations

import asyncio
import enum
import logging
import sqlite3
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, NamedTuple, NoReturn
from urllib.parse import urlsplit

import msgspec
import pytest

from node_runtime import Runtime, receive, send_after, spawn
from node_runtime.behaviours.show.describe import CYCLE, UNTIMED_TERMS, DescribeLimits, describe
from node_runtime.behaviours.show.raw_reads import OPAQUE
from node_runtime.behaviours.show.value_readers import ValueReaders
from node_runtime.processes import Pid
from node_runtime.processes.redaction.named_secrets import REDACTED
from node_runtime.protocol.messages import Term
from node_runtime.protocol.wire import MAX_REQUEST_BYTES, pack

SECRET = "hunter2X9"


def part(term: Term, label: str) -> Term:
    return dict(term.items)[label]


class Colour(enum.Enum):
    RED = "r"


@dataclass(slots=True)
class Slotted:
    count: int
    colour: Colour


@dataclass
class Plain:
    name: str
    parts: list[int] = field(default_factory=list)


class Packed(msgspec.Struct):
    port: int


class Point(NamedTuple):
    x: int
    y: int


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (True, "True"),
        (-7, "-7"),
        (1.5, "1.5"),
        ("green", "'green'"),
        (b"\x00a", r"b'\x00a'"),
        (Colour.RED, "RED"),
        (Pid(12), "<12>"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (timedelta(seconds=4), "0:00:04"),
        (describe, "node_runtime.behaviours.show.describe:describe"),
        (dict, "dict"),
    ],
)
def test_a_simple_value_is_its_own_text(value: object, text: str) -> None:
    assert describe(value).text == text


def test_values_described_together_are_described_as_each_is_alone() -> None:
    values = [
        Slotted(1, Colour.RED),
        Plain("a"),
        Plain("b", [1]),
        Packed(1),
        Point(1, 2),
        Slotted(2, Colour.RED),
        1,
        "x",
    ]
    kinds = ValueReaders()
    assert [describe(value, readers=kinds) for value in values] == [describe(value) for value in values]


def test_slots_are_shown_in_the_order_in_which_the_class_declares_them() -> None:
    assert [label for label, _part in describe(Slotted(3, Colour.RED)).items] == ["count", "colour"]
    filled: Any = type("Sealed", (), {"__slots__": ("last", "__middle", "first")})()
    filled.last, filled._Sealed__middle, filled.first = 1, 2, 3
    assert [label for label, _part in describe(filled).items] == ["last", "_Sealed__middle", "first"]


def test_the_parts_of_containers_and_objects_have_names() -> None:
    assert part(describe({"a": 1}), "a").text == "1"
    assert [label for label, _ in describe([5, 6]).items] == ["0", "1"]
    assert part(describe(Slotted(3, Colour.RED)), "count").text == "3"
    assert part(describe(Plain("x")), "name").text == "'x'"
    assert part(describe(Packed(8004)), "port").text == "8004"
    assert part(describe(Point(1, 2)), "y").text == "2"
    assert part(describe(ValueError("no", 1)), "args").items[1][1].text == "1"
    assert describe(frozenset({4})).items[0][1].text == "4"
    assert describe(deque([1])).items[0][1].text == "1"
    assert describe(Plain("x")).type.endswith("test_describe.Plain")


class Bomb(Exception):
    """Raised if any code of the value runs."""


class LoudMeta(type):
    def __hash__(cls) -> NoReturn:
        raise Bomb

    def __eq__(cls, other: object) -> NoReturn:
        raise Bomb

    def __instancecheck__(cls, other: object) -> NoReturn:
        raise Bomb

    def __subclasscheck__(cls, other: object) -> NoReturn:
        raise Bomb


def explode(*_: object, **__: object) -> NoReturn:
    raise Bomb


class Loud(metaclass=LoudMeta):
    __repr__ = __str__ = __hash__ = __eq__ = __len__ = __iter__ = __getattribute__ = explode
    __format__ = __bool__ = __getattr__ = __getitem__ = __dir__ = __index__ = explode
    __class__ = __dict__ = value = property(explode)


class LoudDict(dict[str, int]):
    __repr__ = __iter__ = __len__ = __getitem__ = items = keys = values = explode


class LoudList(list[int]):
    __repr__ = __iter__ = __len__ = __getitem__ = explode


class LoudStr(str):
    __repr__ = __str__ = __getitem__ = __len__ = encode = isprintable = explode


class LoudInt(int):
    __repr__ = __str__ = bit_length = explode


class LoudZone(tzinfo):
    utcoffset = tzname = dst = explode


def test_no_code_of_a_value_runs() -> None:
    assert describe(Loud()).type.endswith("Loud")
    assert describe(LoudMeta).text.endswith("LoudMeta")
    assert describe(Loud).text.endswith("Loud")
    assert part(describe(LoudDict(a=1)), "a").text == "1"
    assert describe(LoudList([7])).items[0][1].text == "7"
    assert describe(LoudStr("ha")).text == "'ha'"
    assert describe(LoudInt(3)).text == "3"
    assert "LoudZone" in describe(datetime(2026, 1, 1, tzinfo=LoudZone())).text
    assert describe({Loud.__new__: 1}).items
    assert part(describe(OrderedDict(a=LoudStr("b"))), "a").text == "'b'"


def test_an_instance_dict_is_read_behind_a_property_of_that_name() -> None:
    class Hidden(Plain):
        __dict__ = property(explode)

    assert part(describe(Hidden("x")), "name").text == "'x'"


def test_a_cycle_is_marked_and_a_shared_part_is_not() -> None:
    ring: list[Any] = []
    ring.append(ring)
    assert describe(ring).items[0][1].text == CYCLE
    shared = [1]
    assert [len(term.items) for _, term in describe([shared, shared]).items] == [1, 1]


@pytest.mark.parametrize(
    "as_part", [str, str.encode, Path, lambda text: {text: 1}], ids=["str", "bytes", "path", "key"]
)
def test_the_cut_of_a_text_never_parts_a_secret_from_what_reveals_it(as_part: Callable[[str], object]) -> None:
    others = f"token={'x' * 900}; token={'y' * 900};"  # their removal once moved the end of the text into what is shown
    for length in range(1900, 2020):
        text = f"{others}{' ' * (length - len(others))} ana:{SECRET}@tcp(db:3306)"
        assert SECRET[:5] not in str(describe(as_part(text))), length


def test_deep_long_and_heavy_values_are_cut_and_say_how_much_is_missing() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert describe(deep).items
    assert describe(list(range(1000)), DescribeLimits(parts=10)).cut == 990
    assert "5,000 in all" in describe("x" * 5000).text
    assert "int" in describe(1 << 1_000_000).text
    heavy = [{f"{i}-{j}": "y" * 900 for j in range(200)} for i in range(200)]
    assert len(pack(describe(heavy))) < MAX_REQUEST_BYTES
    while deep:  # taken apart by hand, or the interpreter's destructor would recurse as deep
        deep = deep.pop()


def test_a_description_stops_when_its_time_is_up_but_shows_a_small_value_whole() -> None:
    no_time = DescribeLimits(seconds=-1)
    assert describe({"count": 1, "names": ["ann", "bob"]}, no_time) == describe({"count": 1, "names": ["ann", "bob"]})
    assert describe(list(range(100)), no_time).cut == 100 - UNTIMED_TERMS


def test_values_under_secret_names_are_hidden() -> None:
    term = describe({"api_key": "hunter2", "Password": 1, "db": {"access_token": b"x"}, "port": 1})
    assert part(term, "api_key").text == part(term, "Password").text == REDACTED
    assert part(part(term, "db"), "access_token").text == REDACTED
    assert part(term, "port").text == "1"
    assert b"hunter2" not in pack(term)


def test_control_characters_can_not_reach_a_terminal() -> None:
    for value in ("\x1b[31m", {"\x1b]0;x\x07": 1}, "\ud800", type("\x1b[2J", (), {})()):
        assert b"\x1b" not in pack(describe(value))
        assert b"\x07" not in pack(describe(value))


def test_an_opaque_value_is_shown_as_opaque() -> None:
    assert describe(object()).text == OPAQUE
    assert describe(threading.Lock()).text == OPAQUE
    assert describe(threading).text == "threading"


async def test_a_timer_or_a_logger_in_a_state_does_not_show_the_rest_of_the_node(runtime: Runtime) -> None:
    async def count() -> None:
        await receive()

    pid = spawn(count)
    loop = asyncio.get_running_loop()
    timer = part(describe({"timer": send_after(60.0, pid, "tick")}), "timer")
    assert part(timer, "message").text == "'tick'"
    assert (part(timer, "process").text, part(timer, "handle").text) == (str(pid), OPAQUE)
    assert [describe(value).text for value in (loop, loop.call_later(60.0, print), runtime)] == [OPAQUE] * 3
    assert describe(logging.getLogger("shop.till")).text == "shop.till"


def test_a_container_that_another_thread_changes_is_shown_as_far_as_it_was_read() -> None:
    class Growing(dict[Any, int]):
        pass

    value = Growing({i: i for i in range(100)})
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            value.clear()
            value.update({i: i for i in range(100)})

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(300):
            describe(value)
    finally:
        stop.set()
        thread.join()


HEADERS: list[Any] = [
    ("Authorization", "hunter2"), [b"cookie", b"hunter2"], {"name": "api_key", "value": "hunter2"},
    {"Key": "db_password", "Value": "hunter2"}, {"Variable": "TOKEN", "Val": "hunter2"},
    urlsplit("https://ana:hunter2@db.example.org/x"), urlsplit(b"https://hunter2@db.example.org/x"),
]  # fmt: skip


@pytest.mark.parametrize("value", HEADERS)
def test_a_value_beside_the_name_of_a_secret_is_hidden(value: object) -> None:
    assert b"hunter2" not in pack(describe(value))


@pytest.mark.parametrize(
    "value",
    [
        "postgres://ana:hunter2@db",
        b"GET /?token=hunter2",
        bytearray(b"Authorization: Bearer hunter2"),
        Path("/x/password=hunter2"),
        ValueError("wrong password 'hunter2'"),
        {"https://hunter2@h": 1},
        {b"x": ["Bearer hunter2"]},
        "x" * 990 + " postgres://ana:hunter2@db",
    ],
)
def test_a_secret_in_a_text_or_a_key_is_hidden(value: object) -> None:
    assert b"hunter2" not in pack(describe(value))


def test_what_says_nothing_is_shown_under_secret_names() -> None:
    term = describe({"password": None, "has_token": True, "tokens": 3, "keyboard": "qwerty", "secret": 4711})
    assert [part.text for _, part in term.items] == ["None", "True", "3", "'qwerty'", "‹redacted›"]


def test_a_connection_of_sqlite3_shows_no_exception_classes() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        assert [label for label, _ in describe(connection).items] == ["row_factory", "text_factory"]
