"""A worker besides worker 1 carries out orders, and answers each. The test plays worker 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from node_runtime.releases.following_handler import FollowingReleaseHandler
from node_runtime.releases.operation_history import CLEAN_EXIT
from node_runtime.releases.store import commit_record
from node_runtime.releases.workers import At, Done, Go, Greeting, WorkerMessage, WorkerPlace
from tests.support.projects.small_shop import COUNTER, COUNTER_2, LOAD_COUNTER
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]


async def follow(small: SmallNode) -> tuple[FollowingReleaseHandler, list[WorkerMessage]]:
    """A worker 2 that has followed from release 1 to 2, and what it has said since."""
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER)
    small.boot()
    said: list[WorkerMessage] = []
    handler = FollowingReleaseHandler(small.root, "1", small.code, CLEAN_EXIT, WorkerPlace(2), said.append)
    small.handler = handler
    handler.receive(Go("a.2", "2", "ann", wait=60.0))
    await eventually(lambda: any(isinstance(one, Done) for one in said), what="the answer")
    return handler, said


async def test_the_last_thing_that_a_worker_says_of_an_order_is_its_answer(small: SmallNode) -> None:
    _, said = await follow(small)
    assert [type(one) for one in said] == [At, Done]
    assert said[-1] == Done("a.2", "2")


async def test_a_worker_learns_of_a_commit_also_if_worker_1_died_before_it_could_tell(small: SmallNode) -> None:
    handler, _ = await follow(small)
    known = commit_record.load(small.root)
    assert known is not None
    commit_record.save(small.root, known.with_permanent("2"))
    handler.receive(Greeting())
    assert handler.permanent == "2"
    assert [one.health for one in handler.releases() if one.vsn == "2"] == [None]


async def test_an_order_that_cannot_be_begun_is_answered(small: SmallNode) -> None:
    handler, said = await follow(small)
    (small.root / "releases/record.json").write_bytes(b"{")
    handler.receive(Go("b.2", "1", "ann"))
    answer = said[-1]
    assert isinstance(answer, Done)
    assert answer.id == "b.2"
    assert answer.error
