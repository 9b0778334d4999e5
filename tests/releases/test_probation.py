"""A release on probation: watched, rolled back automatically if it misbehaves, and remembered as failed."""

from __future__ import annotations

import asyncio
import errno
import importlib
import logging
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from node_runtime import application, gen_server, gen_statem, runtime, whereis
from node_runtime.behaviours.upgrade import live_processes
from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.private_files import sync_directory
from node_runtime.releases import probation
from node_runtime.releases.release_handler import ReleaseHandler
from node_runtime.releases.store import commit_record
from tests.support.projects.small_shop import (
    COUNTER,
    COUNTER_2,
    FAILING,
    LAMP,
    LAMP_2,
    LOAD_COUNTER,
    LOAD_LAMP,
    UPDATE_COUNTER,
)
from tests.support.waiting import begun, eventually

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

QUICK = "healthy = 0.1\nrestarts = 1\nerrors = 1\nlag = 30.0\n"

SUPERVISED = (
    COUNTER_2
    + """
    def fall(self):
        raise ValueError("and again")
"""
)

APP = """
from contextlib import suppress
from pathlib import Path
from node_runtime import Application, ChildSpec, Supervisor, supervisor

class Top(Supervisor):
    strategy, intensity, period = "one_for_one", 100, 60.0

    def children(self):
        return [ChildSpec("counter", start="shop.app:start_counter")]

async def start_counter():
    from node_runtime import gen_server
    from shop.counter import Counter
    return await gen_server.start_link(Counter, name="counter")

class Shop(Application):
    async def start(self, start_type, args):
        return await supervisor.start_link(Top, name="shop_sup")
"""

WITH_HEALTH = (
    APP
    + """
    async def health(self):
        said = Path("{word}").read_text()
        return {{"good": True, "bad": False, "unknown": None}}[said]
"""
)

BOTH = LOAD_COUNTER.replace('"shop.counter" }', '"shop.counter" }, { load_module = "shop.app" }')


async def two(small: SmallNode, limits: str = QUICK, word: Path | None = None) -> ReleaseHandler:
    """Release 1 runs; 2, whose counter can crash, is written. `word` is the file from which 2 reads its health."""
    small.write("1", {"shop.counter": COUNTER, "shop.app": APP}, mod="shop.app:Shop")
    newer = APP if word is None else WITH_HEALTH.format(word=word)
    modules = {"shop.counter": SUPERVISED, "shop.app": newer}
    small.write("2", modules, BOTH if word else LOAD_COUNTER, mod="shop.app:Shop", probation=limits)
    handler = small.boot()
    await application.start("shop")
    return handler


def health(handler: ReleaseHandler) -> m.Health:
    found = next(release.health for release in handler.releases() if release.vsn == handler.vsn)
    assert found is not None
    return found


async def reverted(handler: ReleaseHandler) -> m.Operation:
    await eventually(lambda: handler.operation().kind == "revert" and handler.operation().ended, what="the way back")
    return handler.operation()


async def test_health_is_good_when_nothing_has_gone_wrong_for_long_enough(small: SmallNode) -> None:
    handler = await two(small)
    heard: list[tuple[str, str]] = []
    handler.subscribe_health(lambda vsn, found: heard.append((vsn, found.verdict)))
    at_the_end: list[str] = []
    handler.subscribe(lambda operation: at_the_end.extend([health(handler).verdict] if operation.ended else []))
    await small.install("2")
    assert at_the_end == ["unknown"]
    await eventually(lambda: health(handler).verdict == "good")
    assert health(handler).finding == "no trouble for 0.1 s"
    assert heard[-1] == ("2", "good")
    await handler.commit(m.Commit(), "ann")
    assert [release.health for release in handler.releases()] == [None, None]


async def test_too_many_restarts_roll_it_back_with_the_current_states(small: SmallNode) -> None:
    handler = await two(small, QUICK.replace("errors = 1", "errors = 10"))  # each crash is logged as an error, too
    await small.install("2")
    counter = importlib.import_module("shop.counter").Counter
    for _ in range(2):
        with pytest.raises(Exception, match="and again"):
            await gen_server.call("counter", counter.fall)
        await eventually(lambda: whereis("counter") is not None)
    live_processes.raw_state("counter")["count"] = 12
    operation = await reverted(handler)
    assert (operation.outcome, operation.who, handler.vsn) == ("reverted", "probation", "1")
    assert operation.reason == "2 restarts of processes (limit 1)"
    assert live_processes.raw_state("counter") == {"count": 12}


@pytest.mark.parametrize("jump", [-3600.0, 86400.0])
async def test_the_shown_deadline_follows_a_clock_that_was_set(
    small: SmallNode, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    handler = await two(small, "deadline = 600.0")
    await small.install("2")
    before, clock = handler.releases()[1].probation_until, time.time
    assert before == handler.releases()[1].probation_until
    monkeypatch.setattr(time, "time", lambda: clock() + jump)
    after = handler.releases()[1].probation_until
    assert before is not None
    assert after == pytest.approx(before + jump, abs=30.0)
    assert (handler.vsn, handler.operation().kind) == ("2", "install")


async def test_errors_in_the_log_roll_it_back(small: SmallNode) -> None:
    handler = await two(small)
    await small.install("2")
    for _ in range(2):
        logging.getLogger("shop").error("no bread")
    assert (await reverted(handler)).reason == "2 errors logged (limit 1)"


def block() -> None:
    """Block the event loop, as a computation does."""
    time.sleep(0.15)


async def test_an_event_loop_that_is_repeatedly_late_rolls_it_back(small: SmallNode) -> None:
    handler = await two(small, QUICK.replace("lag = 30.0", "lag = 0.05"))
    await small.install("2")
    while handler.vsn == "2" and handler.operation().kind == "install":
        block()
        await asyncio.sleep(0)
    assert "s late (limit 0.05 s)" in str((await reverted(handler)).reason)


async def test_an_application_reports_its_health(small: SmallNode, tmp_path: Path) -> None:
    word = tmp_path / "word"
    handler = await two(small, QUICK, word)
    await small.install("2")
    await eventually(lambda: "the health of shop is unknown: FileNotFoundError" in health(handler).finding)
    word.write_text("unknown")
    await eventually(lambda: health(handler).finding == "the health of shop is unknown: its health check returned None")
    word.write_text("good")
    await eventually(lambda: health(handler).verdict == "good")
    word.write_text("bad")
    assert (await reverted(handler)).reason == "shop reports bad health"


async def test_a_failed_release_needs_an_option_to_be_tried_again_and_a_commit_clears_the_failure(
    small: SmallNode,
) -> None:
    handler = await two(small)
    await small.install("2")
    for _ in range(2):
        logging.getLogger("shop").error("no bread")
    await reverted(handler)
    assert handler.releases()[1].failed == "2 errors logged (limit 1)"
    with pytest.raises(
        Refused, match=r"Release 2 failed on this node before: 2 errors logged \(limit 1\)\. Pass --again"
    ) as refused:
        handler.install(m.Install(vsn="2"), "ann")
    assert "Release 2 failed on this node before" in (await handler.plan("2")).warnings[0]
    booted = ReleaseHandler(small.root, "1", small.code)
    assert booted.releases()[1].failed == "2 errors logged (limit 1)"
    assert (await small.install("2", again=True)).outcome == "installed"
    await handler.commit(m.Commit(), "ann")
    assert handler.releases()[1].failed is None
    assert refused.value.operation is None


async def test_a_reverted_install_marks_the_release_as_failed_but_an_operators_rollback_does_not(
    small: SmallNode,
) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": FAILING}, UPDATE_COUNTER)
    handler = small.boot()
    await gen_server.start(importlib.import_module("shop.counter").Counter, name="counter")
    live_processes.raw_state("counter")["count"] = 7
    assert (await small.install("2")).outcome == "put back"
    assert "seven is right out" in str(handler.releases()[1].failed)
    live_processes.raw_state("counter")["count"] = 1
    await small.install("2", again=True)
    await small.roll_back()
    assert "seven is right out" in str(handler.releases()[1].failed)
    await handler.remove("2")
    assert [release.failed for release in handler.releases()] == [None]


async def test_without_a_path_back_the_node_restarts_and_the_release_has_failed(small: SmallNode) -> None:
    only_up = LOAD_COUNTER.partition("[[down]]")[0]
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, only_up, probation="deadline = 0.05")
    handler = small.boot()
    halted: list[object] = []
    runtime().on_halt = halted.append
    await small.install("2")
    await eventually(lambda: halted)
    assert "the release was not committed in time, and the revert was refused" in str(halted[0])
    assert "the revert was refused" in str(handler.releases()[1].failed)


async def test_a_rollback_passes_several_releases_where_needed(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER)
    small.write("3", {"shop.counter": COUNTER}, LOAD_COUNTER.replace('"1"', '"2"'))
    handler = small.boot()
    with pytest.raises(
        Refused, match=r"3 is reachable via 1 -> 2 -> 3: install these one after the other; 'hotdash upgrade NODE 3"
    ):
        handler.install(m.Install(vsn="3"), "ann")
    await small.install("2")
    await small.install("3")
    operation = await small.roll_back()
    assert (operation.outcome, operation.from_vsn, operation.to_vsn) == ("reverted", "3", "1")
    assert (handler.vsn, {one.status for one in handler.releases()}) == ("1", {"permanent", "unpacked"})


async def test_a_rollback_that_stops_on_the_way_reports_where(small: SmallNode) -> None:
    refusing = FAILING.replace('state["count"] == 7', "type(old_vsn).__name__ == 'Down'")
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": refusing}, UPDATE_COUNTER)
    small.write("3", {"shop.counter": COUNTER}, LOAD_COUNTER.replace('"1"', '"2"'))
    handler = small.boot()
    await gen_server.start(importlib.import_module("shop.counter").Counter, name="counter")
    await small.install("2")
    await small.install("3")
    operation = await small.roll_back()
    assert (operation.outcome, handler.vsn) == ("partly reverted", "2")
    assert str(operation.error).startswith("Reverted only as far as release 2: ")


async def test_without_another_bootable_release_it_stays_until_one_is_repaired(
    small: SmallNode, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(probation, "RETRY_SECONDS", 0.05)
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER, probation="deadline = 0.05")
    handler = small.boot()
    halted: list[object] = []
    runtime().on_halt = halted.append
    source = small.root / "lib/shop-1/src/shop/counter.py"
    whole = source.read_text()
    source.write_text("broken")
    await small.install("2")
    await eventually(
        lambda: "no other release could boot after a restart, so the node keeps running this release" in caplog.text
    )
    with pytest.raises(Refused, match=r"Release 1 is damaged: .*; stage its tarball again\."):
        handler.rollback(m.Rollback(), "ann")
    assert (handler.vsn, halted) == ("2", [])
    source.write_text(whole)
    await eventually(lambda: handler.vsn == "1" or halted, what="the way back, or the restart")
    assert (handler.vsn, halted) == ("1", []), "the files are back, so the revert needs no restart"


async def test_a_rollback_works_again_when_the_files_of_the_permanent_release_are_back(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER)
    handler = small.boot()
    await small.install("2")
    source = small.root / "lib/shop-1/src/shop/counter.py"
    aside = source.rename(source.with_suffix(".aside"))
    assert "Release 1 is damaged: " in str((await small.roll_back()).error)
    aside.rename(source)

    def rolls_back() -> bool:
        with suppress(Refused):
            handler.rollback(m.Rollback(), "ann")
            return True
        return False

    await eventually(rolls_back, what="the verification of the files that are back")
    await eventually(lambda: handler.vsn == "1", what="the end of the rollback")


async def test_a_refused_revert_is_tried_once_more_also_after_an_attempt_that_failed(
    small: SmallNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probation, "RETRY_SECONDS", 0.05)
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER, probation="errors = 0\nhealthy = 0.1\nlag = 30.0")
    handler = small.boot()
    halted: list[object] = []
    runtime().on_halt = halted.append
    await small.install("2")
    source = small.root / "lib/shop-1/src/shop/counter.py"
    aside = source.rename(source.with_suffix(".aside"))
    assert "Release 1 is damaged: " in str((await small.roll_back()).error)
    aside.rename(source)
    attempts: list[str | None] = []

    def damage_two_attempts(operation: m.Operation) -> None:
        if operation.who != "probation":
            return
        if operation.ended is not None:
            attempts.append(operation.outcome)
            if len(attempts) == 2:  # it has found the damage, so the next attempt is refused
                aside.rename(source)
        elif not attempts and source.exists():
            source.rename(aside)

    handler.subscribe(damage_two_attempts)
    logging.getLogger("shop").error("no bread")
    await eventually(lambda: handler.vsn == "1" or halted, what="the way back, or the restart")
    assert (attempts[:2], handler.vsn, halted) == (["aborted", "aborted"], "1", [])


async def test_a_rollback_waits_for_a_safe_moment_but_not_for_ever(
    small: SmallNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probation, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(probation, "REVERT_WAIT_SECONDS", 0.05)
    small.write("1", {"shop.lamp": LAMP})
    small.write("2", {"shop.lamp": LAMP_2}, LOAD_LAMP, probation="deadline = 0.05")
    handler = small.boot()
    halted: list[object] = []
    runtime().on_halt = halted.append
    await gen_statem.start(importlib.import_module("shop.lamp").Lamp, "green", name="lamp")
    # At the end of the install, and not later: the deadline would be over on a busy machine.
    handler.subscribe(lambda operation: gen_statem.cast("lamp", "red") if operation.outcome == "installed" else None)
    await small.install("2")
    await eventually(lambda: halted, what="the restart")
    assert "not committed in time" in str(halted[0])
    assert [one.outcome for one in handler.operations()] == ["installed", "aborted", "aborted", "aborted"]
    assert "red" in str(handler.operation().error)


async def test_the_release_to_roll_back_to_cannot_be_removed(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER)
    small.write("3", {"shop.counter": COUNTER}, LOAD_COUNTER.replace('"1"', '"2"'))
    handler = small.boot()
    await small.install("2")
    await small.install("3")
    with pytest.raises(Refused, match=r"^Release 2 can't be removed now: a rollback from 3 to 1 has to install it"):
        await handler.remove("2")
    await handler.commit(m.Commit(), "ann")
    await handler.remove("2")
    assert [release.vsn for release in handler.releases()] == ["1", "3"]


async def test_no_operation_starts_while_a_release_is_being_removed(small: SmallNode) -> None:
    handler = await two(small)
    removing = asyncio.ensure_future(handler.remove("2"))
    await begun(removing)
    with pytest.raises(Refused, match=r"Release 2 is being removed; wait until the removal has ended\."):
        handler.install(m.Install(vsn="2"), "ann")
    await removing
    with pytest.raises(Refused, match="no release 2"):
        handler.install(m.Install(vsn="2"), "ann")


async def test_a_full_disk_prevents_an_install_and_a_commit_but_no_rollback(small: SmallNode) -> None:
    handler = await two(small)
    await small.install("2")
    for file in ("var/history/.intent.json.new", "releases/.record.json.new"):
        (small.root / file).mkdir()  # nothing can be written there
    with pytest.raises(
        Refused, match="The commit record could not be written, and nothing was committed: IsADirectoryError"
    ):
        await handler.commit(m.Commit(), "ann")
    assert (handler.permanent, record_on_disk(small)) == ("1", "1")
    assert (await small.roll_back()).outcome == "reverted"
    operation = await small.install("2")
    assert (operation.outcome, handler.vsn) == ("aborted", "1")
    assert "The operation could not be recorded and was not begun" in str(operation.error)


async def test_a_commit_whose_last_step_failed_counts_if_it_is_on_disk(
    small: SmallNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = await two(small)
    await small.install("2")

    def broken(path: Path) -> None:
        if path.name == "releases":
            raise OSError(errno.EIO, "Input/output error")
        sync_directory(path)

    monkeypatch.setattr("node_runtime.releases.files.durable.sync_directory", broken)
    operation = await handler.commit(m.Commit(), "ann")
    assert (operation.outcome, handler.permanent, record_on_disk(small)) == ("committed", "2", "2")
    assert "may not survive a power cut" in str(operation.error)


def record_on_disk(small: SmallNode) -> str:
    found = commit_record.load(small.root)
    assert found is not None
    return found.permanent


async def test_a_deadline_during_a_removal_waits_for_the_removal(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER, probation="errors = 0\nhealthy = 0.1\nlag = 30.0")
    small.write("3", {"shop.counter": COUNTER})
    handler = small.boot()
    halted: list[object] = []
    runtime().on_halt = halted.append
    await small.install("2")
    logging.getLogger("shop").error("no bread")
    lock = small.root / "releases/.record.json.new"
    os.mkfifo(lock)  # the removal blocks until the pipe is read
    removing = asyncio.ensure_future(handler.remove("3"))
    try:
        await eventually(lambda: health(handler).verdict == "bad", what="the bad health")
        assert (handler.vsn, halted) == ("2", [])
    finally:
        await asyncio.to_thread(lock.read_bytes)
    with suppress(Refused):
        await removing
    assert (await reverted(handler)).outcome == "reverted"
    assert halted == []


async def test_a_commit_whose_cleaning_up_fails_ends_and_lets_other_operations_begin(
    small: SmallNode, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    handler = await two(small)
    await small.install("2")

    def broken() -> list[str]:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(small.code, "sweep", broken)
    operation = await handler.commit(m.Commit(), "ann")
    assert (operation.outcome, handler.permanent) == ("committed", "2")
    assert "the old versions of modules could not be dropped" in caplog.text
    assert (await small.install("1", direction="down")).outcome == "installed"
