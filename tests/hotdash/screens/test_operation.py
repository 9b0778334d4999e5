"""The screen of an operation: from its first phase to the outcome that the node reports."""

from __future__ import annotations

import msgspec

from node_runtime.protocol import messages as m
from tests.support.dashboard.dashboard_pilot import Open, upgrade_to_b
from tests.support.dashboard.fil_world import a_plan, a_result, fil_world
from tests.support.dashboard.scripted_peer import Peer


async def test_an_upgrade_is_watched_phase_by_phase_until_the_node_reports_its_outcome(
    opened: Open, peer: Peer
) -> None:
    async with opened((120, 40), read_only=False) as user:
        await upgrade_to_b(user)
        (order,) = peer.asked("install")
        assert (order.vsn, order.direction, order.plan_id) == ("1986.b", "up", "3f9a1c")
        for phase in ("planned", "checked", "holding", "loading", "migrating", "resumed"):
            peer.advance()
            await user.sees(f"running: {phase}")
            assert "is current" not in user.frame()
        peer.advance()
        await user.sees("1986.b running, on probation", "processes paused 4.1 ms", "1 process · 1 ok")
        await user.sees("~ state", "'lime' → 'red'", "+ data.since", "'upgrade'")
        await user.press("escape", "6")
        await user.sees("Upgrade   1986.a → 1986.b", "'lime' → 'red'")


async def test_the_reason_for_an_operation_is_on_its_screen_unless_it_says_nothing(opened: Open, peer: Peer) -> None:
    async with opened((80, 24), read_only=False) as user:
        await upgrade_to_b(user)
        await user.sees("Upgrade 1986.a → 1986.b")
        peer.change_operation(reason="upgrade to 1986.b")
        peer.advance()
        await user.sees("running: planned")
        assert "reason:" not in user.frame()
        peer.change_operation(reason="red is needed, ticket 12")
        await user.sees("reason: red is needed, ticket 12")
        await user.press("escape", "6")
        await user.sees("reason: red is needed, ticket 12")


async def test_processes_without_a_name_are_told_apart_in_a_narrow_terminal(opened: Open, peer: Peer) -> None:
    results = tuple(a_result(pid=pid, name=None, module="fil.worker") for pid in (1041, 1042))
    async with opened((80, 24), read_only=False) as user:
        await upgrade_to_b(user)
        while peer.advance().ended is None:
            pass
        peer.change_operation(results=results)
        await user.sees("<1041>", "<1042>")


async def test_a_process_that_has_crashed_since_its_upgrade_is_not_ok(opened: Open, peer: Peer) -> None:
    async with opened((120, 40), read_only=False) as user:
        await upgrade_to_b(user)
        while peer.advance().ended is None:
            pass
        await user.sees("1986.b running, on probation", "1 process · 1 ok")
        (result,) = peer.world.operations[-1].results
        crash = f"gen_statem {result.name} <{result.pid}> ({result.module}:Color 2f1c) crashed: KeyError: 'turns'"
        peer.emit("log", f"error: gen_statem other <{result.pid}0> (shop:Other) crashed: KeyError: 'x'")
        peer.emit("log", f"error: {crash}; last message: 'tick'; state: ('red', 4)")
        await user.sees("1 process · 1 crashed since", crash)
        assert " ok " not in user.frame()


async def test_a_failed_upgrade_shows_the_failed_process_and_the_reason(opened: Open, peer: Peer) -> None:
    peer.outcome = "put back"
    async with opened(read_only=False) as user:
        await upgrade_to_b(user)
        while peer.advance().ended is None:
            pass
        await user.sees(
            "failed and was undone: 1986.a keeps running", "code_change of fil_color_fsm raised KeyError",
            "1 failed", "KeyError: 'turns'", "State unchanged",
        )  # fmt: skip


async def test_the_outcome_is_unknown_while_the_node_is_away_and_asked_for_afterwards(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await upgrade_to_b(user)
        peer.advance()
        await user.sees("running: planned")
        peer.stop()
        await user.sees("The outcome is unknown")
        peer.start()
        while peer.advance().ended is None:
            pass
        await user.sees("1986.b running, on probation")


async def test_an_operation_that_the_node_forgot_stays_unknown(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await upgrade_to_b(user)
        world = fil_world()
        world.boot_id = "boot-2"
        peer.restart(world)
        await user.is_notified("The outcome of operation op-1 is unknown. This node knows of no operation op-1.")


async def test_commit_makes_the_release_permanent(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await upgrade_to_b(user)
        while peer.advance().ended is None:
            pass
        await user.sees("◆ on probation", "Unless the release is committed")
        await user.press("P")
        await user.sees("Make 1986.b permanent")
        await user.press("tab", "enter")
        await user.sees("fil 1986.b  permanent")
        assert peer.asked("commit") == [m.Commit(reason="commit 1986.b")]


async def test_a_release_on_probation_without_a_deadline_can_be_committed(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await upgrade_to_b(user)
        while peer.advance().ended is None:
            pass
        await user.sees("◆ on probation")
        running = next(number for number, one in enumerate(peer.world.releases) if one.vsn == "1986.b")
        peer.world.releases[running] = msgspec.structs.replace(peer.world.releases[running], probation_until=None)
        peer.emit("release", "the deadline is gone")
        await user.sees("fil 1986.b  current")
        await user.press("P")
        await user.sees("Make 1986.b permanent", "1986.b is on probation without a deadline.")


async def test_roll_back_is_planned_confirmed_and_watched(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await upgrade_to_b(user)
        while peer.advance().ended is None:
            pass
        peer.world.plans["1986.a"] = a_plan("1986.a", from_vsn="1986.b", direction="down")
        await user.sees("◆ on probation")
        await user.press("X")
        await user.sees("Roll back from 1986.b to 1986.a", "$ hotdash rollback fil@127.0.0.1 --yes")
        await user.type("1986.a")
        await user.press("enter", "enter")
        await user.sees("Roll back 1986.b → 1986.a")
        assert len(peer.asked("rollback")) == 1


async def test_an_install_that_its_rehearsal_has_ended_shows_what_the_rehearsal_found(opened: Open, peer: Peer) -> None:
    failed = m.RehearsalResult(
        pid=12, name="fil_color_fsm", module="fil.color_fsm", seconds=0.0004, outcome="raised",
        before=m.Term(type="Data", text="Data()"), message="its code_change raised KeyError: 'turns'",
        trace=("color_fsm.py:9 code_change: data['turns']",),
    )  # fmt: skip
    found = m.Rehearsal(
        at=0.0, seconds=0.3, stopped=0.002, pause=0.0004, processes=1, reached=1, failed=1, no_way_back=1,
        not_given_back=1, results=(failed,),
    )  # fmt: skip
    async with opened((80, 24), read_only=False) as user:
        await upgrade_to_b(user)
        peer.change_operation(
            ended=0.0, outcome="aborted", error="the rehearsal failed: <12> raised KeyError", rehearsal=found
        )
        await user.sees("aborted: nothing was changed", "1 would fail, 1 have no way back", "data['turns']")
        await user.press("escape", "6")
        await user.sees("Upgrade   1986.a → 1986.b", "color_fsm.py:9 code_change: data['turns']")
