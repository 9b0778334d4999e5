"""The release handler: permitted operations, the permanent release, and the history."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING

import msgspec
import pytest

from node_runtime import call_within, gen_server, process_info
from node_runtime.code import Source
from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.releases.operation_history import OperationHistory
from node_runtime.releases.release_handler import ReleaseHandler
from node_runtime.releases.store import commit_record
from tests.support.projects.release_statuses import statuses
from tests.support.projects.small_shop import COUNTER, COUNTER_2, LOAD_COUNTER
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]


def write_two(small: SmallNode, *, probation: str = "deadline = 0") -> ReleaseHandler:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER, probation=probation)
    return small.boot()


async def test_a_release_is_current_until_it_is_committed_and_then_permanent(small: SmallNode) -> None:
    handler = write_two(small)
    assert statuses(handler) == {"1": "permanent", "2": "unpacked"}
    assert [(one.vsn, one.up, one.down) for one in handler.releases()] == [("1", False, False), ("2", True, False)]

    await small.install("2")
    assert statuses(handler) == {"1": "permanent", "2": "current"}
    assert [(one.vsn, one.up, one.down) for one in handler.releases()] == [("1", False, True), ("2", False, False)]
    on_disk = commit_record.load(small.root)
    assert on_disk is not None
    assert on_disk.permanent == "1"

    committed = await handler.commit(m.Commit(reason="it is good"), "ann")
    assert (committed.kind, committed.outcome, committed.from_vsn, committed.to_vsn) == (
        "commit",
        "committed",
        "1",
        "2",
    )
    assert statuses(handler) == {"1": "old", "2": "permanent"}
    assert handler.operation(committed.id) == committed
    with pytest.raises(Refused, match="already permanent"):
        await handler.commit(m.Commit(), "ann")
    with pytest.raises(Refused, match="nothing to roll back"):
        handler.rollback(m.Rollback(), "ann")


async def test_an_operation_that_cannot_start_is_refused_in_one_sentence_and_changes_nothing(small: SmallNode) -> None:
    handler = write_two(small)
    small.write("3", {"shop.counter": COUNTER_2})
    handler = ReleaseHandler(small.root, "1", small.code)
    with pytest.raises(Refused, match=r"no release 9 on this node; known releases: 1, 2, 3\."):
        await handler.plan("9")
    with pytest.raises(Refused, match="no release 9"):
        handler.install(m.Install(vsn="9"), "ann")
    with pytest.raises(Refused, match="Release 1 is already current"):
        handler.install(m.Install(vsn="1"), "ann")
    with pytest.raises(Refused, match=r"There is no path from 1 to 3: .*Releases reachable from 1: 2\."):
        handler.install(m.Install(vsn="3"), "ann")
    with pytest.raises(Refused, match="Going from 1 to 2 is an upgrade: use upgrade"):
        handler.install(m.Install(vsn="2", direction="down"), "ann")
    with pytest.raises(Refused, match="plan is stale") as stale:
        handler.install(m.Install(vsn="2", plan_id="0" * 64), "ann")
    assert stale.value.code is ExitCode.REFUSED
    with pytest.raises(Refused, match="no operation"):
        handler.operation()
    assert (handler.vsn, handler.generation, handler.operations()) == ("1", 1, ())


async def test_a_plan_without_a_path_has_a_blocker_and_one_for_the_current_release_nothing_to_do(
    small: SmallNode,
) -> None:
    handler = write_two(small)
    assert (await handler.plan("1")).nothing_to_do
    small.write("3", {"shop.counter": COUNTER_2})
    handler = ReleaseHandler(small.root, "1", small.code)
    blocker = (await handler.plan("3")).blockers[0]
    assert "no path from 1 to 3" in blocker.reason
    assert "releases reachable from 1: 2" in blocker.remedy
    assert not blocker.transient


async def test_a_plan_is_stale_once_the_node_has_changed(small: SmallNode) -> None:
    handler = write_two(small)
    plan = await handler.plan("2")
    assert plan.id == (await handler.plan("2")).id
    await small.install("2")
    await small.roll_back()
    with pytest.raises(Refused, match="plan is stale"):
        handler.install(m.Install(vsn="2", plan_id=plan.id), "ann")


async def test_a_second_operation_is_refused_and_names_the_first(small: SmallNode) -> None:
    handler = write_two(small)
    first = handler.install(m.Install(vsn="2"), "ann")
    with pytest.raises(Refused, match=rf"ann is installing release 2 \(operation {first}, begun\)") as refused:
        handler.install(m.Install(vsn="2"), "bob")
    assert refused.value.operation == first
    with pytest.raises(Refused, match="ann is installing release 2"):
        await handler.remove("2")
    assert (await small.ended(first)).outcome == "installed"


async def test_every_phase_is_reported_and_the_outcome_is_last(small: SmallNode) -> None:
    write_two(small)
    operation = await small.install("2", reason="to try")
    assert [one.phase for one in small.reports] == ["preparing", "rehearsing", "installed"]
    assert small.reports[-1] == operation
    assert (operation.who, operation.reason) == ("ann", "to try")
    assert all(step.seconds is not None for step in operation.steps)


async def test_remove_refuses_needed_releases_and_deletes_others(small: SmallNode) -> None:
    handler = write_two(small)
    await small.install("2")
    with pytest.raises(Refused, match="2 is current"):
        await handler.remove("2")
    with pytest.raises(Refused, match="1 is permanent"):
        await handler.remove("1")
    await small.roll_back()
    await handler.remove("2")
    assert statuses(handler) == {"1": "permanent"}
    assert not (small.root / "releases/2").exists()
    assert (small.root / "lib/shop-2").exists()  # loaded code may still read its files
    await small.reboot()
    assert not (small.root / "lib/shop-2").exists()
    assert (small.root / "lib/shop-1").exists()


async def test_a_damaged_release_is_marked_and_cannot_be_installed_or_committed(small: SmallNode) -> None:
    handler = write_two(small)
    file = small.root / "lib/shop-2/src/shop/counter.py"
    whole = file.read_text()
    file.write_text("broken(")
    sentence = "Release 2 is damaged: lib/shop-2/src/shop/counter.py differs from the build; stage its tarball again."
    await eventually(lambda: handler.releases()[1].damaged == sentence, what="the verification in another thread")
    assert (handler.releases()[1].vsn, handler.releases()[1].status) == ("2", "unpacked")
    blocker = (await handler.plan("2")).blockers[0]
    assert (f"{blocker.reason}; {blocker.remedy}.") == sentence
    aborted = await small.install("2")
    assert (aborted.outcome, aborted.error) == ("aborted", sentence)

    file.write_text(whole)
    assert (await handler.plan("2")).blockers == ()
    assert [release.damaged for release in handler.releases()] == [None, None]
    await small.install("2")
    (small.root / "releases/2/manifest.json").write_text("{")
    with pytest.raises(Refused, match=r"manifest\.json is damaged"):
        await handler.commit(m.Commit(), "ann")
    assert statuses(handler) == {"1": "permanent", "2": "current"}
    assert (await small.roll_back()).outcome == "reverted"


async def test_a_plan_leads_over_a_release_whose_files_are_back(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER)
    small.write("3", {"shop.counter": COUNTER_2 + "LAST = 3\n"}, LOAD_COUNTER.replace('"1"', '"2"'))
    handler = small.boot()
    source = small.root / "lib/shop-2/src/shop/counter.py"
    aside = source.rename(source.with_suffix(".aside"))
    await eventually(lambda: handler.releases()[1].damaged is not None, what="the verification in another thread")
    assert (await handler.plan("3")).hops == ()
    aside.rename(source)
    assert (await handler.plan("3")).hops == ("2", "3")


async def test_a_release_whose_manifest_is_damaged_can_be_removed(small: SmallNode) -> None:
    handler = write_two(small)
    (small.root / "releases/2/manifest.json").write_text("{")
    assert "damaged" in str(handler.releases()[1].damaged)
    await handler.remove("2")
    assert statuses(handler) == {"1": "permanent"}
    assert not (small.root / "lib/shop-2").exists()


async def test_an_uncommitted_release_is_rolled_back_at_its_deadline(small: SmallNode) -> None:
    handler = write_two(small, probation="deadline = 0.05")
    await small.install("2")
    (installed,) = [one for one in small.reports if one.outcome == "installed"]
    assert installed.probation_until is not None
    await eventually(lambda: handler.vsn == "1", what="the way back")
    await eventually(lambda: handler.operation().ended is not None)
    reverted = handler.operation()
    assert (reverted.kind, reverted.outcome, reverted.who) == ("revert", "reverted", "probation")
    assert statuses(handler) == {"1": "permanent", "2": "unpacked"}


async def test_a_commit_ends_the_probation(small: SmallNode) -> None:
    handler = write_two(small, probation="deadline = 3600")
    await small.install("2")
    assert handler.releases()[1].probation_until is not None
    await handler.commit(m.Commit(), "ann")
    assert handler.releases()[1].probation_until is None


async def test_the_history_survives_and_has_operations_that_killed_the_node(small: SmallNode) -> None:
    write_two(small)
    done = await small.install("2")
    history = small.root / "var" / "history"
    lost = m.Operation(id="lost", kind="install", from_vsn="2", to_vsn="3", who="bob", started=1.0, phase="begun")
    OperationHistory(history, "1").begin(lost)

    booted = ReleaseHandler(small.root, "1", small.code)

    assert [one.id for one in booted.operations()] == [done.id, "lost"]
    assert [one.outcome for one in booted.operations()] == ["restarted", "restarted"]
    assert booted.operation(done.id).results == done.results
    assert booted.operation(done.id).error == "The node was restarted. Its permanent release, 1, booted."
    assert booted.operation().error == "The node ended during this operation. Its permanent release, 1, booted."
    assert [one.id for one in ReleaseHandler(small.root, "1", small.code).operations(1)] == ["lost"]


async def test_an_intent_that_a_power_cut_brings_back_is_no_second_operation(small: SmallNode) -> None:
    write_two(small)
    done = await small.install("2")
    begun = msgspec.structs.replace(done, phase="begun", outcome=None, ended=None)
    OperationHistory(small.root / "var" / "history", "1").begin(begun)

    for _ in range(2):
        (told,) = ReleaseHandler(small.root, "1", small.code).operations()
        assert (told.id, told.results) == (done.id, done.results)


async def test_of_many_processes_some_are_listed_and_all_are_counted(small: SmallNode) -> None:
    write_two(small)
    cls = importlib.import_module("shop.counter").Counter
    for _ in range(120):
        await gen_server.start(cls)
    operation = await small.install("2")
    assert (operation.touched, len(operation.results)) == (120, 100)


async def test_a_line_cut_by_a_crash_loses_no_other_line(small: SmallNode) -> None:
    write_two(small)
    first = await small.install("2")
    with (small.root / "var/history/operations.jsonl").open("a") as lines:
        lines.write('{"id": "cut')
    small.handler = ReleaseHandler(small.root, "1", small.code)
    small.handler.subscribe(small.reports.append)
    second = await small.install("2")
    booted = ReleaseHandler(small.root, "1", small.code)
    assert [one.id for one in booted.operations()] == [first.id, second.id]


async def test_a_history_that_is_too_large_loses_the_oldest_results(small: SmallNode) -> None:
    write_two(small)
    history = OperationHistory(small.root / "var" / "history", "1")
    large = m.ProcessResult(
        pid=1, name=None, module="shop.counter", action="load", old_vsn="1", new_vsn="2", outcome="ok", seconds=0.0,
        before=m.Term(type="str", text="x" * 1_000_000), after=m.Term(type="str", text="y"),
    )  # fmt: skip
    for number in range(20):
        history.end(
            m.Operation(
                id=str(number), kind="install", from_vsn="1", to_vsn="2", who="ann", started=0.0, phase="installed",
                ended=1.0, outcome="aborted", results=(large,),
            )
        )  # fmt: skip
    assert len(history.operations) == 20
    assert [bool(one.results) for one in history.operations] == [False] * 12 + [True] * 8
    assert (small.root / "var/history/operations.jsonl").stat().st_size < 20 << 20
    assert OperationHistory(small.root / "var" / "history", "1").operations == history.operations


async def test_a_probation_ends_in_the_history_too(small: SmallNode) -> None:
    handler = write_two(small, probation="deadline = 3600")
    reverted = await small.install("2")
    assert reverted.probation_until is not None
    await small.roll_back()
    committed = await small.install("2")
    await handler.commit(m.Commit(), "ann")
    for operation in (reverted, committed):
        over = handler.operation(operation.id)
        assert (over.outcome, over.phase, over.probation_until) == ("installed", "installed", None)
    kinds = [one.kind for one in handler.operations()]
    assert kinds == ["install", "revert", "install", "commit"]
    assert ReleaseHandler(small.root, "2", small.code).operations() == handler.operations()


async def test_a_later_install_ends_the_probation_of_the_earlier(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER, probation="deadline = 3600")
    small.write("3", {"shop.counter": COUNTER}, LOAD_COUNTER.replace('"1"', '"2"'), probation="deadline = 3600")
    handler = small.boot()
    first = await small.install("2")
    assert first.probation_until is not None
    assert (await small.install("3")).probation_until is not None
    assert handler.operation(first.id).probation_until is None


async def test_a_release_on_probation_that_the_node_did_not_survive_was_restarted(small: SmallNode) -> None:
    write_two(small, probation="deadline = 3600")
    lost = await small.install("2")
    booted = ReleaseHandler(small.root, "1", small.code).operation(lost.id)
    assert (booted.outcome, booted.probation_until, booted.results) == ("restarted", None, lost.results)
    assert booted.error == "The node was restarted. Its permanent release, 1, booted."
    assert ReleaseHandler(small.root, "1", small.code).operations() == (booted,)


async def test_other_third_party_code_needs_a_restart(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER}, path=("lib/jinja2-3.1.5",))
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER, path=("lib/jinja2-3.1.6",))
    handler = small.boot()
    assert "other third-party code: jinja2-3.1.6" in (await handler.plan("2")).blockers[0].reason
    aborted = await small.install("2")
    assert aborted.outcome == "aborted"
    assert aborted.error is not None
    assert "restart" in aborted.error


async def test_code_that_does_not_load_is_found_before_anything_changes(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2 + "\nimport no_such_module"}, LOAD_COUNTER)
    handler = small.boot()
    blocker = (await handler.plan("2")).blockers[0]
    assert "shop.counter can't be loaded: ModuleNotFoundError" in blocker.reason
    assert not blocker.transient
    assert (await small.install("2")).outcome == "aborted"
    assert small.code.versions("shop.counter") == (None, None)


async def test_a_name_that_others_import_must_not_disappear(small: SmallNode) -> None:
    user = "from shop.counter import Counter, version_name\n"
    small.write("1", {"shop.counter": COUNTER + "\nversion_name = 1", "shop.user": user})
    small.write("2", {"shop.counter": COUNTER_2, "shop.user": user}, LOAD_COUNTER)
    handler = small.boot()
    importlib.import_module("shop.user")
    blocker = (await handler.plan("2")).blockers[0]
    assert "shop.counter.version_name" in blocker.reason
    assert "shop.user" in blocker.reason


async def test_an_install_waits_for_a_process_that_runs_an_old_version(small: SmallNode) -> None:
    handler = write_two(small)
    await small.install("2")
    counter = importlib.import_module("shop.counter").Counter
    await gen_server.start(counter, name="counter")
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asking = asyncio.create_task(call_within(None, "counter", counter.wait, gate))
    del counter  # classes defined in the test count, too
    await eventually(lambda: process_info("counter").status == "running")
    third = small.root / "third.py"
    third.write_text(COUNTER.replace('"c1"', '"c3"'))
    small.code.prepare([Source("shop.counter", str(third), "shop", "third")]).commit()

    blockers = (await handler.plan("1")).blockers
    assert [one.transient for one in blockers] == [True]
    assert "shop.counter still has an old version" in blockers[0].reason
    operation = handler.install(m.Install(vsn="1", wait=120.0), "ann")
    await eventually(lambda: handler.operation(operation).phase == "waiting")
    gate.set_result(None)
    ended = await small.ended(operation)
    assert ended.error is None
    assert ended.outcome == "installed"
    assert await asking == "c2"
