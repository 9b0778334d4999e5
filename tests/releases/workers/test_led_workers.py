"""Worker 1 leads the others: what it does when one of them fails, ends, or is in trouble. The test plays worker 2."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from node_runtime import runtime
from node_runtime.protocol import messages as m
from node_runtime.releases.release_handler import ReleaseHandler
from node_runtime.releases.workers import At, Bad, Done, Go, LedWorkers, WorkerMessage
from node_runtime.releases.workers.led_workers import ParentRequests
from node_runtime.releases.workers.messages import WorkerEnded
from tests.support.projects.small_shop import COUNTER, COUNTER_2, LOAD_COUNTER
from tests.support.waiting import eventually, passed

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]


class SecondWorker:
    """Worker 2 of a node, played by the test: it gets the orders of worker 1, and answers what the test says."""

    def __init__(self, handler: ReleaseHandler) -> None:
        self.orders: list[Go] = []
        self.restarts: list[int] = []
        self.workers = LedWorkers(2, ParentRequests(self.receive, self.restarts.append, lambda vsn: None))
        handler.lead(self.workers)

    def receive(self, number: int, message: WorkerMessage) -> None:
        if isinstance(message, Go):
            self.orders.append(message)

    def say(self, message: WorkerMessage) -> None:
        self.workers.receive(2, message)

    async def order(self, vsn: str) -> Go:
        """The newest order, as soon as it is to go to `vsn`."""
        await eventually(lambda: self.orders and self.orders[-1].vsn == vsn, what=f"the order to go to {vsn}")
        return self.orders[-1]

    async def obey(self, vsn: str) -> None:
        """Wait for the order to go to `vsn`, and say that it is done."""
        self.say(Done((await self.order(vsn)).id, vsn))


def boot(small: SmallNode, *, probation: str = "deadline = 0") -> tuple[ReleaseHandler, SecondWorker]:
    """A node with release 1, whose worker 2 is in the same release, and release 2."""
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER, probation=probation)
    handler = small.boot()
    second = SecondWorker(handler)
    second.say(At("1", 7))
    return handler, second


async def test_bad_health_in_another_worker_reverts_all(small: SmallNode) -> None:
    handler, second = boot(small)
    upgrade = handler.install(m.Install(vsn="2"), "ann")
    await second.obey("2")
    assert (await small.ended(upgrade)).outcome == "installed"
    second.say(Bad("4 errors logged (limit 3)"))
    await second.obey("1")
    await eventually(lambda: handler.operation().outcome == "reverted", what="the revert")
    assert handler.vsn == "1"
    assert handler.operation().reason == "worker 2: 4 errors logged (limit 3)"


async def test_trouble_while_a_worker_is_brought_into_the_release_reverts_afterwards(small: SmallNode) -> None:
    handler, second = boot(small)
    second.say(WorkerEnded("The node ended with exit code 1."))
    await small.install("2")
    second.say(At("1", 8))  # it had begun to boot before worker 1 changed
    await second.order("2")
    second.say(Bad("its health is bad"))
    await second.obey("2")
    await second.obey("1")
    await eventually(lambda: handler.operation().outcome == "reverted", what="the revert")
    assert handler.vsn == "1"


async def test_the_deadline_counts_from_the_moment_in_which_the_last_worker_has_followed(small: SmallNode) -> None:
    handler, second = boot(small, probation="deadline = 0.3")
    upgrade = handler.install(m.Install(vsn="2"), "ann")
    order, late = await second.order("2"), runtime().loop.time() + 0.4
    await eventually(lambda: passed(runtime(), late), what="a time after the deadline of worker 1")
    followed = time.time()
    second.say(Done(order.id, "2"))
    installed = await small.ended(upgrade)
    assert installed.probation_until is not None
    assert installed.probation_until > followed
    await second.obey("1")
    await eventually(lambda: handler.operation().outcome == "reverted", what="the revert")
    assert handler.operation().reason == "the release was not committed in time"


async def test_a_worker_that_ends_at_its_turn_takes_worker_1_back(small: SmallNode) -> None:
    handler, second = boot(small)
    upgrade = handler.install(m.Install(vsn="2"), "ann")
    await second.order("2")
    second.say(WorkerEnded("The node was ended by signal 9."))
    operation = await small.ended(upgrade)
    assert (operation.outcome, operation.error) == ("reverted", "worker 2: The node was ended by signal 9.")
    assert handler.vsn == "1"
    assert not second.restarts


async def test_a_worker_that_ends_on_the_way_back_boots_again_and_is_not_restarted(small: SmallNode) -> None:
    handler, second = boot(small)
    upgrade = handler.install(m.Install(vsn="2"), "ann")
    await second.obey("2")
    await small.ended(upgrade)
    way_back = handler.rollback(m.Rollback(), "ann")
    await second.order("1")
    second.say(WorkerEnded("The node was ended by signal 9."))
    operation = await small.ended(way_back)
    assert (operation.outcome, operation.error) == (
        "reverted",
        "worker 2 lost its states: The node was ended by signal 9.",
    )
    assert not second.restarts


async def test_a_worker_that_cannot_go_back_is_restarted(small: SmallNode) -> None:
    handler, second = boot(small)
    upgrade = handler.install(m.Install(vsn="2"), "ann")
    await second.obey("2")
    await small.ended(upgrade)
    way_back = handler.rollback(m.Rollback(), "ann")
    second.say(Done((await second.order("1")).id, "2", "its state has another form"))
    operation = await small.ended(way_back)
    assert (operation.outcome, operation.error) == (
        "reverted",
        "worker 2 lost its states: its state has another form",
    )
    assert second.restarts == [2]


async def test_a_worker_that_crashes_in_the_release_before_reverts_nothing(small: SmallNode) -> None:
    handler, second = boot(small)
    second.say(WorkerEnded("The node ended with exit code 1."))
    await small.install("2")
    second.say(WorkerEnded("The node ended with exit code 1."))  # it had begun to boot release 1
    assert (handler.vsn, handler.operation().outcome) == ("2", "installed")


async def test_a_worker_that_can_not_boot_the_new_release_reverts_it(small: SmallNode) -> None:
    handler, second = boot(small)
    second.say(WorkerEnded("The node ended with exit code 1."))
    await small.install("2")
    second.say(WorkerEnded("The node ended with exit code 1."))
    second.say(WorkerEnded("The node ended with exit code 1."))
    await eventually(lambda: handler.operation().outcome == "reverted", what="the revert")


async def test_a_worker_with_the_messages_of_another_runtime_is_restarted(small: SmallNode) -> None:
    _, second = boot(small)
    second.say(At("1", 8, "1", version=99))
    assert second.restarts == [2]
    (info,) = (one for one in second.workers.infos("n", "1", 1) if one.number == 2)
    assert "messages of version 99" in info.down


async def test_the_releases_that_workers_have_booted_are_known_until_they_end(small: SmallNode) -> None:
    _, second = boot(small)
    second.say(At("1", 8, "0"))
    assert second.workers.booted() == {"0"}
    second.say(WorkerEnded(""))
    assert second.workers.booted() == set()
