"""Live processes in an upgrade: new code at the next callback, suspend, adopt, resume, transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from node_runtime import (
    Exit,
    NoProcess,
    Pid,
    Runtime,
    call,
    cast,
    exit,
    gen_server,
    gen_statem,
    is_alive,
    process_info,
    receive,
    send,
    spawn,
    spawn_task,
    supervisor,
    sys,
    whereis,
)
from node_runtime.behaviours.upgrade import live_processes
from tests.support.two_versions import TwoVersions
from tests.support.waiting import begun, eventually

SERVER = """
import asyncio
from node_runtime import GenServer, Stop, gen_server, call, send, trap_exit

class Box(GenServer[list]):
    def init(self, *things):
        trap_exit()
        return list(things)

    def put(self, thing):
        self.state = [*self.state, (VERSION, thing)]

    def get(self):
        return (VERSION, self.state)

    async def put_slowly(self, thing, gate):
        self.state = [*self.state, (VERSION, "begun", thing)]
        await gate.wait()
        self.state = [*self.state, (VERSION, "ended", thing)]
        return VERSION

    async def ask(self, other, gate):
        await gate.wait()
        return await call(other, Box.get)

    async def ask_now(self, other):
        return await call(other, Box.get)

    def handle_info(self, message):
        self.state = [*self.state, (VERSION, message)]

async def start_box(name, *things):
    return await gen_server.start_link(Box, *things, name=name)
"""


@pytest.fixture
def box() -> Iterator[TwoVersions]:
    module = TwoVersions("hot_box")
    module.load("VERSION = 1\n" + SERVER)
    yield module
    module.remove()


@pytest.fixture
def boxes() -> Iterator[TwoVersions]:
    module = TwoVersions("hot_boxes")
    yield module
    module.remove()


def cls(module: TwoVersions) -> Any:
    return module.module.Box


def second(module: TwoVersions) -> dict[str, Any]:
    return module.prepare("VERSION = 2\n" + SERVER)


# ------------------------------------------------------------------ new code without a hold


async def test_new_code_reaches_a_process_at_its_next_callback_with_its_state(
    runtime: Runtime, box: TwoVersions
) -> None:
    pid = await gen_server.start(cls(box), "first")
    state = live_processes.raw_state(pid)
    old = cls(box)
    box.switch(second(box))
    assert live_processes.raw_state(pid) is state
    assert await call(pid, old.get) == (2, ["first"])
    assert live_processes.running_code(pid) == ("hot_box", "Box", box.module.__dict__)


async def test_new_code_reaches_queued_mail_too(runtime: Runtime, box: TwoVersions) -> None:
    pid = await gen_server.start(cls(box))
    cast(pid, cls(box).put, "cast")
    send(pid, "info")
    box.switch(second(box))
    assert await call(pid, cls(box).get) == (2, [(2, "cast"), (2, "info")])


async def test_an_async_callback_ends_in_the_version_it_began_in_and_its_state_is_kept(
    runtime: Runtime, box: TwoVersions
) -> None:
    pid = await gen_server.start(cls(box))
    gate = asyncio.Event()
    slow = asyncio.ensure_future(call(pid, cls(box).put_slowly, "thing", gate))
    await eventually(lambda: live_processes.raw_state(pid))
    box.switch(second(box))
    after = asyncio.ensure_future(call(pid, cls(box).get))
    gate.set()
    assert await slow == 1
    assert await after == (2, [(1, "begun", "thing"), (1, "ended", "thing")])


async def test_a_new_process_of_an_old_class_runs_the_current_one(runtime: Runtime, box: TwoVersions) -> None:
    old = cls(box)
    box.switch(second(box))
    pid = await gen_server.start(old)
    assert await call(pid, old.get) == (2, [])


async def test_a_class_that_vanished_ends_its_processes_at_their_next_callback(
    runtime: Runtime, box: TwoVersions
) -> None:
    pid = await gen_server.start(cls(box))
    old = cls(box)
    box.load("VERSION = 3")
    with pytest.raises(Exit, match="current version of hot_box has no class Box"):
        await call(pid, old.get)


async def test_a_restart_starts_the_new_code(runtime: Runtime, box: TwoVersions) -> None:
    class Sup(supervisor.Supervisor):
        def children(self) -> list[supervisor.ChildSpec]:
            return [supervisor.ChildSpec("box", "hot_box:start_box", ("box",))]

    await supervisor.start_link(Sup, name="sup")
    box.switch(second(box))
    first = whereis("box")
    exit("box", "kill")
    await eventually(lambda: whereis("box") not in (None, first))
    assert await call("box", cls(box).get) == (2, [])


# ------------------------------------------------------------------ hold and release


async def test_a_held_process_queues_its_mail_and_release_drains_it(runtime: Runtime, box: TwoVersions) -> None:
    pid = await gen_server.start(cls(box))
    await live_processes.hold(pid, owner="upgrade", timeout=0)
    assert process_info(pid).status == "suspended"
    waiting = asyncio.ensure_future(call(pid, cls(box).get))
    await begun(waiting)
    cast(pid, cls(box).put, 1)
    await eventually(lambda: process_info(pid).mailbox == 2)
    assert live_processes.raw_state(pid) == []
    live_processes.release(pid, owner="upgrade")
    assert await waiting == (1, [])
    assert await call(pid, cls(box).get) == (1, [(1, 1)])


async def test_hold_waits_for_an_async_callback(runtime: Runtime, box: TwoVersions) -> None:
    pid = await gen_server.start(cls(box))
    gate = asyncio.Event()
    slow = asyncio.ensure_future(call(pid, cls(box).put_slowly, "thing", gate))
    await eventually(lambda: process_info(pid).status == "running")
    held = asyncio.ensure_future(live_processes.hold(pid, owner="upgrade", timeout=60))
    cast(pid, cls(box).put, "later")
    await begun(held)
    assert not held.done()
    gate.set()
    await held
    assert process_info(pid).status == "suspended"
    assert live_processes.raw_state(pid)[-1] == (1, "ended", "thing")
    assert await slow == 1
    live_processes.release(pid, owner="upgrade")


async def test_a_callback_that_does_not_end_is_named_and_goes_on(runtime: Runtime, box: TwoVersions) -> None:
    pid = await gen_server.start(cls(box), name="box")
    gate = asyncio.Event()
    slow = asyncio.ensure_future(call(pid, cls(box).put_slowly, "thing", gate))
    await eventually(lambda: process_info(pid).status == "running")
    with pytest.raises(live_processes.NotHeld, match=f"box {pid} has not ended its callback"):
        await live_processes.hold(pid, owner="upgrade", timeout=0.01)
    gate.set()
    assert await slow == 1
    await eventually(lambda: process_info(pid).status == "idle")


async def test_a_process_without_callbacks_cannot_be_held(runtime: Runtime) -> None:
    for pid in (spawn(receive), spawn_task(asyncio.sleep, 3600)):
        with pytest.raises(live_processes.NotHeld, match="has no callbacks") as not_held:
            await live_processes.hold(pid, owner="upgrade", timeout=1)
        assert not_held.value.pid == pid


async def test_a_process_that_exits_while_it_is_being_held_is_noproc(runtime: Runtime, box: TwoVersions) -> None:
    pid = await gen_server.start(cls(box))
    slow = asyncio.ensure_future(call(pid, cls(box).put_slowly, "thing", asyncio.Event()))
    await eventually(lambda: process_info(pid).status == "running")
    held = asyncio.ensure_future(live_processes.hold(pid, owner="upgrade", timeout=60))
    await begun(held)
    exit(pid, "kill")
    with pytest.raises(NoProcess):
        await held
    with pytest.raises(Exit):
        await slow


async def test_a_process_is_free_when_every_owner_has_released_it(runtime: Runtime, box: TwoVersions) -> None:
    pid = await gen_server.start(cls(box))
    await live_processes.hold(pid, owner="upgrade", timeout=60)
    await sys.suspend(pid)
    live_processes.release(pid, owner="upgrade")
    live_processes.release(pid, owner="upgrade")
    assert process_info(pid).status == "suspended"
    sys.resume(pid)
    assert process_info(pid).status == "idle"


async def test_a_held_process_still_exits_on_a_signal(runtime: Runtime, box: TwoVersions) -> None:
    pid = await gen_server.start(cls(box))
    await live_processes.hold(pid, owner="upgrade", timeout=60)
    exit(pid, "kill")
    assert not is_alive(pid)


async def test_a_held_process_terminates_on_its_parents_exit_signal(runtime: Runtime, box: TwoVersions) -> None:
    pid = await gen_server.start(cls(box))
    await live_processes.hold(pid, owner="upgrade", timeout=60)
    exit(pid, "shutdown")
    assert not is_alive(pid)


async def test_a_held_process_replies_to_one_whose_callback_must_end_to_be_held(
    runtime: Runtime, box: TwoVersions
) -> None:
    asked, asking = await gen_server.start(cls(box)), await gen_server.start(cls(box))
    gate = asyncio.Event()
    answer = asyncio.ensure_future(call(asking, cls(box).ask, asked, gate))
    await eventually(lambda: process_info(asking).status == "running")
    await live_processes.hold(asked, owner="upgrade", timeout=60)
    held = asyncio.ensure_future(live_processes.hold(asking, owner="upgrade", timeout=60))
    await begun(held)
    gate.set()
    await held
    assert await answer == (1, [])
    assert [process_info(pid).status for pid in (asked, asking)] == ["suspended"] * 2


async def test_a_held_process_replies_to_one_that_waits_for_it_already(runtime: Runtime, box: TwoVersions) -> None:
    asked, asking = await gen_server.start(cls(box)), await gen_server.start(cls(box))
    await live_processes.hold(asked, owner="upgrade", timeout=60)
    answer = asyncio.ensure_future(call(asking, cls(box).ask_now, asked))
    await eventually(lambda: process_info(asked).mailbox == 1)
    await live_processes.hold(asking, owner="upgrade", timeout=60)
    assert await answer == (1, [])


async def test_a_held_process_replies_to_no_other_process(runtime: Runtime, box: TwoVersions) -> None:
    asked, asking = await gen_server.start(cls(box)), await gen_server.start(cls(box))
    await live_processes.hold(asked, owner="upgrade", timeout=60)
    answer = asyncio.ensure_future(call(asking, cls(box).ask_now, asked))
    await eventually(lambda: process_info(asked).mailbox == 1)
    assert not answer.done()
    live_processes.release(asked, owner="upgrade")
    assert await answer == (1, [])


async def test_reading_the_state_of_a_caller_does_not_make_a_held_process_reply(
    runtime: Runtime, box: TwoVersions
) -> None:
    asked, asking = await gen_server.start(cls(box)), await gen_server.start(cls(box))
    gate = asyncio.Event()
    answer = asyncio.ensure_future(call(asking, cls(box).ask, asked, gate))
    await eventually(lambda: process_info(asking).status == "running")
    await live_processes.hold(asked, owner="upgrade", timeout=60)
    look = asyncio.ensure_future(sys.get_state(asking))
    await begun(look)
    gate.set()
    await eventually(lambda: process_info(asked).mailbox == 1)
    assert not answer.done()
    live_processes.release(asked, owner="upgrade")
    assert await answer == (1, [])
    assert await look == []


# ------------------------------------------------------------------ adopt


async def test_adopt_gives_the_state_and_the_current_class(runtime: Runtime, box: TwoVersions) -> None:
    pid = await gen_server.start(cls(box), "old")
    await live_processes.hold(pid, owner="upgrade", timeout=60)
    before = live_processes.raw_state(pid)
    namespace = live_processes.running_code(pid)[2]
    box.switch(second(box))
    assert live_processes.running_code(pid)[2] is namespace
    new = ["new"]
    live_processes.adopt_state(pid, new)
    assert live_processes.raw_state(pid) is new
    assert live_processes.running_code(pid)[2] is box.module.__dict__
    box.switch(namespace)
    live_processes.adopt_state(pid, before)
    assert live_processes.raw_state(pid) is before
    live_processes.release(pid, owner="upgrade")
    assert await call(pid, cls(box).get) == (1, ["old"])


async def test_only_a_held_process_can_be_given_a_state(runtime: Runtime, box: TwoVersions) -> None:
    pid = await gen_server.start(cls(box))
    with pytest.raises(live_processes.NotHeld, match="hold it before you give it a state"):
        live_processes.adopt_state(pid, [])


async def test_a_state_machine_has_its_name_and_data_and_enters_nothing_when_it_adopts(runtime: Runtime) -> None:
    module = TwoVersions("hot_light")
    module.load("""
        from node_runtime import GenStatem, Next, Enter, Call, keep
        class Light(GenStatem[list]):
            state_enter = True
            def init(self): return "green", []
            def green(self, event): return self._note(event)
            def lime(self, event): return self._note(event)
            def _note(self, event):
                self.data.append(type(event).__name__)
                return Next(reply="noted") if isinstance(event, Call) else keep
    """)
    try:
        pid = await gen_statem.start(module.module.Light)
        await gen_statem.call(pid, "first")
        await live_processes.hold(pid, owner="upgrade", timeout=60)
        state, data = live_processes.raw_state(pid)
        assert (state, data) == ("green", ["Enter", "Call"])
        live_processes.adopt_state(pid, ("lime", data))
        live_processes.release(pid, owner="upgrade")
        await gen_statem.call(pid, "second")
        assert await sys.get_state(pid) == ("lime", ["Enter", "Call", "Call"])
    finally:
        module.remove()


async def test_using_returns_the_processes_of_a_module(runtime: Runtime, box: TwoVersions) -> None:
    pids = [await gen_server.start(cls(box)) for _ in range(3)]
    other = spawn(receive)
    assert live_processes.pids_using("hot_box") == pids
    assert live_processes.pids_using("node_runtime.processes.primitives") == [other]
    assert live_processes.pids_using("nothing") == []


# ------------------------------------------------------------------ what is born meanwhile


async def test_a_process_started_inside_a_transaction_is_held_after_its_init(
    runtime: Runtime, box: TwoVersions
) -> None:
    with live_processes.holding_started_processes(owner="upgrade") as born:
        pid = await gen_server.start(cls(box), "inside")
    outside = await gen_server.start(cls(box))
    assert born == [pid]
    assert live_processes.raw_state(pid) == ["inside"]
    assert [process_info(p).status for p in (pid, outside)] == ["suspended", "idle"]
    live_processes.release(pid, owner="upgrade")
    assert process_info(pid).status == "idle"


async def test_children_of_a_process_started_inside_a_transaction_are_held_too(
    runtime: Runtime, box: TwoVersions
) -> None:
    with live_processes.holding_started_processes(owner="upgrade") as born:
        await supervisor.start_link(Pair, name="pair")
    assert born == [whereis("pair"), whereis("a"), whereis("b")]
    assert {process_info(pid).status for pid in born} == {"suspended"}
    for pid in born:
        live_processes.release(pid, owner="upgrade")
    assert await call("a", cls(box).get) == (1, [])


class Pair(supervisor.Supervisor):
    strategy = "one_for_all"

    def children(self) -> list[supervisor.ChildSpec]:
        return [supervisor.ChildSpec(name, "hot_box:start_box", (name,)) for name in "ab"]


async def test_inside_a_transaction_a_held_supervisor_acts_at_once(runtime: Runtime, box: TwoVersions) -> None:
    await supervisor.start_link(Pair, name="pair")
    await supervisor.terminate_child("pair", "b")
    await live_processes.hold("pair", owner="upgrade", timeout=60)
    waiting = asyncio.ensure_future(
        supervisor.start_child("pair", supervisor.ChildSpec("c", "hot_box:start_box", ("c",)))
    )
    await begun(waiting)
    with live_processes.holding_started_processes(owner="upgrade") as born:
        started = await supervisor.restart_child("pair", "b")
    assert born == [started]
    assert started is not None
    assert [process_info(pid).status for pid in (Pid(whereis("pair") or 0), started)] == ["suspended"] * 2
    assert process_info(started).parent == whereis("pair")
    assert not waiting.done()
    live_processes.release(started, owner="upgrade")
    live_processes.release("pair", owner="upgrade")
    assert await waiting == whereis("c")


# ------------------------------------------------------------------ supervisors read again


def sup(strategy: str, *children: str) -> str:
    return f"""
        from node_runtime import Supervisor, ChildSpec
        class Sup(Supervisor):
            strategy, intensity, period = {strategy!r}, 7, 3.0
            def children(self):
                return [{", ".join(children)}]
    """


def child(name: str, more: str = "") -> str:
    return f'ChildSpec({name!r}, "hot_box:start_box", ({name!r},){more})'


async def test_a_supervisor_reads_its_children_again(runtime: Runtime, box: TwoVersions, boxes: TwoVersions) -> None:
    boxes.load(sup("one_for_one", child("a"), child("b"), child("gone")))
    await supervisor.start_link(boxes.module.Sup, name="sup")
    before = {name: whereis(name) for name in ("a", "b", "gone")}
    await live_processes.hold("sup", owner="upgrade", timeout=60)
    table = live_processes.raw_state("sup")
    boxes.load(sup("rest_for_one", child("new"), child("b", ', restart="transient"'), child("a")))
    assert live_processes.reload_child_specs("sup") == live_processes.ChildSpecChanges(
        added=("new",), replaced=("b",), kept=("gone",)
    )
    assert {name: whereis(name) for name in before} == before
    assert [(c.id, c.status) for c in supervisor.which_children("sup")] == [
        ("new", "undefined"), ("b", "running"), ("a", "running"), ("gone", "running"),
    ]  # fmt: skip
    assert supervisor.flags("sup").strategy == "rest_for_one"
    assert supervisor.get_childspec("sup", "b").restart == "transient"
    live_processes.adopt_state("sup", table)
    assert [c.id for c in supervisor.which_children("sup")] == ["a", "b", "gone"]
    assert supervisor.get_childspec("sup", "b").restart == "permanent"
    assert supervisor.flags("sup").strategy == "one_for_one"


async def test_invalid_child_specifications_change_nothing(
    runtime: Runtime, box: TwoVersions, boxes: TwoVersions
) -> None:
    boxes.load(sup("one_for_one", child("a")))
    await supervisor.start_link(boxes.module.Sup, name="sup")
    await live_processes.hold("sup", owner="upgrade", timeout=60)
    table, namespace = live_processes.raw_state("sup"), live_processes.running_code("sup")[2]
    for wrong in (sup("one_for_one", child("a"), child("a")), sup("nonsense"), "class Other: pass"):
        boxes.load(wrong)
        with pytest.raises((ValueError, LookupError)):
            live_processes.reload_child_specs("sup")
        assert live_processes.raw_state("sup") is table
        assert live_processes.running_code("sup")[2] is namespace


async def test_only_a_held_supervisor_reads_its_children_again(runtime: Runtime, box: TwoVersions) -> None:
    await supervisor.start_link(Pair, name="pair")
    with pytest.raises(live_processes.NotHeld, match="not a suspended supervisor"):
        live_processes.reload_child_specs("pair")


async def test_after_reading_again_a_restart_follows_the_new_specification(
    runtime: Runtime, box: TwoVersions, boxes: TwoVersions
) -> None:
    boxes.load(sup("one_for_one", child("a")))
    await supervisor.start_link(boxes.module.Sup, name="sup")
    await live_processes.hold("sup", owner="upgrade", timeout=60)
    boxes.load(sup("one_for_one", 'ChildSpec("a", "hot_box:start_box", ("renamed",))'))
    live_processes.reload_child_specs("sup")
    live_processes.release("sup", owner="upgrade")
    exit("a", "kill")
    await eventually(lambda: whereis("renamed"))
    assert whereis("a") is None
