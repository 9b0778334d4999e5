"""Common idioms of modules keep nothing alive: an old version that nothing uses is freed."""

from __future__ import annotations

import gc
import importlib
import textwrap
import typing
import weakref
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

IDIOMS = {
    "overloads": """
        from typing import overload
        class C:
            @overload
            def f(self, x: int) -> int: ...
            @overload
            def f(self, x: str) -> str: ...
            def f(self, x): return x
        @overload
        def g(x: int) -> int: ...
        @overload
        def g(x: str) -> str: ...
        def g(x): return x
    """,
    "an exception of its own that is kept": """
        class Broken(Exception): ...
        try:
            raise Broken
        except Broken as error:
            KEPT = error
    """,
    "an exception that is kept, with what caused it": """
        def failing():
            try:
                raise KeyError(N)
            except KeyError as error:
                raise ValueError(N) from error
        def caught():
            try:
                failing()
            except ValueError as error:
                return error
        try:
            import no_such_module_here
        except ImportError as missing:
            REASON = missing
        KEPT = caught()
    """,
    "annotations and aliases": """
        from typing import Annotated, Callable, Dict, Generic, List, NewType, Optional, ParamSpec, TypeVar, Union
        import typing
        T, P = TypeVar("T"), ParamSpec("P")
        class C(Generic[T]): ...
        class D(C[int]):
            x: "Optional[D]"
        ALIASES = C[str], List[D], Annotated[D, 1], Callable[[D], int], Union[D, int], Dict[str, D], NewType("U", D)
        def f(x: Optional[D], y: "D | None"): ...
        HINTS = typing.get_type_hints(f), typing.get_type_hints(D)
    """,
    "protocols and abstract classes": """
        import abc
        from collections.abc import Mapping
        from typing import Protocol, runtime_checkable
        @runtime_checkable
        class Readable(Protocol):
            def read(self): ...
        class File:
            def read(self): ...
        class Base(abc.ABC):
            @abc.abstractmethod
            def f(self): ...
        class Derived(Base):
            def f(self): return N
        class Fixed(Mapping):
            def __getitem__(self, key): return key
            def __iter__(self): return iter(())
            def __len__(self): return N
        CHECKED = isinstance(File(), Readable), isinstance(Derived(), Base), isinstance(Fixed(), Mapping)
    """,
    "functools": """
        import functools
        class C: ...
        @functools.cache
        def cached(x): return C()
        @functools.singledispatch
        def show(x): return N
        @show.register
        def _(x: C): return N
        @functools.total_ordering
        class Ordered:
            def __eq__(self, other): return True
            def __lt__(self, other): return N
            @functools.cached_property
            def p(self): return N
        KEPT = cached(1), show(C()), Ordered().p, functools.partial(cached, 1)
    """,
    "classes that stay": """
        import dataclasses, enum
        from typing import NamedTuple, TypedDict
        class Flag(enum.Flag):
            A = 1
            B = 2
        @dataclasses.dataclass(slots=True)
        class State:
            x: int = 0
            y: list = dataclasses.field(default_factory=list)
        class Point(NamedTuple):
            x: int = 0
        class Row(TypedDict):
            x: int
        KEPT = Flag.A | Flag.B, State(), Point()
    """,
    "classes that change": """
        import dataclasses, enum
        from typing import NamedTuple
        class Flag(enum.Flag):
            A = 1
            B = 2
            def f(self): return N
        @dataclasses.dataclass(slots=True)
        class State:
            x: int = 0
            def f(self): return N
        class Point(NamedTuple):
            x: int = 0
            def f(self): return N
        class Meta(type):
            def __call__(cls, *args): return super().__call__(*args)
        class Made(metaclass=Meta): ...
        KEPT = Flag.A | Flag.B, State(), Point(), Made()
    """,
    "containers, iterators and generators": """
        import collections, itertools, operator
        def f(*_): return N
        def generator(): yield N
        KEPT = [collections.deque([f]), collections.defaultdict(f), map(f, [1]), itertools.chain([f]), generator()]
        next(KEPT[-1])
    """,
    "locks, context variables and queues": """
        import asyncio, contextlib, contextvars, logging, queue, threading, weakref
        class C: ...
        class Filter(logging.Filter): ...
        VARIABLE, LOCAL, FILTER = contextvars.ContextVar("V", default=C()), threading.local(), Filter()
        LOCAL.c, LOCKS, QUEUE = C(), (asyncio.Lock(), threading.Lock()), queue.SimpleQueue()
        QUEUE.put(C())
        ONE = C()
        WEAK = weakref.ref(ONE, lambda _: None), weakref.WeakValueDictionary({1: ONE})
        @contextlib.contextmanager
        def managed(): yield N
        with managed(): ...
        class Thread(threading.Thread):
            def run(self): ...
        THREAD = Thread()
        THREAD.start()
        THREAD.join()
    """,
    "ctypes": """
        import ctypes
        class S(ctypes.Structure):
            _fields_ = [("a", ctypes.c_int)]
        KEPT = S(), S * 3, ctypes.POINTER(S)
    """,
    "what looks at itself": """
        import copy, inspect, pickle
        class C:
            __slots__ = ("a",)
            def f(self): return N
        KEPT = C()
        KEPT.a = 1
        copy.deepcopy(KEPT)
        inspect.signature(C.f)
    """,
}


class Token:
    """One for each namespace, freed with it."""


def marked(module: ModuleType) -> weakref.ref[Token]:
    token = vars(module)["TOKEN"] = Token()
    return weakref.ref(token)


@pytest.mark.parametrize("idiom", IDIOMS)
def test_an_idiom_keeps_nothing_of_the_old_version(app: App, idiom: str) -> None:
    text = textwrap.dedent(IDIOMS[idiom])
    app.boot(a=f"N = 1\n{text}")
    a = importlib.import_module("a")
    for n in (2, 3):
        token = marked(a)
        app.load(a=f"{n * 2 * chr(10)}N = {n}\n{text}")
        assert app.server.soft_purge("a")
        gc.collect()
        assert token() is None
        assert n == a.N


def test_overloads_are_those_of_the_current_version(app: App) -> None:
    body = """
        from typing import overload
        {pad}
        @overload
        def f(x: int) -> int: ...
        @overload
        def f(x: {kind}) -> {kind}: ...
        def f(x): return x
    """
    app.boot(a=body.format(pad="", kind="str"))
    a = importlib.import_module("a")

    def overloads() -> list[object]:
        return [f.__annotations__["x"] for f in typing.get_overloads(a.f)]

    first = typing.get_overloads(a.f)
    batch = app.prepare(a=body.format(pad="X = 1\n", kind="bytes"))
    assert typing.get_overloads(a.f) == first, "preparing is invisible"
    batch.commit()
    assert overloads() == [int, bytes]
    batch.revert()
    assert typing.get_overloads(a.f) == first
    app.load(a="def f(x): return x\n")
    assert typing.get_overloads(a.f) == []
    app.load(a=body.format(pad="", kind="str"))
    assert typing.get_overloads(a.f) == first, "taken back"


def test_an_exception_that_a_function_caught_has_its_traceback(app: App) -> None:
    body = """
        N = {n}
        def f():
            try:
                1 / 0
            except ZeroDivisionError as error:
                return error
    """
    app.boot(a=body.format(n=1))
    a = importlib.import_module("a")
    app.load(a=body.format(n=2))
    assert a.f().__traceback__ is not None
