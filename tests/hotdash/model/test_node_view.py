"""The dashboard's knowledge of a node, message by message."""

from __future__ import annotations

import time
from dataclasses import replace

import msgspec
import pytest

from hotdash.model.alerts.troubles import troubles
from hotdash.model.connection import Connection
from hotdash.model.node_view import NodeView
from hotdash.model.operation_lines import outcome_lines, outcome_words
from hotdash.model.releases.switch_lines import switch_lines
from hotdash.model.selection import ProcessKey
from hotdash.model.styled_text import text_of
from hotdash.model.view_state import DashboardState, ViewState
from hotdash.model.vitals import VitalsHistory
from node_runtime.protocol import messages as m
from tests.support.dashboard.fil_world import FSM, a_release, a_result, a_snapshot, fil_world, machine


def view() -> NodeView:
    return NodeView("fil@127.0.0.1").with_connection(Connection("live", 100.0)).with_snapshot(a_snapshot(), 100.0)


def test_another_boot_is_a_restart_and_begins_a_new_history() -> None:
    world = fil_world()
    world.boot_id, world.vsn = "boot-2", "1986.b"
    after = view().with_snapshot(world.snapshot(1), 110.0)
    assert after.restart is not None
    assert after.restart.before.vsn == "1986.a"
    assert len(after.history.samples) == 1
    assert "was restarted" in after.notice(111.0)
    assert after.snapshot is not None
    upgraded = msgspec.structs.replace(after.snapshot, info=msgspec.structs.replace(after.snapshot.info, vsn="1986.z"))
    booted = after.snapshot.info.vsn
    assert f"and booted {booted}" in after.with_snapshot(upgraded, 112.0).notice(113.0)
    assert after.notice(200.0) == "" or "has not sent a message" in after.notice(200.0)
    assert after.process(ProcessKey("boot-1", FSM)) is None


def test_a_state_belongs_to_one_process_of_one_boot() -> None:
    before, after = ProcessKey("boot-1", FSM), ProcessKey("boot-2", FSM)
    seen = m.StateView(process=fil_world().process(FSM), state=machine("olive"), at=0.0)
    known = view().with_state(before, seen).with_state(before, seen)
    assert known.sample is not None
    assert known.sample.before == seen
    other = known.with_state(after, seen)
    assert other.sample is not None
    assert other.sample.before is None
    refused = known.without_state(after, "gone")
    assert refused.sample is not None
    assert refused.sample.view is None


def test_silence_makes_a_snapshot_stale_and_a_lost_node_keeps_it() -> None:
    known = view()
    assert known.fresh(102.0)
    assert not known.fresh(104.0)
    assert "has not sent a message for 4 s" in known.notice(104.0)
    lost = known.with_connection(Connection("lost", 105.0, "fil@127.0.0.1 is gone.", 112.0))
    assert lost.notice(110.0) == "fil@127.0.0.1 is gone. The display is 10 s old. Reconnecting in 2 s."
    assert lost.snapshot is known.snapshot


def test_vitals_of_another_boot_do_not_change_the_snapshot() -> None:
    known = view()
    assert known.snapshot is not None
    vitals = msgspec.structs.replace(known.snapshot.vitals, at=known.snapshot.vitals.at + 1, queued=99)
    event = m.NodeEvent(boot_id="boot-9", seq=2, at=0, kind="vitals", vitals=vitals)
    assert known.with_event(event, 101.0).snapshot == known.snapshot
    same = msgspec.structs.replace(event, boot_id="boot-1")
    heard = known.with_event(same, 101.0)
    assert heard.snapshot is not None
    assert heard.snapshot.vitals.queued == 99


def test_the_event_log_is_in_order_and_has_no_duplicates() -> None:
    events = [m.NodeEvent(boot_id="b", seq=seq, at=float(seq), kind="log", text=str(seq)) for seq in (1, 2, 3)]
    known = view().with_event(events[2], 101.0).with_log(tuple(events)).with_event(events[1], 102.0)
    assert [event.text for event in known.log] == ["1", "2", "3"]


def an_operation(**more: object) -> m.Operation:
    fields: dict[str, object] = {
        "id": "op-1", "kind": "install", "from_vsn": "a", "to_vsn": "b", "who": "alice", "started": 1.0,
        "phase": "holding",
    } | more  # fmt: skip
    return m.Operation(**fields)  # type: ignore[arg-type]  # checked where it is used


def test_an_ended_operation_is_not_reopened_by_a_late_message_and_keeps_its_results() -> None:
    ended = an_operation(ended=2.0, outcome="installed", results=(a_result(),))
    known = view().with_operation(ended).with_operation(an_operation())
    assert known.operation("op-1") == ended
    without = known.with_operation(msgspec.structs.replace(ended, results=(), phase="committed"))
    assert len(without.operations[0].results) == 1


def test_no_outcome_is_claimed_that_the_node_has_not_reported() -> None:
    running = an_operation()
    assert outcome_words(running).text == "running: holding"
    assert "unknown" in text_of(outcome_lines(running, False, 3.0)[0])
    for outcome in ("installed", "committed", "reverted", "aborted", "put back", "restarted", "partly put back"):
        assert outcome_words(an_operation(outcome=outcome, ended=2.0)).tone in ("ok", "warn", "bad")


def test_an_install_that_another_worker_could_not_follow_went_back_to_the_release_before() -> None:
    reverted = an_operation(outcome="reverted", ended=2.0, from_vsn="a", to_vsn="b")
    assert outcome_words(reverted).text == "rolled back from b to a"
    way_back = an_operation(kind="revert", outcome="reverted", ended=2.0, from_vsn="b", to_vsn="a")
    assert outcome_words(way_back).text == "rolled back from b to a"


def test_only_the_install_that_runs_is_on_probation() -> None:
    installed = an_operation(ended=2.0, outcome="installed", to_vsn="b", probation_until=600.0)
    assert outcome_words(installed).text == "b running, on probation"
    assert "rolls back by itself" in text_of(outcome_lines(installed, True, 3.0)[-1])
    commit = an_operation(id="op-2", kind="commit", started=3.0, ended=4.0, outcome="committed")
    for known in (view().with_operation(installed).with_operation(commit), view().with_operation(commit)):
        over = known.with_operation(installed).operation("op-1")
        assert over is not None
        assert outcome_words(over).text == "b was installed"
        assert len(outcome_lines(over, True, 5.0)) == 1
    failed = an_operation(id="op-3", started=3.0, ended=4.0, outcome="put back")
    still = view().with_operation(installed).with_operation(failed).operation("op-1")
    assert still == installed


def test_vitals_are_compared_around_a_switch_and_not_around_the_end_of_an_aborted_operation() -> None:
    vitals, history = a_snapshot().vitals, VitalsHistory()
    for at in (199.0, 201.0):
        history = history.add(msgspec.structs.replace(vitals, at=at))
    state = ViewState(replace(view(), history=history), DashboardState(), 202.0)
    installed, aborted = (an_operation(ended=200.0, outcome=outcome) for outcome in ("installed", "aborted"))
    assert "│" in text_of(switch_lines(installed, state, 80)[-1])
    assert switch_lines(aborted, state, 80) == []


def test_a_history_counts_no_moment_twice() -> None:
    vitals = a_snapshot().vitals
    assert len(VitalsHistory().add(vitals).add(vitals).samples) == 1


@pytest.mark.parametrize(("failed", "after_an_hour"), [(None, []), ("it was killed", ["bad"])])
def test_a_restart_during_a_probation_is_an_error_only_if_the_release_failed(
    failed: str | None, after_an_hour: list[str]
) -> None:
    world = fil_world()
    world.releases = [a_release("b", "unpacked", failed=failed)]
    for seconds, tones in ((600, ["bad" if failed else "warn"]), (3700, after_an_hour)):
        world.started = time.time() - seconds
        known = NodeView("fil@127.0.0.1").with_connection(Connection("live", 100.0))
        known = known.with_snapshot(world.snapshot(1), 100.0)
        known = known.with_operation(an_operation(ended=2.0, outcome="restarted", error="The node was restarted."))
        assert [one.tone for one in troubles(known, 100.0) if one.view == "upgrades"] == tones
