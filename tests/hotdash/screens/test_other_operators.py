"""Waiting operations, operations of other people, and results by the thousand."""

from __future__ import annotations

import time

import msgspec
from textual.widgets import Button

from hotdash.messages import EventReceived
from node_runtime.protocol import messages as m
from tests.support.dashboard.dashboard_pilot import Open, upgrade_to_b
from tests.support.dashboard.fil_world import a_plan, a_result
from tests.support.dashboard.scripted_peer import Peer
from tests.support.waiting import eventually


def bobs_upgrade(**more: object) -> m.Operation:
    operation = m.Operation(
        id="op-bob", kind="install", from_vsn="1986.a", to_vsn="1986.c", who="operator", claim="bob@desk",
        started=time.time(), phase="preparing", direction="up",
    )  # fmt: skip
    return msgspec.structs.replace(operation, **more)


async def test_a_waiting_operation_says_what_it_waits_for_and_can_be_aborted(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await upgrade_to_b(user)
        peer.advance()
        peer.change_operation(
            phase="waiting", waits_for="fil_color_fsm is in state lime", waits_until=time.time() + 3600
        )
        await user.sees("waits for: fil_color_fsm is in state lime · gives up in 59:", "A aborts it")
        await user.press("A")
        await user.sees("Abort: upgrade 1986.a → 1986.b", "waits for: fil_color_fsm is in state lime", "Reason")
        await user.press("enter")
        await eventually(lambda: "Cancel" not in user.frame())
        assert not peer.asked("abort")
        await user.press("A")
        await user.sees("Abort: upgrade", "Cancel")
        await user.press("shift+tab")
        await user.type("freeze")
        await user.sees("$ hotdash abort fil@127.0.0.1 --reason freeze")
        await user.press("enter", "enter")
        await user.sees("aborted: nothing was changed", "alice aborted it: freeze.", "1986.a keeps running")
        assert "waits for" not in user.frame()
        assert peer.asked("abort") == [m.Abort(operation=peer.world.operations[-1].id, reason="freeze")]


async def test_a_viewer_is_told_that_an_operator_can_abort_a_waiting_operation(opened: Open, peer: Peer) -> None:
    peer.world.role = "viewer"
    peer.world.operations = [
        *peer.world.operations,
        bobs_upgrade(phase="waiting", waits_for="fil is busy", waits_until=time.time() + 3600),
    ]
    async with opened() as user:
        await user.press("6")
        await user.sees("waits for: fil is busy", "An operator can abort it; nothing has been changed yet.")


async def test_an_operation_that_begins_while_the_dashboard_closes_is_no_error(opened: Open) -> None:
    """Messages still arrive when the last screen has closed."""
    async with opened() as user:
        pass
    assert user.app.screen_stack == []
    event = m.NodeEvent(boot_id="boot-1", seq=9, at=time.time(), kind="operation", text="", operation=bobs_upgrade())
    user.app.on_event_received(EventReceived(event))
    user.app.on_event_received(EventReceived(msgspec.structs.replace(event, kind="rehearsal", operation=None)))
    assert user.app.check_action("command_palette", ())


async def test_an_operator_whose_operation_is_aborted_is_told_by_whom_and_why(opened: Open, peer: Peer) -> None:
    by_bob = "operator (bob@desk) aborted it: release freeze."
    async with opened(read_only=False) as user:
        await upgrade_to_b(user)
        peer.advance()
        await user.press("escape")
        await user.sees("5 Releases", "unpacked")
        peer.change_operation(ended=time.time(), phase="aborted", outcome="aborted", error=by_bob)
        await user.is_notified(f"Upgrade 1986.a → 1986.b: aborted: nothing was changed. {by_bob} 1986.a keeps running.")


async def test_who_aborts_an_operation_elsewhere_is_told_that_it_has_ended(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        peer.begin(bobs_upgrade())
        await user.sees("6 Upgrades ◌")
        await user.press("A")
        await user.sees("Abort: upgrade 1986.a → 1986.c")
        await user.press("tab", "enter")
        await user.is_notified("Upgrade 1986.a → 1986.c: aborted: nothing was changed. 1986.a keeps running.")


async def test_an_abort_that_takes_effect_later_is_reported_when_the_operation_has_ended(
    opened: Open, peer: Peer
) -> None:
    peer.ends_aborted = False
    async with opened(read_only=False) as user:
        peer.begin(bobs_upgrade())
        await user.sees("6 Upgrades ◌")
        await user.press("A")
        await user.sees("Abort: upgrade 1986.a → 1986.c")
        await user.press("tab", "enter")
        await eventually(lambda: peer.asked("operation"))
        peer.change_operation(ended=time.time(), phase="aborted", outcome="aborted", error="alice aborted it.")
        await user.is_notified("Upgrade 1986.a → 1986.c: aborted: nothing was changed. 1986.a keeps running.")
        assert not [toast for toast in user.toasts() if "running:" in toast]


async def test_a_question_about_an_abort_closes_itself_to_an_answer_when_the_operation_ends(
    opened: Open, peer: Peer
) -> None:
    async with opened(read_only=False) as user:
        peer.begin(bobs_upgrade())
        await user.press("6", "A")
        await user.sees("Abort: upgrade 1986.a → 1986.c")
        peer.change_operation(ended=time.time(), phase="done", outcome="put back")
        await user.sees("The operation has ended: failed and was undone: 1986.a keeps running.")
        assert user.app.screen.query_one("#do", Button).disabled


async def test_there_is_nothing_to_abort_without_an_operation(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await user.press("6", "A")
        await user.is_notified("There is nothing to abort: no operation is running.")
        assert not peer.asked("abort")


async def test_an_operation_of_somebody_else_is_announced(opened: Open, peer: Peer) -> None:
    async with opened() as user:
        peer.begin(bobs_upgrade())
        await user.is_notified("operator (bob@desk) has started: upgrade 1986.a → 1986.c. 6 shows it.")


async def test_ones_own_operation_is_not_announced(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await upgrade_to_b(user)
        while peer.advance().ended is None:
            pass
        await user.sees("1986.b running, on probation")
        assert not [toast for toast in user.toasts() if "has started" in toast]


async def test_an_operation_of_somebody_else_freezes_an_open_question(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await user.press("5", "down", "U")
        await user.sees("Type 1986.b to proceed")
        await user.type("1986.b")
        peer.begin(bobs_upgrade())
        await user.sees("has started: upgrade 1986.a → 1986.c.")
        assert user.app.screen.query_one("#do", Button).disabled
        await user.press("enter", "enter")
        assert not peer.asked("install")


async def test_a_plan_that_an_operation_has_overtaken_is_not_called_possible(opened: Open, peer: Peer) -> None:
    async with opened() as user:
        await user.press("5", "down", "p")
        await user.sees("Possible. Nothing has been changed yet.")
        peer.begin(bobs_upgrade())
        await user.sees("Not now: operator (bob@desk) has started: upgrade 1986.a → 1986.c.")
        assert "Possible. Nothing" not in user.frame()


async def test_the_list_of_operations_has_whole_versions_at_80_columns(opened: Open, peer: Peer) -> None:
    now = time.time()
    done = bobs_upgrade(from_vsn="1.0", to_vsn="1.1", ended=now, outcome="installed", probation_until=now + 600)
    peer.world.operations = [msgspec.structs.replace(done, claim="root@vm")]
    async with opened((80, 24)) as user:
        await user.press("6")
        await user.sees("Upgrade   1.0 → 1.1 ", "1.1 running, on probation")


async def test_failures_come_first_and_results_are_filtered(opened: Open, peer: Peer) -> None:
    good = [a_result(100 + number, name=f"worker_{number}") for number in range(60)]
    bad = a_result(900, name="late_one", outcome="failed", reason="KeyError: 'turns'")
    peer.world.operations = [
        bobs_upgrade(ended=time.time(), outcome="put back", phase="put back", results=(*good, bad), touched=1000)
    ]
    async with opened((120, 40)) as user:
        await user.press("6", "enter")
        await user.sees("late_one", "1,000 processes · details kept for 61 · 60 ok · 1 failed", "KeyError: 'turns'")
        await user.press("slash")
        await user.type("worker_41")
        await eventually(lambda: "late_one" not in user.frame() and "worker_41" in user.frame())
        await user.press("escape", "g")
        await user.sees("late_one")


async def test_the_vitals_before_and_after_the_switch_are_compared(opened: Open, peer: Peer) -> None:
    async with opened((200, 60), read_only=False) as user:
        await upgrade_to_b(user)
        while peer.advance().ended is None:
            pass
        await user.sees("loop lag", "│", "messages")
        await eventually(lambda: sum(line.count("│") for line in user.frame().splitlines()) >= 5)


async def test_blockers_that_differ_only_in_their_process_are_one_group(opened: Open, peer: Peer) -> None:
    blockers = tuple(
        m.Blocker(reason=f"<{pid}>: its code_change raised KeyError: 'turns'", remedy="correct it", pid=pid)
        for pid in range(20, 40)
    )
    peer.world.plans["1986.b"] = a_plan("1986.b", blockers=(*blockers, msgspec.structs.replace(blockers[0], pid=None)))
    async with opened(read_only=False) as user:
        await user.press("5", "down", "U")
        await user.sees("Not possible now: 2 blockers.", "and the same for 19 more: <21> <22>")
        assert user.frame().count("→ correct it") == 2
