"""One process of a real node in depth: relations, timeouts, recorded messages, and suspends by operators."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from node_runtime import (
    GenServer,
    GenStatem,
    Next,
    Timeout,
    call,
    cast,
    exit,
    gen_server,
    gen_statem,
    monitor,
    process_info,
    send,
    send_after,
    spawn,
)
from node_runtime.control import loop_bridge
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import ExitCode, Refused
from tests.support.waiting import answered, eventually

if TYPE_CHECKING:
    from tests.support.nodes.shop_node import Node

pytest_plugins = ["tests.support.nodes.shop_node"]
pytestmark = pytest.mark.usefixtures("patient_loop")
BOOT = "b00t"


@pytest.fixture
def patient_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests wait for the event loop, also on a machine that is busy with other programs."""
    monkeypatch.setattr(loop_bridge, "FALLBACK_TIMEOUT_SECONDS", 60.0)
    monkeypatch.setattr(loop_bridge, "LOOP_TIMEOUT_SECONDS", 60.0)


class Desk(GenServer[dict[str, Any]]):
    def init(self) -> dict[str, Any]:
        return {"calls": 0}

    def login(self, name: str, password: str) -> str:
        self.state["calls"] += 1
        return name

    async def ask(self, whom: str) -> Any:
        return await call(whom, Desk.rest)

    def descend(self) -> None:
        self.descend()

    def break_down(self) -> None:
        try:
            self.state["calls"] = self.state["visits"]
        except KeyError:
            raise ValueError("no visits, password=hunter2")  # noqa: B904  # as in a program that forgets the cause

    async def until(self, event: asyncio.Event) -> None:
        await event.wait()

    async def rest(self, depth: int = 0) -> None:
        await (asyncio.Event().wait() if depth == 0 else self.rest(depth - 1))


class Lock(GenStatem[dict[str, Any]]):
    def init(self) -> Any:
        alarm = Timeout("alarm", 3600.0, generic=True, content={"password": "hunter2"})
        return "locked", {}, Next(timeouts=(alarm, Timeout("close", 60.0)))

    def locked(self, event: object) -> Next:
        return Next(postpone=True)


async def view(client: Client, target: str | int) -> m.ProcessView:
    return await client.request(methods.PROCESS, m.InspectProcess(pid=int(process_info(target).pid)))


async def until_viewed(client: Client, target: str, good: Callable[[m.ProcessView], object]) -> m.ProcessView:
    async def ask() -> m.ProcessView | None:
        seen = await view(client, target)
        return seen if good(seen) else None

    return await answered(ask, f"the expected view of {target}")


async def test_a_view_has_the_relations_in_both_directions(shop: Node) -> None:
    async def watcher() -> None:
        monitor("till")
        await asyncio.Event().wait()

    watching = spawn(watcher)
    await eventually(lambda: process_info(watching).monitors)
    async with shop.client("viewer") as client:
        till, top = await view(client, "till"), await view(client, "shop_sup")
    names = {one.pid: one.name for one in till.related}
    assert till.monitored_by == (watching,)
    assert (names[till.ancestors[0]], till.monitored_by_count) == ("shop_sup", 1)
    assert [one.name for pid in top.children for one in top.related if one.pid == pid] == ["till", "lamp", None]
    assert top.child_count == 3
    assert till.boot_id == BOOT


async def test_a_view_says_whom_a_process_waits_for_and_who_waits_for_it(shop: Node) -> None:
    await gen_server.start(Desk, name="front")
    await gen_server.start(Desk, name="back")
    cast("front", Desk.ask, "back")
    async with shop.client("viewer") as client:
        front = await until_viewed(client, "front", lambda seen: seen.waits_for)
        back = await view(client, "back")
    assert front.waits_for == (int(process_info("back").pid),)
    assert (front.running, back.running) == ("ask", "rest")
    assert (back.waited_by, back.waited_by_count) == ((int(process_info("front").pid),), 1)
    assert any("Desk.rest" in frame for frame in back.stack)


async def test_a_callback_that_follows_another_at_once_lasts_since_its_own_beginning(shop: Node) -> None:
    first, second = asyncio.Event(), asyncio.Event()
    await gen_server.start(Desk, name="front")
    cast("front", Desk.until, first)
    cast("front", Desk.until, second)
    async with shop.client("viewer") as client:
        await until_viewed(client, "front", lambda seen: (seen.callback_seconds or 0.0) > 0.3)
        released = time.monotonic()
        first.set()
        seen = await until_viewed(client, "front", lambda seen: seen.process.messages == 3)
    assert seen.running == "until"
    assert seen.callback_seconds is not None
    assert seen.callback_seconds <= time.monotonic() - released
    assert seen.spent > seen.callback_seconds


async def test_a_view_has_the_crash_reports_of_the_predecessors_without_source_lines_and_secrets(shop: Node) -> None:
    first = await gen_server.start(Desk, name="front")
    cast("front", Desk.break_down)
    await eventually(lambda: "front" not in shop.runtime.names)
    await gen_server.start(Desk, name="front")
    async with shop.client("viewer") as client:
        (end,) = (await view(client, "front")).exits
    assert (end.pid, end.last_message, end.state) == (first, "break_down()", "{calls: 0}")
    call, cause, origin = end.trace
    assert call.endswith(" Desk.break_down")
    assert "test_inspection.py:" in call
    assert (cause, origin.endswith(" Desk.break_down")) == ("raised while handling KeyError: 'visits'", True)
    assert "hunter2" not in f"{end.reason} {end.trace}"


async def test_the_crash_report_of_a_deep_recursion_is_short(shop: Node) -> None:
    await gen_server.start(Desk, name="front")
    cast("front", Desk.descend)
    await eventually(lambda: "front" not in shop.runtime.names)
    await gen_server.start(Desk, name="front")
    async with shop.client("viewer") as client:
        (end,) = (await view(client, "front")).exits
    assert len(end.trace) < 30
    assert any("calls left out" in one for one in end.trace)


async def test_a_view_of_a_machine_has_its_timeouts_and_postponed_events(shop: Node) -> None:
    pid = await gen_statem.start(Lock, name="lock")
    gen_statem.cast("lock", "open")
    send_after(900.0, pid, {"password": "hunter2"})
    async with shop.client("viewer") as client:
        seen = await until_viewed(client, "lock", lambda one: one.postponed)
    first, message, second = seen.timeouts
    assert (message.scope, message.content and message.content.items[0][1].text) == ("message", "‹redacted›")
    assert (first.name, first.scope, second.name, second.scope) == ("close", "state", "alarm", "generic")
    assert first.seconds is not None
    assert 0 < first.seconds <= 60
    assert second.content is not None
    assert second.content.items[0][1].text == "‹redacted›"
    assert (seen.process.pid, seen.process.state_name) == (pid, "locked")


async def test_a_queued_request_hides_its_secrets_also_without_their_names(shop: Node) -> None:
    pid = await gen_server.start(Desk, name="front")
    cast("front", Desk.rest)
    cast("front", Desk.login, "ann", "hunter2")
    async with shop.client("viewer") as client:
        (queued,) = (await until_viewed(client, "front", lambda one: one.mail)).mail
    assert queued.text == "login"
    assert [(name, part.text) for name, part in queued.items] == [("name", "'ann'"), ("password", "‹redacted›")]
    exit(pid, "kill")


async def test_an_operator_keeps_a_log_and_a_viewer_reads_it(shop: Node) -> None:
    pid = int(await gen_server.start(Desk, name="front"))
    async with shop.client() as operator, shop.client("viewer") as viewer:
        assert (await view(viewer, "front")).log is None
        await operator.request(methods.LOG_PROCESS, m.LogProcess(pid=pid, boot_id=BOOT, reason="why"))
        await call("front", Desk.login, "ann", "hunter2")
        log = (await view(viewer, "front")).log
        assert log is not None
        assert [(one.kind, one.text) for one in log] == [
            ("in", "login(name='ann', password=‹redacted›)"),
            ("out", "'ann'"),
        ]
        await operator.request(methods.LOG_PROCESS, m.LogProcess(pid=pid, boot_id=BOOT, on=False))
        assert (await view(viewer, "front")).log is None
        audit = await operator.request(methods.AUDIT, m.ListLimit(limit=10))
    assert {(one.method, one.subject, one.reason) for one in audit.entries} >= {("log_process", f"<{pid}>", "why")}


async def test_a_trace_has_a_rate_and_an_end(shop: Node) -> None:
    pid = int(await gen_server.start(Desk, name="front"))
    async with shop.client() as client:
        await client.request(methods.TRACE_PROCESS, m.TraceProcess(pid=pid, boot_id=BOOT, seconds=300.0, rate=3))
        for _ in range(40):
            await call("front", Desk.login, "ann", "hunter2")
        trace = (await view(client, "front")).trace
        assert trace is not None
        assert trace.left_out >= 20
        assert 3 <= len(trace.events) < 60
        assert {one.text for one in trace.events} <= {"login(name='ann', password=‹redacted›)", "'ann'"}
        await client.request(methods.TRACE_PROCESS, m.TraceProcess(pid=pid, boot_id=BOOT, seconds=0))
        await call("front", Desk.login, "ann", "hunter2")
        ended = (await view(client, "front")).trace
        assert ended is not None
        assert ended.events == trace.events
        with pytest.raises(Refused, match="at most 300 s and 100 events"):
            await client.request(methods.TRACE_PROCESS, m.TraceProcess(pid=pid, boot_id=BOOT, seconds=3600.0))


async def test_a_trace_does_not_end_because_somebody_sets_the_clock(
    shop: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid, clock = int(await gen_server.start(Desk, name="front")), time.time
    async with shop.client() as client:
        await client.request(methods.TRACE_PROCESS, m.TraceProcess(pid=pid, boot_id=BOOT, seconds=300.0))
        monkeypatch.setattr(time, "time", lambda: clock() + 86400.0)
        await call("front", Desk.login, "ann", "hunter2")
        trace = (await view(client, "front")).trace
    assert trace is not None
    assert [one.kind for one in trace.events] == ["in", "out"]


async def test_a_trace_ends_by_itself(shop: Node) -> None:
    pid = int(await gen_server.start(Desk, name="front"))
    methods_before = shop.runtime.processes[process_info(pid).pid].methods  # type: ignore[attr-defined]  # a server's
    async with shop.client() as client:
        await client.request(methods.TRACE_PROCESS, m.TraceProcess(pid=pid, boot_id=BOOT, seconds=0.01))
        process: Any = shop.runtime.processes[process_info(pid).pid]
        await eventually(lambda: process.methods is methods_before, what="the end of the trace")


async def test_a_suspend_by_an_operator_is_shown_and_ended_by_another(shop: Node) -> None:
    pid = int(process_info("till").pid)
    async with shop.client() as client:
        await client.request(methods.SUSPEND_PROCESS, m.SuspendProcess(pid=pid, boot_id=BOOT, seconds=600.0))
        held = await view(client, "till")
        assert (held.process.status, held.suspended_by) == ("suspended", ("an operator",))
        await client.request(methods.RESUME_PROCESS, m.ProcessTarget(pid=pid, boot_id=BOOT))
        assert (await view(client, "till")).process.status == "idle"
        with pytest.raises(Refused, match="No operator has suspended till"):
            await client.request(methods.RESUME_PROCESS, m.ProcessTarget(pid=pid, boot_id=BOOT))
        with pytest.raises(Refused, match="at most 3600 s"):
            await client.request(methods.SUSPEND_PROCESS, m.SuspendProcess(pid=pid, boot_id=BOOT, seconds=-1.0))


@pytest.mark.parametrize(
    ("method", "params"),
    [
        (methods.LOG_PROCESS, m.LogProcess(pid=1, boot_id=BOOT)),
        (methods.TRACE_PROCESS, m.TraceProcess(pid=1, boot_id=BOOT)),
        (methods.SUSPEND_PROCESS, m.SuspendProcess(pid=1, boot_id=BOOT)),
        (methods.RESUME_PROCESS, m.ProcessTarget(pid=1, boot_id=BOOT)),
    ],
)
async def test_a_viewer_only_looks(shop: Node, method: Any, params: Any) -> None:
    async with shop.client("viewer") as client:
        with pytest.raises(Refused) as refused:
            await client.request(method, params)
    assert refused.value.code == ExitCode.NOT_ALLOWED


async def test_an_ended_process_is_refused_with_its_reason(shop: Node) -> None:
    pid = await gen_server.start(Desk)
    exit(pid, "kill")
    async with shop.client() as client:
        with pytest.raises(Refused, match=f"<{int(pid)}> has ended: killed"):
            await client.request(methods.PROCESS, m.InspectProcess(pid=int(pid)))


async def test_lists_of_very_many_are_cut(shop: Node) -> None:
    pid = await gen_server.start(Desk, name="front")

    async def watcher() -> None:
        monitor("front")
        await asyncio.Event().wait()

    watchers = [spawn(watcher) for _ in range(60)]
    for number in range(30):
        send(pid, {"note": "x" * 5000, "number": number})
    cast("front", Desk.rest, 200)
    await eventually(lambda: all(process_info(one).monitors for one in watchers))
    async with shop.client("viewer") as client:
        seen = await view(client, "front")
    assert (len(seen.monitored_by), seen.monitored_by_count) == (50, 60)
    assert len(seen.mail) <= 10
    assert len(seen.stack) == 60
