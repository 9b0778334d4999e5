"""Supervisors: order, restarts, intensity, shutdown, and the functions that manage children."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, ClassVar

import pytest

from node_runtime import (
    ChildSpec,
    Exit,
    GenServer,
    Ignore,
    NoProcess,
    Pid,
    Runtime,
    Stop,
    Supervisor,
    call,
    cast,
    exit,
    gen_server,
    is_alive,
    process_info,
    self_pid,
    supervisor,
    sys,
    trap_exit,
    until_ended,
    whereis,
)
from node_runtime.supervisor import ChildRefused, Counts, Flags
from tests.support.subclasses import subclass
from tests.support.waiting import eventually, passed

log: list[object] = []
fail: dict[str, int] = {}
"""The number of next starts of a child that fail."""


@pytest.fixture(autouse=True)
def _clean() -> None:
    log.clear()
    fail.clear()


class Worker(GenServer[str]):
    def init(self, name: str) -> str:
        trap_exit()
        log.append(("start", name))
        return name

    def stop(self, reason: object) -> None:
        raise Stop(reason)

    def terminate(self, reason: object) -> None:
        log.append(("stop", self.state))


async def start_worker(name: str) -> Pid:
    if fail.get(name):
        fail[name] -= 1
        log.append(("fail", name))
        raise ValueError(f"{name} does not start")
    return await gen_server.start_link(Worker, name, name=name)


async def start_nothing() -> Pid:
    raise Ignore


async def start_unlinked(name: str) -> Pid:
    return await gen_server.start(Worker, name, name=name)


def start_wrong() -> str:
    return "no pid"


async def poll() -> None:
    try:
        await asyncio.Event().wait()
    finally:
        log.append("poll ends")


async def stubborn() -> None:
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if not log:
                raise
            log.clear()


def worker(name: str, **kwargs: Any) -> ChildSpec:
    return ChildSpec(name, f"{__name__}:start_worker", (name,), **kwargs)


class Sup(Supervisor):
    intensity = 5

    def children(self, *specs: ChildSpec) -> list[ChildSpec]:
        return list(specs)


class AllSup(Sup):
    strategy = "one_for_all"


class RestSup(Sup):
    strategy = "rest_for_one"


class StrictSup(Sup):
    intensity = 0


async def crash(name: str) -> None:
    """Crash a worker and wait until its supervisor has handled it."""
    cast(name, Worker.stop, "trouble")
    await until_ended(name)
    await settled()


async def settled() -> None:
    await eventually(lambda: whereis("sup") is None or (
        process_info("sup").status == "idle" and not process_info("sup").mailbox
    ))  # fmt: skip


def ids(what: str) -> list[object]:
    return [entry[1] for entry in log if isinstance(entry, tuple) and entry[0] == what]


# ------------------------------------------------------------------ start and stop


async def test_children_start_in_order_and_stop_in_reverse(runtime: Runtime) -> None:
    pid = await supervisor.start_link(Sup, worker("a"), worker("b"), worker("c"), name="sup")
    assert ids("start") == ["a", "b", "c"]
    exit(pid, "shutdown")
    await until_ended(pid)
    assert ids("stop") == ["c", "b", "a"]


async def test_a_child_that_fails_to_start_stops_those_before_it(runtime: Runtime) -> None:
    fail["b"] = 1
    with pytest.raises(Exit) as error:
        await supervisor.start_link(Sup, worker("a"), worker("b"), worker("c"), name="sup")
    match error.value.reason:
        case ("shutdown", ("failed_to_start_child", "b", ValueError())):
            pass
        case other:
            pytest.fail(f"{other!r}")
    assert log == [("start", "a"), ("fail", "b"), ("stop", "a")]
    assert whereis("sup") is None


async def test_a_child_that_ignores_is_kept_without_a_process(runtime: Runtime) -> None:
    nothing = ChildSpec("nothing", f"{__name__}:start_nothing")
    fleeting = ChildSpec("fleeting", f"{__name__}:start_nothing", restart="temporary")
    await supervisor.start_link(Sup, nothing, fleeting, name="sup")
    assert [(child.id, child.pid, child.status) for child in supervisor.which_children("sup")] == [
        ("nothing", None, "undefined")
    ]


async def test_two_children_with_one_id_are_refused(runtime: Runtime) -> None:
    with pytest.raises(Exit, match="two children have the id 'a'"):
        await supervisor.start_link(Sup, worker("a"), worker("a"))


async def test_a_start_function_returns_a_pid(runtime: Runtime) -> None:
    with pytest.raises(Exit, match="must return the pid"):
        await supervisor.start_link(Sup, ChildSpec("wrong", f"{__name__}:start_wrong"))


async def test_a_child_that_did_not_link_itself_is_linked(runtime: Runtime) -> None:
    await supervisor.start_link(Sup, ChildSpec("a", f"{__name__}:start_unlinked", ("a",)), name="sup")
    first = whereis("a")
    await crash("a")
    assert whereis("a") not in (None, first)


async def test_a_plain_asyncio_function_is_supervised_as_it_is(runtime: Runtime) -> None:
    await supervisor.start_link(Sup, ChildSpec("poll", f"{__name__}:poll", type="task"), name="sup")
    (child,) = supervisor.which_children("sup")
    assert child.pid is not None
    info = process_info(child.pid)
    assert (info.kind, info.module, info.qualname) == ("task", __name__, "poll")
    await eventually(lambda: process_info(child.pid or 0).awaiting)
    await supervisor.terminate_child("sup", "poll")
    assert log == ["poll ends"]


async def test_a_child_that_does_not_shut_down_in_time_is_killed(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    log.append("survive the first cancel")
    spec = ChildSpec("stubborn", f"{__name__}:stubborn", type="task", shutdown=0.01)
    await supervisor.start_link(Sup, spec, name="sup")
    (child,) = supervisor.which_children("sup")
    await eventually(lambda: process_info(child.pid or 0).awaiting)
    await supervisor.terminate_child("sup", "stubborn")
    assert child.pid is not None
    assert not is_alive(child.pid)
    assert "did not shut down in time and was killed" in caplog.text


async def test_brutal_kill_runs_no_terminate(runtime: Runtime) -> None:
    await supervisor.start_link(Sup, worker("a", shutdown="brutal_kill"), name="sup")
    await supervisor.terminate_child("sup", "a")
    assert ids("stop") == []


async def test_a_supervisor_ends_with_its_parent(runtime: Runtime) -> None:
    inner = ChildSpec("inner", f"{__name__}:start_inner", type="supervisor")
    pid = await supervisor.start_link(Sup, inner, name="outer")
    assert inner.shutdown == "infinity"
    exit(pid, "shutdown")
    await until_ended(pid)
    assert whereis("sup") is None
    assert ids("stop") == ["x"]


async def start_inner() -> Pid:
    return await supervisor.start_link(Sup, worker("x"), name="sup")


# ------------------------------------------------------------------ restarts


async def test_one_for_one_restarts_the_one(runtime: Runtime) -> None:
    await supervisor.start_link(Sup, worker("a"), worker("b"), worker("c"), name="sup")
    before = [whereis(name) for name in "abc"]
    await crash("b")
    after = [whereis(name) for name in "abc"]
    assert [x == y for x, y in zip(before, after, strict=True)] == [True, False, True]
    assert [child.restarts for child in supervisor.which_children("sup")] == [0, 1, 0]


async def test_one_for_all_restarts_all_in_order(runtime: Runtime) -> None:
    await supervisor.start_link(AllSup, worker("a"), worker("b"), worker("c"), name="sup")
    log.clear()
    await crash("b")
    assert ids("stop") == ["b", "c", "a"]
    assert ids("start") == ["a", "b", "c"]


async def test_rest_for_one_restarts_it_and_those_after_it(runtime: Runtime) -> None:
    await supervisor.start_link(RestSup, worker("a"), worker("b"), worker("c"), name="sup")
    log.clear()
    await crash("b")
    assert ids("stop") == ["b", "c"]
    assert ids("start") == ["b", "c"]


async def test_a_temporary_sibling_is_stopped_and_forgotten_by_one_for_all(runtime: Runtime) -> None:
    await supervisor.start_link(AllSup, worker("a"), worker("b", restart="temporary"), name="sup")
    await crash("a")
    assert [child.id for child in supervisor.which_children("sup")] == ["a"]


@pytest.mark.parametrize(
    ("restart", "reason", "again"),
    [
        ("permanent", "normal", True),
        ("permanent", "trouble", True),
        ("transient", "normal", False),
        ("transient", "shutdown", False),
        ("transient", ("shutdown", "why"), False),
        ("transient", "trouble", True),
        ("temporary", "trouble", False),
    ],
)
async def test_restart_type_and_exit_reason_decide_on_a_restart(
    runtime: Runtime, restart: Any, reason: object, again: bool
) -> None:
    await supervisor.start_link(Sup, worker("a", restart=restart), name="sup")
    cast("a", Worker.stop, reason)
    await until_ended("a")
    await settled()
    assert (whereis("a") is not None) is again
    assert len(supervisor.which_children("sup")) == (0 if restart == "temporary" else 1)


async def test_more_restarts_than_allowed_end_the_supervisor_and_its_children(runtime: Runtime) -> None:
    pid = await supervisor.start_link(StrictSup, worker("a"), worker("b"), name="sup")
    cast("a", Worker.stop, "trouble")
    assert await until_ended(pid) == "shutdown"
    assert whereis("b") is None


async def test_old_restarts_do_not_count(runtime: Runtime) -> None:
    class Short(Sup):
        intensity: ClassVar[int] = 1
        period: ClassVar[float] = 0.001

    pid = await supervisor.start_link(Short, worker("a"), name="sup")
    for _ in range(4):
        await crash("a")
        later = runtime.loop.time() + 0.002
        await eventually(partial(passed, runtime, later))
    assert is_alive(pid)


async def test_a_restart_that_fails_is_tried_again_within_the_intensity(runtime: Runtime) -> None:
    await supervisor.start_link(Sup, worker("a"), name="sup")
    fail["a"] = 3
    cast("a", Worker.stop, "trouble")
    await eventually(lambda: fail["a"] == 0 and whereis("a") is not None)
    assert supervisor.which_children("sup")[0].restarts == 4


async def test_a_restart_that_never_succeeds_ends_the_supervisor(runtime: Runtime) -> None:
    pid = await supervisor.start_link(Sup, worker("a"), name="sup")
    fail["a"] = 1000
    cast("a", Worker.stop, "trouble")
    assert await until_ended(pid) == "shutdown"
    assert fail["a"] == 995


async def test_when_one_for_all_fails_half_way_all_are_stopped_before_the_next_attempt(runtime: Runtime) -> None:
    await supervisor.start_link(AllSup, worker("a"), worker("b"), name="sup")
    log.clear()
    fail["b"] = 1
    cast("a", Worker.stop, "trouble")
    await eventually(lambda: ids("start") == ["a", "a", "b"])
    assert log == [
        ("stop", "a"),
        ("stop", "b"),
        ("start", "a"),
        ("fail", "b"),
        ("stop", "a"),
        ("start", "a"),
        ("start", "b"),
    ]


# ------------------------------------------------------------------ management


async def test_which_children_returns_order_pids_and_types(runtime: Runtime) -> None:
    task = ChildSpec("poll", f"{__name__}:poll", type="task")
    await supervisor.start_link(Sup, worker("a"), task, name="sup")
    first, second = supervisor.which_children("sup")
    assert (first.id, first.pid, first.status, first.type) == ("a", whereis("a"), "running", "worker")
    assert (second.id, second.status, second.type, second.modules) == ("poll", "running", "task", (__name__,))
    assert supervisor.count_children("sup") == Counts(specs=2, active=2, supervisors=0, workers=2)
    assert supervisor.flags("sup") == Flags("one_for_one", 5, 5.0)
    assert supervisor.get_childspec("sup", "poll") == task


async def test_which_children_answers_while_the_supervisor_is_suspended(runtime: Runtime) -> None:
    await supervisor.start_link(Sup, worker("a"), name="sup")
    await sys.suspend("sup")
    assert [child.id for child in supervisor.which_children("sup")] == ["a"]


async def test_a_child_can_be_added(runtime: Runtime) -> None:
    await supervisor.start_link(Sup, worker("a"), name="sup")
    assert await supervisor.start_child("sup", worker("b")) == whereis("b")
    assert [child.id for child in supervisor.which_children("sup")] == ["a", "b"]
    assert await supervisor.start_child("sup", ChildSpec("nothing", f"{__name__}:start_nothing")) is None


async def test_a_child_is_added_once(runtime: Runtime) -> None:
    await supervisor.start_link(Sup, worker("a"), name="sup")
    with pytest.raises(ChildRefused) as refused:
        await supervisor.start_child("sup", worker("a"))
    assert (refused.value.reason, refused.value.pid) == ("already_started", whereis("a"))
    await supervisor.terminate_child("sup", "a")
    with pytest.raises(ChildRefused) as refused:
        await supervisor.start_child("sup", worker("a"))
    assert refused.value.reason == "already_present"


async def test_a_child_that_does_not_start_is_not_added(runtime: Runtime) -> None:
    await supervisor.start_link(Sup, name="sup")
    fail["a"] = 1
    with pytest.raises(ChildRefused, match="a does not start") as refused:
        await supervisor.start_child("sup", worker("a"))
    assert refused.value.reason == "start_failed"
    assert supervisor.which_children("sup") == []


async def test_a_terminated_child_can_be_restarted_or_deleted(runtime: Runtime) -> None:
    await supervisor.start_link(Sup, worker("a"), name="sup")
    for action in (supervisor.restart_child, supervisor.delete_child):
        with pytest.raises(ChildRefused) as refused:
            await action("sup", "a")
        assert refused.value.reason == "running"
    await supervisor.terminate_child("sup", "a")
    await supervisor.terminate_child("sup", "a")
    assert whereis("a") is None
    assert await supervisor.restart_child("sup", "a") == whereis("a")
    await supervisor.terminate_child("sup", "a")
    await supervisor.delete_child("sup", "a")
    assert supervisor.which_children("sup") == []


async def test_a_restart_by_hand_that_fails_keeps_the_specification(runtime: Runtime) -> None:
    await supervisor.start_link(Sup, worker("a"), name="sup")
    await supervisor.terminate_child("sup", "a")
    fail["a"] = 1
    with pytest.raises(ChildRefused) as refused:
        await supervisor.restart_child("sup", "a")
    assert refused.value.reason == "start_failed"
    assert supervisor.which_children("sup")[0].status == "undefined"


async def test_an_unknown_child_is_not_found(runtime: Runtime) -> None:
    await supervisor.start_link(Sup, name="sup")
    for action in (supervisor.restart_child, supervisor.delete_child, supervisor.terminate_child):
        with pytest.raises(ChildRefused, match="has no child 'a'") as refused:
            await action("sup", "a")
        assert refused.value.reason == "not_found"


async def test_a_terminated_temporary_child_is_forgotten(runtime: Runtime) -> None:
    await supervisor.start_link(Sup, worker("a", restart="temporary"), name="sup")
    await supervisor.terminate_child("sup", "a")
    assert supervisor.which_children("sup") == []


async def test_functions_of_supervisor_take_supervisors_only(runtime: Runtime) -> None:
    await gen_server.start(Worker, "a", name="a")
    with pytest.raises(Exit, match="is not a supervisor"):
        await supervisor.terminate_child("a", "b")
    with pytest.raises(NoProcess):
        supervisor.which_children("nobody")


async def test_children_cannot_be_called_as_a_request(runtime: Runtime) -> None:
    await supervisor.start_link(Sup, worker("a"), name="sup")
    with pytest.raises(Exit, match="has no public method 'children'"):
        await call("sup", Sup.children)


async def test_start_functions_run_as_the_supervisor(runtime: Runtime) -> None:
    await supervisor.start_link(Sup, ChildSpec("who", f"{__name__}:start_who"), name="sup")
    assert log[0] == whereis("sup")


async def start_who() -> Pid:
    log.append(self_pid())
    return await gen_server.start_link(Worker, "who")


@pytest.mark.parametrize(
    ("kwargs", "sentence"),
    [
        ({"start": "nowhere"}, "write it as"),
        ({"start": "a:b", "restart": "always"}, "restart is 'always'"),
        ({"start": "a:b", "shutdown": "soon"}, "shutdown is 'soon'"),
        ({"start": "a:b", "shutdown": -1}, "can't be negative"),
        ({"start": "a:b", "type": "thing"}, "type is 'thing'"),
    ],
)
def test_an_invalid_child_specification_is_refused_with_the_reason(kwargs: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"child 'x'.*{sentence}"):
        ChildSpec("x", **kwargs)


@pytest.mark.parametrize(
    ("flag", "value", "sentence"),
    [
        ("strategy", "some", "strategy is 'some'"),
        ("intensity", -1, "can't be negative"),
        ("period", 0, "must be positive"),
    ],
)
async def test_invalid_flags_are_refused_with_the_reason(
    runtime: Runtime, flag: str, value: Any, sentence: str
) -> None:
    cls = subclass("Wrong", Sup, **{flag: value}, __module__=__name__)
    with pytest.raises(Exit, match=sentence):
        await supervisor.start_link(cls)
