"""A plan names what will stay in old code before it happens, and a refusal names the verb that frees it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import multiprocessing
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from node_runtime import ChildSpec, Supervisor, gen_server, spawn, supervisor, whereis
from tests.support.projects.small_shop import COUNTER, COUNTER_2, LOAD_COUNTER
from tests.support.waiting import begun, eventually

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

STRAYS = """
import asyncio

async def poll():
    await asyncio.Event().wait()

async def until(reached):
    while not reached():
        await asyncio.sleep(0)

def tick():
    pass

def wait(gate):
    gate.wait()

async def stream():
    yield 1
    await asyncio.Event().wait()

@contextlib.asynccontextmanager
async def lifespan(app):
    yield

async def serve(reader, writer):
    await reader.read()

class Site:
    async def __call__(self, scope):
        return __vsn__

class Echo(asyncio.Protocol):
    def pause_writing(self):
        return __vsn__, Counter
"""
STRAYS = "import contextlib\n" + STRAYS

POLLER = (
    "The task poller (shop.counter.poll), which {pid} has started, runs shop.counter.poll. No process owns this task, "
    "so it stays in the old version of shop.counter until it ends; `hotdash kill NODE poller` cancels it."
)


@pytest.fixture
async def loaded(small: SmallNode) -> Any:
    """Release 1 runs, and 2 and 3 replace shop.counter. Gives the module."""
    small.write("1", {"shop.counter": COUNTER + STRAYS})
    small.write("2", {"shop.counter": COUNTER_2 + STRAYS}, LOAD_COUNTER)
    small.write("3", {"shop.counter": COUNTER_2 + STRAYS + "FIXED = 1"}, LOAD_COUNTER.replace('"1"', '"2"'))
    small.boot()
    module = importlib.import_module("shop.counter")
    await gen_server.start_link(module.Counter, name="counter")
    return module


async def warned(small: SmallNode, vsn: str = "2") -> list[str]:
    plan = await small.handler.plan(vsn)
    assert plan.blockers == ()
    return list(plan.warnings)


def has_a_copy() -> bool:
    """Whether a child of this OS process is a copy of it."""
    proc = Path("/proc")
    children = [pid for file in proc.glob("self/task/*/children") for pid in file.read_text().split()]
    own = (proc / "self" / "cmdline").read_bytes()
    return any((proc / pid / "cmdline").read_bytes() == own for pid in children)


async def test_a_node_that_only_waits_has_nothing_in_old_code(small: SmallNode, loaded: Any) -> None:
    assert await warned(small) == []


async def test_a_task_is_named_with_the_process_that_has_started_it(small: SmallNode, loaded: Any) -> None:
    started = asyncio.Event()

    async def runs() -> None:
        poller = asyncio.create_task(loaded.poll(), name="poller")
        started.set()
        await poller

    pid = spawn(runs)
    await started.wait()
    (sentence,) = await warned(small)
    assert sentence == POLLER.format(pid=pid)


async def test_a_task_that_has_ended_when_the_plan_is_made_is_not_named(small: SmallNode, loaded: Any) -> None:
    request = asyncio.create_task(loaded.until(has_a_copy))
    assert await warned(small) == []
    assert request.done()


async def test_the_starter_of_a_task_is_named_if_another_task_is_between(small: SmallNode, loaded: Any) -> None:
    started = asyncio.Event()

    async def waits() -> None:
        poller = asyncio.create_task(loaded.poll(), name="poller")
        started.set()
        await poller

    async def runs() -> None:
        await asyncio.create_task(waits())

    pid = spawn(runs)
    await started.wait()
    (sentence,) = await warned(small)
    assert sentence == POLLER.format(pid=pid)


async def test_a_timer_a_thread_an_executor_and_a_server_are_named(small: SmallNode, loaded: Any) -> None:
    gate = threading.Event()
    thread = threading.Thread(target=loaded.wait, args=(gate,), name="worker")
    thread.start()
    timer = asyncio.get_running_loop().call_later(60, loaded.tick)
    server = await asyncio.start_server(loaded.serve, "127.0.0.1", 0)
    with ThreadPoolExecutor(1, thread_name_prefix="pool") as pool:
        first = pool.submit(gate.wait)
        pool.submit(loaded.tick)
        try:
            said = "\n".join(await warned(small))
        finally:
            gate.set()
            thread.join()
            first.result()
            timer.cancel()
            server.close()
    assert "The thread worker runs shop.counter" in said
    assert "A timer of the event loop holds shop.counter.tick: it stays in the old version of shop.counter" in said
    assert "The executor pool holds shop.counter.tick" in said
    assert "A server of the event loop holds shop.counter.serve" in said


async def test_generators_and_lifespans_are_named_with_the_task_that_has_entered_them(
    small: SmallNode, loaded: Any
) -> None:
    async def lives() -> None:
        async with loaded.lifespan(None):
            await asyncio.Event().wait()

    async def reads() -> None:
        async for _ in loaded.stream():
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(lives(), name="life"), asyncio.create_task(reads(), name="reader")]
    for task in tasks:
        await begun(task)
    said = "\n".join(await warned(small))
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert "The task life (" in said
    assert "runs shop.counter.lifespan" in said
    assert "The task reader (" in said
    assert "runs shop.counter.stream" in said


class ShopSup(Supervisor):
    def children(self) -> list[ChildSpec]:
        return [ChildSpec("site", start=f"{__name__}:serve_site", type="task")]


async def serve_site() -> None:
    site = importlib.import_module("shop.counter").Site()
    await asyncio.Event().wait()
    await site({})


async def test_a_child_that_serves_an_object_of_the_module_is_named_with_both_remedies(
    small: SmallNode, loaded: Any
) -> None:
    await supervisor.start_link(ShopSup, name="shop_sup")
    (pid,) = [child.pid for child in supervisor.which_children("shop_sup") if child.pid is not None]
    (sentence,) = await warned(small)
    assert sentence == (
        f"{pid} holds an instance of shop.counter.Site, so it stays in the old version of shop.counter until it ends: "
        '{ restart_child = "site", supervisor = "shop_sup" } in the appup starts it anew, '
        f"or `hotdash restart NODE {int(pid)}` starts it anew."
    )
    assert whereis("shop_sup") is not None


async def test_the_tasks_and_timers_of_a_server_are_named_in_the_sentence_of_its_process(
    small: SmallNode, loaded: Any
) -> None:
    started = asyncio.Event()

    async def lifespan(site: Any) -> None:
        started.set()
        await asyncio.Event().wait()
        await site({})

    async def runs() -> None:
        site = loaded.Site()
        timer = asyncio.get_running_loop().call_later(60, print, site)
        await asyncio.create_task(lifespan(site), name="life")
        timer.cancel()
        await site({})

    pid = spawn(runs)
    await started.wait()
    (sentence,) = await warned(small)
    inner, end = sentence.removeprefix(f"{pid}, with ").split(", holds an instance of shop.counter.Site, so it ")
    assert "a timer of the event loop" in inner
    assert f"the task life ({__name__}." in inner
    assert end == f"stays in the old version of shop.counter until it ends: `hotdash kill NODE {int(pid)}` ends it."


async def test_a_timer_with_another_object_of_the_same_class_is_not_counted_among_those_of_a_process(
    small: SmallNode, loaded: Any
) -> None:
    started = asyncio.Event()

    async def runs() -> None:
        site = loaded.Site()
        own = asyncio.get_running_loop().call_later(60, print, site)
        started.set()
        await asyncio.Event().wait()
        own.cancel()
        await site({})

    pid = spawn(runs)
    await started.wait()
    other = asyncio.get_running_loop().call_later(60, print, loaded.Site())
    holds = "holds an instance of shop.counter.Site"
    assert sorted(await warned(small)) == [
        f"{pid}, with a timer of the event loop, {holds}, so it stays in the old version of shop.counter until it "
        f"ends: `hotdash kill NODE {int(pid)}` ends it.",
        f"A timer of the event loop {holds}: it stays in the old version of shop.counter; after the upgrade, "
        "`hotdash purge NODE shop.counter` frees it.",
    ]
    other.cancel()


async def test_tasks_with_the_same_name_are_named_with_the_process_of_each(small: SmallNode, loaded: Any) -> None:
    started = [asyncio.Event(), asyncio.Event()]

    async def runs(event: asyncio.Event) -> None:
        poller = asyncio.create_task(loaded.poll(), name="poller")
        event.set()
        await poller

    pids = [spawn(runs, event) for event in started]
    for event in started:
        await event.wait()
    assert sorted(await warned(small)) == sorted(POLLER.format(pid=pid) for pid in pids)


async def test_the_third_version_is_refused_by_the_name_of_what_holds_the_first(small: SmallNode, loaded: Any) -> None:
    task = asyncio.create_task(loaded.poll(), name="poller")
    await begun(task)
    assert (await small.install("2")).outcome == "installed"
    plan = await small.handler.plan("3")
    (blocker,) = plan.blockers
    assert blocker.reason == (
        "shop.counter still has an old version (1): task poller (shop.counter.poll) runs shop.counter.poll"
    )
    assert blocker.remedy == "free it: `hotdash purge NODE shop.counter` ends what keeps the old version"
    purged = await small.code.end_old_code("shop.counter")
    assert purged is not None
    assert (purged.dropped, purged.killed, purged.left) == (True, (), ())
    assert purged.cancelled == ("task poller (shop.counter.poll)",)
    assert task.cancelled()
    assert (await small.install("3")).outcome == "installed"


async def test_a_child_that_never_ends_is_not_waited_for(small: SmallNode, loaded: Any) -> None:
    class PollerSup(Supervisor):
        def children(self) -> list[ChildSpec]:
            return [ChildSpec("poller", start="shop.counter:poll", type="task", restart="permanent")]

    await supervisor.start_link(PollerSup, name="poller_sup")
    assert (await small.install("2")).outcome == "installed"
    (blocker,) = (await small.handler.plan("3")).blockers
    assert "runs shop.counter.poll" in blocker.reason
    assert blocker.remedy == "free it: `hotdash purge NODE shop.counter` ends what keeps the old version"


async def test_a_purge_tells_of_a_thread_and_the_version_is_dropped_at_its_end(small: SmallNode, loaded: Any) -> None:
    gate = threading.Event()
    thread = threading.Thread(target=loaded.wait, args=(gate,), name="worker")
    thread.start()
    try:
        assert (await small.install("2")).outcome == "installed"
        purged = await small.code.end_old_code("shop.counter")
        assert purged is not None
        assert (purged.dropped, [(one.kind, one.name) for one in purged.left]) == (False, [("thread", "thread worker")])
        (blocker,) = (await small.handler.plan("3")).blockers
        assert blocker.remedy == (
            "a purge can't end thread worker: let its function return, or restart the node into the current release "
            "with `hotdash commit NODE` and then `bin/<name> restart`"
        )
    finally:
        gate.set()
        thread.join()
    assert (await small.handler.plan("3")).blockers == ()


async def test_a_worker_process_that_was_started_in_older_code_is_named(small: SmallNode, loaded: Any) -> None:
    context = multiprocessing.get_context("spawn")
    worker = context.Process(target=time.sleep, args=(60,), name="cruncher", daemon=True)
    worker.start()
    try:
        assert await warned(small) == [
            f"The worker process cruncher (OS pid {worker.pid}) keeps the code with which it was started: shut its "
            "pool down after the upgrade, so that new workers have the code of release 2."
        ]
    finally:
        worker.kill()
        worker.join()
    assert await warned(small) == []


async def test_a_task_that_the_node_has_is_cancelled_by_its_name(small: SmallNode, loaded: Any) -> None:
    task = asyncio.create_task(loaded.poll(), name="poller")
    await begun(task)
    assert [one.name for one in small.code.stray_tasks() if one.name == "poller"] == ["poller"]
    assert small.code.cancel_tasks("poller") == ["task poller (shop.counter.poll)"]
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_a_thread_is_named_if_only_a_local_variable_of_it_has_an_instance(small: SmallNode, loaded: Any) -> None:
    gate = threading.Event()

    def work() -> object:
        site = loaded.Site()
        gate.wait()
        return site

    thread = threading.Thread(target=work, name="worker")
    thread.start()
    try:
        (sentence,) = await warned(small)
        assert sentence == (
            "The thread worker holds an instance of shop.counter.Site: it stays in the old version of shop.counter; "
            "after the upgrade, `hotdash purge NODE shop.counter` frees it."
        )
        assert (await small.install("2")).outcome == "installed"
        (blocker,) = (await small.handler.plan("3")).blockers
        assert blocker.reason == (
            "shop.counter still has an old version (1): thread worker holds an instance of shop.counter.Site"
        )
        purged = await small.code.end_old_code("shop.counter")
        assert purged is not None
        assert (purged.dropped, [(one.kind, one.name) for one in purged.left]) == (True, [("thread", "thread worker")])
    finally:
        gate.set()
        thread.join()
    assert (await small.install("3")).outcome == "installed"


async def test_a_connection_whose_protocol_is_replaced_is_named(small: SmallNode, loaded: Any) -> None:
    ours, theirs = socket.socketpair()
    # the test's own task must not hold the protocol
    connection = (await asyncio.get_running_loop().create_connection(loaded.Echo, sock=ours))[0]
    (sentence,) = await warned(small)
    assert sentence == (
        "A connection of the event loop holds an instance of shop.counter.Echo: it stays in the old version of "
        "shop.counter; after the upgrade, `hotdash purge NODE shop.counter` frees it."
    )
    connection.close()
    await eventually(lambda: ours.fileno() == -1, what="the end of the connection")
    theirs.close()
