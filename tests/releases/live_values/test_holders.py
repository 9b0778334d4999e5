"""The search finds a value of replaced code in each type of Python and its standard library that holds values."""

from __future__ import annotations

import argparse
import ast
import asyncio
import collections
import concurrent.futures
import contextlib
import contextvars
import ctypes
import dataclasses
import datetime
import difflib
import functools
import graphlib
import inspect
import itertools
import json
import operator
import optparse
import queue
import random
import sched
import selectors
import socket
import string
import threading
import types
import typing
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Final
from xml.etree import ElementTree

import pytest

from node_runtime.releases.live_values.replaced_code import ReplacedCode
from node_runtime.releases.live_values.value_path import path_to
from node_runtime.releases.live_values.value_search import ValueSearch


class Thing:
    """A class that goes."""

    def method(self) -> None: ...

    def __call__(self, *args: object) -> int:
        return 0


class Zone(datetime.tzinfo):
    """A time zone that goes."""

    def utcoffset(self, dt: datetime.datetime | None) -> datetime.timedelta:
        return datetime.timedelta(0)

    def dst(self, dt: datetime.datetime | None) -> datetime.timedelta | None:
        return None

    def tzname(self, dt: datetime.datetime | None) -> str:
        return "zone"


KEPT: Final[dict[str, Any]] = {}
"""What a module that stays has: classes and functions that hold what they are given."""
exec(
    """
import datetime, collections
class Outer: pass
class Slotted:
    __slots__ = ("part", "__weakref__")
class Inherited(Slotted):
    __slots__ = ()
class Number(int): pass
class Text(str): pass
class Moment(datetime.datetime): pass
class Bag(collections.UserDict): pass
def each(part):
    yield 1
    yield part
async def later(part):
    return part
async def stream(part):
    yield part
def closed(part):
    return lambda: part
def with_default(part):
    def call(a=part): pass
    return call
def with_keyword(part):
    def call(*, a=part): pass
    return call
""",
    {"__name__": "kept"} | {"__builtins__": __builtins__},
    KEPT,
)
CODE: Final = ReplacedCode({__name__: {}}, {__name__: {}})


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


def found_in(*roots: object) -> list[str]:
    """The paths to the values that go, below each root."""
    search = ValueSearch(CODE, 60.0)
    search.run(roots)
    return [path_to(one.value, one.trail) for each in search.found.values() for one in each.values()]


def with_part(holder: Any, thing: Any) -> Any:
    holder.part = thing
    return holder


def put(waiting: Any, thing: Any) -> Any:
    waiting.put_nowait(thing)
    return waiting


def called(function: Callable[[Any], Any], thing: Any) -> Any:
    function(thing)
    return function


def context_with(thing: Any) -> contextvars.Context:
    variable: contextvars.ContextVar[Any] = contextvars.ContextVar("variable")
    context = contextvars.Context()
    context.run(variable.set, thing)
    return context


def stack_with(thing: Any) -> contextlib.ExitStack:
    stack = contextlib.ExitStack()
    stack.push(thing)
    return stack


def element_with(thing: Any) -> ElementTree.Element:
    element = ElementTree.Element("element")
    element.set("part", thing)
    return element


def caused_by(thing: Any) -> ValueError:
    error = ValueError()
    error.__cause__ = KeyError(thing)
    return error


def with_plan(thing: Any) -> sched.scheduler:
    scheduler = sched.scheduler()
    scheduler.enter(1, 1, print, (thing,))
    return scheduler


def sorter_of(thing: Any) -> graphlib.TopologicalSorter[Any]:
    sorter: graphlib.TopologicalSorter[Any] = graphlib.TopologicalSorter()
    sorter.add(thing)
    return sorter


def parser_with(thing: Any) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.set_defaults(part=thing)
    return parser


def parameter(thing: Any) -> inspect.Parameter:
    return inspect.Parameter("a", inspect.Parameter.POSITIONAL_ONLY, default=thing)


BUILTIN: Final[dict[str, Callable[[Any], Any]]] = {
    "list": lambda thing: [thing],
    "tuple": lambda thing: (thing,),
    "dict": lambda thing: {1: thing},
    "key of a dict": lambda thing: {thing: 1},
    "set": lambda thing: {thing},
    "frozenset": lambda thing: frozenset([thing]),
    "slice": slice,
    "list iterator": lambda thing: iter([thing]),
    "dict iterator": lambda thing: iter({1: thing}),
    "dict values": lambda thing: {1: thing}.values(),
    "dict items": lambda thing: {1: thing}.items(),
    "set iterator": lambda thing: iter({thing}),
    "call iterator": lambda thing: iter(thing, 1),
    "reversed": lambda thing: reversed([thing]),
    "enumerate": lambda thing: enumerate([thing]),
    "zip": lambda thing: zip([thing], strict=True),
    "map": lambda thing: map(thing, []),
    "filter": lambda thing: filter(thing, []),
    "super": lambda thing: super(Thing, thing),
    "property": property,
    "staticmethod": staticmethod,
    "classmethod": classmethod,
    "builtin method": lambda thing: [thing].append,
    "method wrapper": lambda thing: thing.__str__,
    "exception": ValueError,
    "cause of an exception": caused_by,
    "exception group": lambda thing: ExceptionGroup("group", [ValueError(thing)]),
    "local of a generator": KEPT["each"],
    "generator expression": lambda thing: eval("(one for one in things)", {"things": [thing]}),
    "local of an asynchronous generator": KEPT["stream"],
    "closure": KEPT["closed"],
    "default of a function": KEPT["with_default"],
    "keyword default of a function": KEPT["with_keyword"],
    "attribute of a function": lambda thing: with_part(KEPT["closed"](1), thing),
    "attribute": lambda thing: with_part(KEPT["Outer"](), thing),
    "inherited slot": lambda thing: with_part(KEPT["Inherited"](), thing),
    "attribute of a number": lambda thing: with_part(KEPT["Number"](3), thing),
    "attribute of a text": lambda thing: with_part(KEPT["Text"]("a"), thing),
}
LIBRARY: Final[dict[str, Callable[[Any], Any]]] = {
    "collections.deque": lambda thing: collections.deque([thing]),
    "collections.OrderedDict": lambda thing: collections.OrderedDict(a=thing),
    "collections.defaultdict": lambda thing: collections.defaultdict(int, a=thing),
    "factory of a defaultdict": lambda thing: collections.defaultdict(type(thing)),
    "collections.Counter": lambda thing: collections.Counter([thing]),
    "collections.ChainMap": lambda thing: collections.ChainMap({1: thing}),
    "collections.UserDict": lambda thing: KEPT["Bag"](a=thing),
    "collections.UserList": lambda thing: collections.UserList([thing]),
    "collections.namedtuple": collections.namedtuple("Pair", "a"),
    "types.MappingProxyType": lambda thing: types.MappingProxyType({1: thing}),
    "types.SimpleNamespace": lambda thing: types.SimpleNamespace(a=thing),
    "types.MethodType": lambda thing: types.MethodType(len, thing),
    "types.CellType": types.CellType,
    "types.GenericAlias": lambda thing: types.GenericAlias(list, (type(thing),)),
    "types.UnionType": lambda thing: type(thing) | None,
    "typing.List": lambda thing: typing.List[type(thing)],  # type: ignore[misc]  # noqa: UP006
    "typing.Optional": lambda thing: typing.Optional[type(thing)],  # noqa: UP045
    "typing.Annotated": lambda thing: typing.Annotated[int, thing],
    "typing.NewType": lambda thing: typing.NewType("New", type(thing)),
    "typing.TypeVar": lambda thing: typing.TypeVar("Var", bound=type(thing)),
    "functools.partial": lambda thing: functools.partial(print, thing),
    "keyword of a partial": lambda thing: functools.partial(print, a=thing),
    "functools.partialmethod": lambda thing: functools.partialmethod(print, thing),
    "functools.lru_cache": lambda thing: called(functools.lru_cache()(KEPT["closed"]), thing),
    "functools.singledispatch": lambda thing: functools.singledispatch(thing.method),
    "functools.cmp_to_key": functools.cmp_to_key(lambda one, other: 0),
    "operator.itemgetter": operator.itemgetter,
    "operator.methodcaller": lambda thing: operator.methodcaller("method", thing),
    "itertools.chain": lambda thing: itertools.chain([thing]),
    "itertools.cycle": lambda thing: itertools.cycle([thing]),
    "itertools.repeat": itertools.repeat,
    "itertools.islice": lambda thing: itertools.islice([thing], 1),
    "itertools.starmap": lambda thing: itertools.starmap(print, [(thing,)]),
    "itertools.takewhile": lambda thing: itertools.takewhile(thing, []),
    "itertools.dropwhile": lambda thing: itertools.dropwhile(thing, []),
    "itertools.filterfalse": lambda thing: itertools.filterfalse(thing, []),
    "itertools.tee": lambda thing: itertools.tee([thing])[0],
    "itertools.groupby": lambda thing: itertools.groupby([thing]),
    "itertools.zip_longest": lambda thing: itertools.zip_longest([thing]),
    "itertools.product": lambda thing: itertools.product([thing]),
    "itertools.permutations": lambda thing: itertools.permutations([thing]),
    "itertools.combinations": lambda thing: itertools.combinations([thing], 1),
    "itertools.accumulate": lambda thing: itertools.accumulate([thing]),
    "itertools.compress": lambda thing: itertools.compress([thing], [1]),
    "itertools.pairwise": lambda thing: itertools.pairwise([thing]),
    "weakref.ref": weakref.ref,
    "weakref.WeakMethod": lambda thing: weakref.WeakMethod(thing.method),
    "weakref.WeakSet": lambda thing: weakref.WeakSet([thing]),
    "weakref.WeakValueDictionary": lambda thing: weakref.WeakValueDictionary({1: thing}),
    "weakref.WeakKeyDictionary": lambda thing: weakref.WeakKeyDictionary({thing: 1}),
    "weakref.finalize": lambda thing: weakref.finalize(KEPT["Outer"], print, thing),
    "queue.Queue": lambda thing: put(queue.Queue(), thing),
    "queue.SimpleQueue": lambda thing: put(queue.SimpleQueue(), thing),
    "asyncio.Queue": lambda thing: put(asyncio.Queue(), thing),
    "concurrent.futures.Future": lambda thing: with_part(concurrent.futures.Future(), thing),
    "threading.local": lambda thing: with_part(threading.local(), thing),
    "threading.Event": lambda thing: with_part(threading.Event(), thing),
    "contextvars.Context": context_with,
    "default of a ContextVar": lambda thing: contextvars.ContextVar("variable", default=thing),
    "contextlib.ExitStack": stack_with,
    "contextlib.nullcontext": contextlib.nullcontext,
    "contextlib.contextmanager": contextlib.contextmanager(KEPT["each"]),
    "dataclasses.field": lambda thing: dataclasses.field(default=thing),
    "inspect.Parameter": parameter,
    "inspect.Signature": lambda thing: inspect.Signature([parameter(thing)]),
    "ElementTree.Element": element_with,
    "sched.scheduler": with_plan,
    "graphlib.TopologicalSorter": sorter_of,
    "ctypes.py_object": ctypes.py_object,
    "argparse.Namespace": lambda thing: argparse.Namespace(a=thing),
    "argparse.ArgumentParser": parser_with,
    "optparse.Values": lambda thing: optparse.Values({"a": thing}),
    "json.JSONEncoder": lambda thing: json.JSONEncoder(default=thing),
    "string.Formatter": lambda thing: with_part(string.Formatter(), thing),
    "difflib.SequenceMatcher": lambda thing: difflib.SequenceMatcher(None, [thing], [1]),
    "random.Random": lambda thing: with_part(random.Random(), thing),
    "ast.Constant": lambda thing: ast.Constant(value=thing),
}


@pytest.mark.parametrize("name", [*BUILTIN, *LIBRARY])
def test_an_instance_of_a_class_that_goes_is_found_in(name: str) -> None:
    thing = Thing()
    assert found_in({**BUILTIN, **LIBRARY}[name](thing)) != []


def test_an_instance_is_found_in_what_belongs_to_an_event_loop(loop: asyncio.AbstractEventLoop) -> None:
    thing = Thing()
    future = loop.create_future()
    future.set_result(thing)
    handle = loop.call_later(1000, print, thing)
    waiting = loop.create_future()
    waiting.add_done_callback(thing)
    assert found_in(future, handle) == ["[…]", "._args[0]"]
    assert len(found_in(waiting)) == 1


def test_an_instance_is_found_in_a_suspended_coroutine(loop: asyncio.AbstractEventLoop) -> None:
    coroutine = KEPT["later"](Thing())
    assert found_in(coroutine) == ["[…]"]
    with pytest.raises(StopIteration):
        coroutine.send(None)


def test_an_instance_is_found_in_the_data_of_a_selector() -> None:
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
        ends = [stack.enter_context(end) for end in socket.socketpair()]
        selector.register(ends[0], selectors.EVENT_READ, Thing())
        assert len(found_in(selector)) == 1


@pytest.mark.parametrize(
    "moment",
    [
        datetime.datetime(2026, 1, 1, tzinfo=Zone()),
        datetime.time(1, tzinfo=Zone()),
        KEPT["Moment"](2026, 1, 1, tzinfo=Zone()),
    ],
    ids=lambda moment: type(moment).__name__,
)
def test_a_time_zone_of_a_class_that_goes_is_found_in(moment: Any) -> None:
    assert found_in([moment]) == ["[0].tzinfo"]


def test_nothing_is_found_below_the_target_of_a_weak_reference() -> None:
    outer = with_part(KEPT["Outer"](), Thing())
    assert found_in(weakref.ref(outer)) == []
