"""Old versions: code that runs in one continues in it, and at most one old version of a module is kept."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import signal
import sys
import textwrap
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from types import CoroutineType
from typing import TYPE_CHECKING, Any

import pytest

from node_runtime import GenServer, Pid, gen_server
from node_runtime.behaviours.sync_call import call_now
from node_runtime.code import OldVersionHeld, current
from node_runtime.processes import Runtime, exit, is_alive, spawn
from tests.support.faults.dropped_variable import dropped_after_the_next_fork
from tests.support.waiting import begun, eventually
from tests.support.written_modules import imported

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App, Gate


WAITING = """
    import asyncio
    LIMIT = {n}
    SEEN = []
    def helper():
        return LIMIT
    {extra}
    async def inner(gate):
        await gate.wait()
        SEEN.append((helper(), {tail}))
        return SEEN
    async def wait(gate):
        return await inner(gate)
    async def stream(gate):
        yield helper()
        await gate.wait()
        yield helper()
    async def consume(gate):
        async for _ in stream(gate):
            pass
"""

pytest_plugins = ["tests.support.projects.code_shop"]


def waiting(n: int, *, removed: bool) -> str:
    extra = "" if removed else "def removed():\n        return 'removed'"
    return WAITING.format(n=n, extra=extra, tail="None" if removed else "removed()")


def holders(app: App, module: str = "a") -> list[str]:
    return [f"{one.name} {one.does}" for one in app.server.holders(module)]


async def test_a_suspended_coroutine_finishes_in_its_own_version(app: App) -> None:
    app.boot(a=waiting(1, removed=False))
    a = imported("a")
    gate = asyncio.Event()
    task = asyncio.create_task(a.wait(gate))
    await begun(task)
    app.load(a=waiting(2, removed=True))
    later = asyncio.create_task(a.wait(gate))
    await begun(later)
    gate.set()
    assert await task == [(1, "removed")]
    assert await later == [(2, None)]


def test_closures_generators_and_bound_methods_stay_in_their_version(app: App) -> None:
    text = """
        N = {n}
        def closure():
            mine = {n}
            def inner():
                return mine, N
            return inner
        def numbers():
            yield N
            yield N
        class C:
            def method(self):
                return N
            def parent(self):
                return super().__repr__()
    """
    app.boot(a=text.format(n=1))
    a = imported("a")
    inner, numbers, bound, instance = a.closure(), a.numbers(), a.C().method, a.C()
    next(numbers)
    app.load(a=text.format(n=2))
    assert (inner(), next(numbers), bound(), instance.method()) == ((1, 1), 1, 1, 1)
    assert instance.parent()
    assert not isinstance(instance, a.C)


@pytest.fixture
async def node() -> AsyncIterator[Runtime]:
    async with Runtime() as runtime:
        yield runtime


def awaits(node: Runtime, pid: Pid) -> bool:
    """Returns whether the process has come to its first `await`."""
    task = node.processes[pid].task
    coroutine = task and task.get_coro()
    return isinstance(coroutine, CoroutineType) and coroutine.cr_await is not None


async def test_the_processes_that_run_the_old_version_are_known(app: App, node: Runtime) -> None:
    app.boot(a=waiting(1, removed=False))
    a = imported("a")
    gate = asyncio.Event()
    old = spawn(a.wait, gate)
    await eventually(lambda: awaits(node, old))
    assert app.server.pids_running_old_code("a") == []
    app.load(a=waiting(2, removed=True))
    new = spawn(a.wait, gate)
    await eventually(lambda: awaits(node, new))
    assert app.server.pids_running_old_code("a") == [old]
    (facts,) = app.server.loaded_modules()
    assert facts.old_pids == (old,)
    assert not app.server.soft_purge("a")
    gate.set()
    await eventually(lambda: not is_alive(old))
    assert app.server.pids_running_old_code("a") == []
    assert app.server.soft_purge("a")
    assert app.server.versions("a")[1] is None
    assert app.server.soft_purge("a")


def test_a_signal_handler_that_keeps_an_old_version_is_named_after_its_signal(app: App) -> None:
    text = "def handle(number, frame):\n    return {n}\n"
    app.boot(a=text.format(n=1))
    before = signal.signal(signal.SIGUSR1, functools.partial(imported("a").handle))
    try:
        app.load(a=text.format(n=2))
        assert holders(app) == ["the handler of SIGUSR1 holds a.handle"]
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert app.server.soft_purge("a")


async def test_a_third_version_is_refused_while_the_old_one_is_held(app: App, node: Runtime) -> None:
    app.boot(a=waiting(1, removed=False), b="X = 1\n")
    a = imported("a")
    b = imported("b")
    gate = asyncio.Event()
    old = spawn(a.wait, gate)
    await eventually(lambda: awaits(node, old))
    app.load(a=waiting(2, removed=True))
    with pytest.raises(OldVersionHeld) as refused:
        app.prepare(a=waiting(3, removed=True), b="X = 2\n")
    assert (refused.value.module, refused.value.pids) == ("a", (old,))
    assert str(refused.value).startswith(f"a still has an old version in use by <{int(old)}>")
    with pytest.raises(OldVersionHeld):
        app.server.delete("a")
    assert (a.LIMIT, b.X) == (2, 1)
    gate.set()
    await eventually(lambda: not is_alive(old))
    app.load(a=waiting(3, removed=True), b="X = 2\n")
    assert (a.LIMIT, b.X) == (3, 2)


async def test_a_purge_kills_exactly_the_processes_that_run_the_old_version(app: App, node: Runtime) -> None:
    app.boot(a=waiting(1, removed=False))
    a = imported("a")
    gate = asyncio.Event()
    old = [spawn(a.wait, gate) for _ in range(3)]
    await eventually(lambda: all(awaits(node, pid) for pid in old))
    app.load(a=waiting(2, removed=True))
    new = spawn(a.wait, gate)
    await eventually(lambda: awaits(node, new))
    assert app.server.purge("a") == old
    assert [is_alive(pid) for pid in (*old, new)] == [False, False, False, True]
    await eventually(lambda: app.server.versions("a")[1] is None)
    assert app.server.purge("a") == []
    assert is_alive(new)


async def test_a_zombie_stays_listed_and_keeps_the_version_until_its_frame_has_ended(app: App, node: Runtime) -> None:
    app.boot(
        a="""
            import asyncio
            async def stubborn(gate, ignored):
                while not gate.is_set():
                    try:
                        await gate.wait()
                    except asyncio.CancelledError as error:
                        ignored.append(repr(error))
        """
    )
    a = imported("a")
    gate, ignored = asyncio.Event(), list[str]()
    asyncio.get_running_loop().call_later(20, gate.set)  # if the test fails
    pid = spawn(a.stubborn, gate, ignored)
    await eventually(lambda: awaits(node, pid))
    app.load(a="X = 2\n")
    assert app.server.purge("a") == [pid]
    assert not is_alive(pid)
    await eventually(lambda: ignored)
    assert app.server.pids_running_old_code("a") == [pid]
    assert app.server.loaded_modules()[0].old_pids == (pid,)
    assert app.server.versions("a")[1] is not None
    assert not app.server.soft_purge("a")
    assert app.server.purge("a") == []
    with pytest.raises(OldVersionHeld, match=f"still has an old version in use by {pid}:"):
        app.prepare(a="X = 3\n")
    gate.set()
    await eventually(lambda: app.server.versions("a")[1] is None)
    assert app.server.loaded_modules()[0].old_vsn is None


FOREIGN = """
    import asyncio
    async def awaited(kind, gate):
        import a
        if kind == "generator":
            async for _ in a.stream(gate):
                pass
        if kind == "task":
            await asyncio.create_task(a.wait(gate))
        if kind == "gather":
            await asyncio.gather(asyncio.Event().wait(), a.wait(gate))
        if kind == "decorated":
            await a.decorated(gate)
        if kind == "time limit":
            await asyncio.wait_for(a.wait(gate), 60)
        if kind == "task group":
            async with asyncio.TaskGroup() as group:
                group.create_task(a.wait(gate))
        if kind == "body of a task group":
            async with asyncio.TaskGroup() as group:
                group.create_task(a.wait(gate))
                await gate.wait()
        if kind == "context manager":
            with a.managed():
                await gate.wait()
        if kind == "async context manager":
            async with a.managed_async():
                await gate.wait()
        if kind == "loop":
            for _ in a.numbers():
                await gate.wait()
"""


DECORATED = """
import types
@types.coroutine
def decorated(gate):
    yield from wait(gate).__await__()
import contextlib
def numbers():
    yield 1
    yield 2
managed = contextlib.contextmanager(numbers)
@contextlib.asynccontextmanager
async def managed_async():
    yield
"""
AWAITING = [
    "generator", "task", "gather", "decorated", "time limit", "task group", "body of a task group", "context manager",
    "async context manager", "loop",
]  # fmt: skip


@pytest.mark.parametrize("kind", AWAITING)
async def test_old_code_is_found_wherever_a_process_awaits_it(app: App, node: Runtime, kind: str) -> None:
    app.boot(a=textwrap.dedent(waiting(1, removed=False)) + DECORATED, b=FOREIGN)
    b = imported("b")
    gate = asyncio.Event()
    pid = spawn(b.awaited, kind, gate)
    await eventually(lambda: gate._waiters)
    app.load(a=waiting(2, removed=True))
    assert app.server.pids_running_old_code("a") == [pid]
    assert app.server.check_process_code(pid, "a")
    assert not app.server.check_process_code(pid, "b")
    assert app.server.purge("a") == [pid]
    await eventually(lambda: app.server.versions("a")[1] is None)
    assert not is_alive(pid)


async def test_a_task_that_outlives_its_process_is_no_reason_to_kill_it(app: App, node: Runtime) -> None:
    text = "import asyncio, a\nasync def run(gate):\n    await asyncio.wait([asyncio.create_task(a.wait(gate))])\n"
    app.boot(a=waiting(1, removed=False), b=text)
    b = imported("b")
    gate = asyncio.Event()
    pid = spawn(b.run, gate)
    await eventually(lambda: gate._waiters)
    app.load(a=waiting(2, removed=True))
    assert app.server.is_old_code_held("a")
    assert app.server.purge("a") == []
    assert is_alive(pid)
    gate.set()
    await eventually(lambda: not is_alive(pid))


class Runs(GenServer[Callable[[], object]]):
    """A server that calls the function it was started with, in a plain callback and in an async one."""

    def init(self, run: Callable[[], object]) -> Callable[[], object]:
        return run

    def plain(self) -> object:
        return self.state()

    async def later(self) -> object:
        return self.state()


@pytest.mark.parametrize("kind", ["plain", "later"])
async def test_a_callback_that_runs_right_now_is_found(app: App, node: Runtime, kind: str) -> None:
    app.boot(a="def call(back):\n    return back()\n")
    a = imported("a")
    seen: list[list[int]] = []
    call = a.call
    pid = await gen_server.start(Runs, lambda: call(lambda: seen.append(app.server.pids_running_old_code("a"))))
    app.load(a="X = 2\n")
    await gen_server.call(pid, getattr(Runs, kind))
    assert seen == [[pid]]
    assert app.server.pids_running_old_code("a") == []


@pytest.mark.parametrize("old", ["asking", "asked"])
async def test_of_two_nested_callbacks_only_the_one_that_runs_old_code_is_found(
    app: App, node: Runtime, old: str
) -> None:
    app.boot(a="def call(back):\n    return back()\n")
    a = imported("a")

    def plainly(back: Callable[[], object]) -> object:
        return back()

    seen: list[list[int]] = []
    outer, inner = (a.call, plainly) if old == "asking" else (plainly, a.call)
    asked = await gen_server.start(Runs, lambda: inner(lambda: seen.append(app.server.pids_running_old_code("a"))))
    asking = await gen_server.start(Runs, lambda: outer(lambda: call_now(asked, Runs.plain)))
    app.load(a="X = 2\n")
    for callback in (Runs.plain, Runs.later):
        await gen_server.call(asking, callback)
    assert seen == [[asking if old == "asking" else asked]] * 2


def test_a_thread_in_old_code_keeps_the_version_and_is_named(app: App, gate: Gate) -> None:
    app.boot(a="import gate\ndef work():\n    gate.wait()\n")
    a = imported("a")
    thread = threading.Thread(target=a.work, name="worker")
    thread.start()
    assert gate.reached.wait(60)
    app.load(a="X = 2\n")
    assert app.server.pids_running_old_code("a") == []
    assert not app.server.soft_purge("a")
    with pytest.raises(OldVersionHeld, match="still has an old version in use by thread worker:"):
        app.prepare(a="X = 3\n")
    assert app.server.purge("a") == []
    assert app.server.versions("a")[1] is not None
    gate.opened.set()
    thread.join()
    assert app.server.versions("a")[1] is None


HELD = """
    import dataclasses, enum, functools, abc, typing, weakref
    N = {n}
    def f():
        return N
    def numbers():
        yield N
        yield N
    class State:
        def __init__(self):
            self.n = N
        def method(self):
            return N
    class Silent(Exception):
        pass
    def closure():
        here = f
        return lambda: here()
"""
HOLDERS: dict[str, Callable[[Any], object]] = {
    "a function": lambda a: a.f,
    "a bound method": lambda a: a.State().method,
    "an instance": lambda a: a.State(),
    "a class": lambda a: a.State,
    "a closure": lambda a: a.closure(),
    "a generator": lambda a: started(a.numbers()),
    "a partial": lambda a: functools.partial(a.f),
    "a value in a container": lambda a: {"x": [(a.f,)]},
    "a subclass": lambda a: type("Sub", (a.State,), {}),
    "a context": lambda a: in_context(a.f),
}


def started(generator: Iterator[object]) -> Iterator[object]:
    next(generator)
    return generator


def in_context(value: object) -> contextvars.Context:
    context = contextvars.Context()
    context.run(contextvars.ContextVar[object]("held").set, value)
    return context


@pytest.mark.parametrize("kind", HOLDERS)
def test_every_object_that_reaches_the_old_version_holds_it(app: App, kind: str) -> None:
    app.boot(a=HELD.format(n=1))
    a = imported("a")
    held = HOLDERS[kind](a)
    app.load(a=HELD.format(n=2))
    assert app.server.is_old_code_held("a")
    assert not app.server.soft_purge("a")
    reason = "that no process or thread runs, but that other objects refer to"
    with pytest.raises(OldVersionHeld, match=reason):
        app.prepare(a=HELD.format(n=3))
    del held
    gc.collect()
    assert not app.server.is_old_code_held("a")
    app.load(a=HELD.format(n=3))
    assert app.server.soft_purge("a")


def test_a_holder_is_named_however_long_the_path_to_it_is_inside_of_the_version(app: App) -> None:
    app.boot(a="def f(): pass\npath = f\nfor _ in range(50): path = [path]", b="path = None")
    imported("b").path = imported("a").path
    app.load(a="def f(): pass")
    assert holders(app) == ["b.path holds a.f"]


async def test_a_timer_holds_the_version_of_its_callback(app: App) -> None:
    app.boot(a=HELD.format(n=1))
    a = imported("a")
    timer = asyncio.get_running_loop().call_later(60, a.f)
    app.load(a=HELD.format(n=2))
    assert not app.server.soft_purge("a")
    assert holders(app) == ["a timer of the event loop holds a.f"]
    timer.cancel()
    assert app.server.soft_purge("a")
    assert holders(app) == []


def test_a_failed_task_is_named_if_its_traceback_holds_the_version(app: App) -> None:
    async def fail(held: object) -> None:
        raise ValueError(held.__class__)

    async def failed(held: object) -> None:
        kept.append(asyncio.create_task(fail(held), name="failing"))
        await asyncio.wait(kept)

    app.boot(a=HELD.format(n=1))
    kept: list[asyncio.Task[None]] = []  # not the result of the main task: Python 3.13 keeps that task with the frames
    asyncio.run(failed(imported("a").f))
    app.load(a=HELD.format(n=2))
    assert holders(app) == ["the exception ValueError of the ended task failing holds a.f"]
    error = kept.pop().exception()
    assert holders(app) == ["an exception ValueError holds a.f"]
    assert error is not None
    del error
    assert holders(app) == []


async def test_a_task_that_keeps_a_failed_task_is_named(app: App) -> None:
    async def fail(held: object) -> None:
        raise ValueError(held.__class__)

    async def keep(held: object, kept: asyncio.Event, gate: asyncio.Event) -> None:
        failing = asyncio.create_task(fail(held))
        del held
        await asyncio.wait([failing])
        kept.set()
        await gate.wait()
        assert failing.exception() is not None

    app.boot(a=HELD.format(n=1))
    kept, gate = asyncio.Event(), asyncio.Event()
    keeping = asyncio.create_task(keep(imported("a").f, kept, gate), name="keeping")
    await kept.wait()
    app.load(a=HELD.format(n=2))
    assert holders(app) == [f"task keeping ({keep.__module__}.{keep.__qualname__}) holds a.f"]
    gate.set()
    await keeping
    assert holders(app) == []


def test_an_exception_without_methods_holds_no_code(app: App) -> None:
    app.boot(a=HELD.format(n=1))
    a = imported("a")
    error = a.Silent("kept")
    app.load(a=HELD.format(n=2).replace("pass", "X = 1"))
    assert app.server.soft_purge("a")
    assert str(error) == "kept"


OWN = {
    "dataclasses": """
        @dataclasses.dataclass(slots=True, order=True)
        class D:
            x: int = N
        ONE = D()
    """,
    "enumerations": """
        class E(enum.Enum):
            A = 1
            B = 2
            def next(self):
                return E.B
    """,
    "named tuples": """
        class T(typing.NamedTuple):
            x: int = 1
            def y(self):
                return N
    """,
    "caches": """
        @functools.lru_cache
        def cached(x):
            return f()
        cached(1)
    """,
    "cached properties": """
        class P:
            @functools.cached_property
            def x(self):
                return N
        ONE = P()
        ONE.x
    """,
    "abstract classes": """
        class A(abc.ABC):
            @abc.abstractmethod
            def x(self): ...
        class B(A):
            def x(self):
                return super().x()
        isinstance(B(), A)
    """,
    "generic classes": """
        V = typing.TypeVar('V')
        class G(typing.Generic[V]):
            def m(self): ...
        G[int]
        class H(G[State]): ...
        M = dict[str, typing.Optional[State]]
    """,
    "dispatch": """
        @functools.singledispatch
        def show(x):
            return N
        @show.register
        def _(x: State):
            return N
        show(State())
    """,
    "wrappers": """
        def wrap(g):
            @functools.wraps(g)
            def inner():
                return g()
            return inner
        W = wrap(f)
    """,
    "wrappers of others": """
        import b
        W = b.wrap(f)
        class C:
            m = b.wrap(lambda self: N)
            p = property(b.wrap(f))
    """,
    "suspended generators": """
        STREAM = numbers()
        next(STREAM)
    """,
    "cycles of containers": """
        X = [f]
        X.append({{'x': X, 'f': (f, State())}})
    """,
    "weak registries": """
        LIVE = weakref.WeakSet()
        ONE = State()
        LIVE.add(ONE)
        weakref.finalize(ONE, print).atexit = False
    """,
    "metaclasses": """
        class M(type):
            def __call__(cls):
                return super().__call__()
        class C(metaclass=M): ...
        ONE = C()
    """,
    "structs": """
        import msgspec
        class S(msgspec.Struct):
            x: int = 1
            def y(self):
                return N
        DECODER = msgspec.json.Decoder(S)
        DECODER.decode(b'{{}}')
        msgspec.json.encode(S())
    """,
    "protocols": """
        class P(typing.Protocol):
            def m(self): ...
        class Q(P):
            def m(self):
                return f()
    """,
    "foreign classes of its own making": """
        ONE = type('Made', (), {{'__module__': 'elsewhere', 'm': f}})
    """,
    "two modules in a ring": """
        import b
        from b import wrap
        b.BACK = None
    """,
    "loggers and locks": """
        import logging, threading, contextvars
        LOG = logging.getLogger(__name__)
        LOCK = threading.RLock()
        VAR = contextvars.ContextVar('v', default=f)
    """,
}
WRAP = """
    import functools
    def wrap(g):
        @functools.wraps(g)
        def inner(*a):
            return g(*a)
        return inner
"""


@pytest.mark.parametrize("kind", OWN)
def test_objects_that_a_version_makes_and_keeps_itself_do_not_hold_it(app: App, kind: str) -> None:
    text = textwrap.dedent(HELD) + textwrap.dedent(OWN[kind])
    app.boot(a=text.format(n=1), b=WRAP)
    imported("a")
    app.load(a=text.format(n=2))
    assert app.server.soft_purge("a")
    app.load(a=text.format(n=3))
    app.load(a=text.format(n=4))


def test_old_versions_are_freed_with_a_frozen_heap_or_a_disabled_collector(app: App) -> None:
    app.boot(a=HELD.format(n=1))
    a = imported("a")
    gc.disable()
    try:
        gc.freeze()
        held = a.f
        app.load(a=HELD.format(n=2))
        assert not app.server.soft_purge("a")
        del held
        assert app.server.soft_purge("a")
    finally:
        gc.unfreeze()
        gc.enable()


def test_old_versions_that_hold_only_each_other_are_freed_together(app: App) -> None:
    two = {
        "a": "N = {n}\ndef f(): ...\ndef link():\n    import b\n    b.KEPT.append(f)\n    return b.g\n",
        "b": "import a\nN = {n}\nKEPT = []\ndef g(): ...\nMINE = [a.f, a.link()]\n",
    }
    app.boot(**{name: text.format(n=1) for name, text in two.items()})
    b = imported("b")
    app.load(**{name: text.format(n=2) for name, text in two.items()})
    assert app.server.sweep() == []
    held = b.g
    app.load(**{name: text.format(n=3) for name, text in two.items()})
    assert set(app.server.sweep()) == {"a", "b"}
    del held
    assert app.server.soft_purge("a")
    assert app.server.sweep() == []
    assert app.server.versions("b")[1] is None


def test_a_reverted_batch_does_not_hold_the_old_version_that_it_had_taken_back(app: App) -> None:
    a, b, c = "def f(): ...\nN = {n}\n", "from a import f\nN = {n}\n", "from b import *\nN = {n}\n"
    app.boot(a=a.format(n=1), b=b.format(n=1), c=c.format(n=1))
    imported("c")
    app.load(a=a.format(n=2), b=b.format(n=2))
    batch = app.load(a=a.format(n=3), b=b.format(n=1), c=c.format(n=2))
    assert batch.taken_back == {"b"}
    batch.revert()
    app.load(a=a.format(n=4))
    assert batch.status == "reverted"


def test_a_batch_kept_for_a_revert_does_not_hold_the_version_it_would_restore(app: App) -> None:
    text = "from dataclasses import dataclass\n@dataclass\nclass D:\n    x: int\ndef f(): ...\nN = {n}\n"
    app.boot(a=text.format(n=1), b="from a import f\n")
    imported("b")
    batch = app.load(a=text.format(n=2))
    assert not app.server.is_old_code_held("a")
    batch.revert()
    assert not app.server.is_old_code_held("a")


SERVER = """
    from node_runtime import GenServer
    class Keeps(GenServer):
        def init(self, make):
            return [Thing() for _ in range(make)]
        def count(self):
            return len(self.state), VERSION
    class Thing:
        def changed(self):
            return VERSION
    VERSION = {n}
"""


async def test_an_idle_process_holds_no_old_code_but_its_state_may(app: App, node: Runtime) -> None:
    app.boot(a=SERVER.format(n=1))
    a = imported("a")
    bare, full = await gen_server.start(a.Keeps, 0), await gen_server.start(a.Keeps, 2)
    app.load(a=SERVER.format(n=2))
    assert app.server.pids_running_old_code("a") == []
    assert app.server.is_old_code_held("a")
    (clause,) = holders(app)
    assert clause == f"{full} holds an instance of a.Thing"
    exit(full, "kill")
    await eventually(lambda: not is_alive(full))
    assert app.server.soft_purge("a")
    assert await gen_server.call(bare, a.Keeps.count) == (0, 2)


async def test_an_idle_process_in_a_dropped_version_holds_nothing_that_this_version_imports(
    app: App, node: Runtime
) -> None:
    app.boot(a="from b import helper\n" + textwrap.dedent(SERVER).format(n=1), b="def helper(): return 1\n")
    a = imported("a")
    idle = await gen_server.start(a.Keeps, 0)
    app.load(a="from b import helper\n" + textwrap.dedent(SERVER).format(n=2), b="def helper(): return 2\n")
    assert app.server.soft_purge("a"), "it is dropped, although the process has the class until its next message"
    assert holders(app, "b") == []
    assert not app.server.is_old_code_held("b")
    assert await gen_server.call(idle, a.Keeps.count) == (0, 2)


async def test_a_dropped_version_is_known_although_its_first_class_lives_on_in_the_next_one(
    app: App, node: Runtime
) -> None:
    unchanged = """
        from b import helper
        from dataclasses import dataclass
        @dataclass
        class Point:
            x: int = 0
    """
    text = textwrap.dedent(unchanged) + textwrap.dedent(SERVER)
    app.boot(a=text.format(n=1), b="def helper(): return 1\n")
    a = imported("a")
    await gen_server.start(a.Keeps, 0)
    app.load(a=text.format(n=2), b="def helper(): return 2\n")
    assert app.server.soft_purge("a")
    assert holders(app, "b") == []


def test_an_equal_old_version_whose_body_has_used_another_module_is_executed_again(app: App) -> None:
    made = "from a import make\nMADE = make()\n"
    app.boot(a="def make(): return 1\n", b=made)
    b = imported("b")
    first = app.current("b")
    for number in (2, 3):
        app.load(a=f"def make(): return {number}\n", b=made)
        assert number == b.MADE
    assert app.current("b") is not first
    second = app.server.versions("b")[1]
    app.load(a="def make(): return 2\n", b=made)
    assert (app.current("b"), b.MADE) == (second, 2), "both are taken back"


def test_an_equal_old_version_is_executed_again_if_what_its_body_has_used_is_purged(app: App) -> None:
    made = "from a import make\nMADE = make()\n"
    app.boot(a="def make(): return 1\n", b=made)
    b = imported("b")
    app.load(a="def make(): return 2\n", b=f"{made}# another text\n")
    app.server.purge("a")
    app.load(a="def make(): return 3\n", b=made)
    assert b.MADE == 3


def test_an_equal_old_version_is_restored_instead_of_executed(app: App) -> None:
    first = "import b\nfrom b import f\nCOUNT = [0]\ndef g():\n    return f(), b.f()\n"
    app.boot(a=first, b="def f():\n    return 1\n")
    a = imported("a")
    a.COUNT[0] = 5
    original = app.current("a")
    app.load(a="COUNT = None\n")
    second = app.current("a")
    app.load(b="def f():\n    return 2\n")
    back = app.prepare(a=first)
    assert back.version("a") is original
    assert vars(a)["COUNT"] is None
    back.commit()
    assert app.server.versions("a") == (original, second)
    assert a.COUNT == [5]
    assert a.g() == (2, 2)
    back.revert()
    assert app.server.versions("a") == (second, original)
    assert original.namespace["f"]() == 1
    assert a.COUNT is None


async def test_an_old_version_that_is_held_can_be_restored(app: App, node: Runtime) -> None:
    first = waiting(1, removed=False)
    app.boot(a=first)
    a = imported("a")
    gate = asyncio.Event()
    held = spawn(a.wait, gate)
    await eventually(lambda: awaits(node, held))
    app.load(a=waiting(2, removed=True))
    app.load(a=first)
    assert app.server.pids_running_old_code("a") == []
    gate.set()
    await eventually(lambda: a.SEEN == [(1, "removed")])


def test_modules_are_restored_together_and_see_each_others_old_versions(app: App) -> None:
    one = {"a": "from b import f\ndef g():\n    return f()\n", "b": "def f():\n    return 1\n"}
    app.boot(**one)
    a = imported("a")
    old = app.server.versions("a")[0], app.server.versions("b")[0]
    app.load(a="from b import f, h\ndef g():\n    return f(), h()\n", b="def f():\n    return 2\ndef h(): ...\n")
    assert a.g() == (2, None)
    app.load(**one)
    assert a.g() == 1
    assert (app.server.versions("a")[0], app.server.versions("b")[0]) == old


@pytest.mark.parametrize("imports", ["from pkg import part\n", "import pkg.part\npart = pkg.part\n"])
def test_a_deleted_submodule_that_is_restored_can_be_imported_by_a_body(app: App, imports: str) -> None:
    app.boot(pkg____init__="", a="")
    a = imported("a")
    app.load(pkg__part="X = [1]\n", a=imports)
    value = a.part.X
    app.load(deleted=["pkg.part"], a="part = None\n")
    app.server.purge("a")
    batch = app.load(pkg__part="X = [1]\n", a=imports)
    assert batch.taken_back == {"pkg.part"}
    assert a.part is imported("pkg").part is sys.modules["pkg.part"]
    assert a.part.X is value
    batch.revert()
    assert not hasattr(imported("pkg"), "part")
    assert "pkg.part" not in sys.modules


def test_a_deleted_module_that_is_loaded_again_is_restored(app: App) -> None:
    app.boot(a="X = [1]\n")
    a = imported("a")
    value = a.X
    app.server.delete("a")
    assert app.server.versions("a")[0] is None
    app.load(a="X = [1]\n")
    again = imported("a")
    assert again is a
    assert a.X is value
    assert app.server.versions("a")[1] is None


def test_facts_and_versions_describe_each_version(app: App) -> None:
    app.boot(a="__vsn__ = 7\n", pkg____init__="")
    imported("a")
    imported("pkg")
    app.load(a="X = 1\n")
    info, package = app.server.loaded_modules()
    version, old = app.current("a"), app.old("a")
    assert (info.vsn, info.old_vsn, old.vsn) == (version.sha256[:12], "7", "7")
    assert (info.name, info.application, info.app_vsn, info.old_app_vsn) == ("a", "shop", "2.0", "1.0")
    assert (info.path, info.old_path) == (version.path, old.path)
    assert 0 < old.loaded <= info.loaded
    assert (package.name, package.old_vsn, package.old_pids) == ("pkg", None, ())
    assert current() is app.server


def test_dropped_versions_are_freed(app: App) -> None:
    text = "import a\nclass Token: ...\nTOKEN = Token()\ndef f():\n    return TOKEN\nN = {n}\n"
    app.boot(a=text.format(n=0), b="from a import f\n")
    imported("b")
    tokens = []
    for n in range(1, 11):
        batch = app.prepare(a=text.format(n=n))
        tokens.append(weakref.ref(batch.namespace("a")["TOKEN"]))
        if n % 3 == 0:
            batch.discard()
            continue
        batch.commit()
        if n % 3 == 1:
            batch.revert()
    del batch
    app.server.soft_purge("a")
    gc.collect()
    alive = [n for n, token in enumerate(tokens, 1) if token() is not None]
    assert alive == [8]


async def test_a_variable_of_a_thread_is_not_kept_in_the_node_for_the_whole_search_for_holders(app: App) -> None:
    app.boot(a="N = 1\ndef f(): pass")
    kept = [imported("a").f]
    app.load(a="N = 2")
    with dropped_after_the_next_fork():
        found = await asyncio.to_thread(holders, app)
    assert found != ["something not found in time holds it"]
    assert kept
