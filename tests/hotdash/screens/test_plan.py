"""The screen of a plan: its script, the affected processes, blockers and the rehearsal."""

from __future__ import annotations

import time

from node_runtime.protocol import messages as m
from node_runtime.releases.planning.conditions import WAIT_REMEDY
from tests.support.dashboard.dashboard_pilot import Open
from tests.support.dashboard.fil_world import FSM, a_plan, integer, machine
from tests.support.dashboard.scripted_peer import Peer
from tests.support.waiting import eventually

STUCK = m.Blocker(reason="fil.extra is used by a module outside the set", remedy="add it to the appup")


WAITING = m.Blocker(
    reason="fil_color_fsm is in state lime, which release 1986.b does not define",
    remedy="wait",
    pid=FSM,
    transient=True,
)


async def test_the_plan_draws_the_point_of_no_return_and_names_the_affected_processes(opened: Open) -> None:
    async with opened((120, 50)) as user:
        await user.press("5", "down", "p")
        await user.sees(
            "Upgrade from 1986.a to 1986.b", "Possible. Nothing has been changed yet.", "point of no return",
            "fil.color_fsm  load   1986.a → 1986.b", "1 process, suspended, state converted by code_change",
            "fil.cycle_time  4.0 → 2.0", "Reversible: a rollback, or a missed commit, runs the downgrade steps.",
            "plan 3f9a1c",
        )  # fmt: skip
        await user.press("escape")
        await user.sees("5 Releases", "unpacked")


async def test_a_plan_without_changes_says_so(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await user.press("5", "p")
        await user.sees("Nothing to do: the node already runs 1986.a.")
        await user.press("U")
        await user.is_notified("nothing to do")
        assert not peer.asked("install")


async def test_blockers_are_shown_with_their_remedy_and_forbid_the_upgrade(opened: Open, peer: Peer) -> None:
    peer.world.plans["1986.b"] = a_plan("1986.b", blockers=(STUCK,))
    async with opened(read_only=False) as user:
        await user.press("5", "down", "U")
        await user.sees("Not possible now: 1 blocker.", STUCK.reason, "→ add it to the appup")
        await user.press("U")
        await user.sees("Not possible now: 1 blocker.")
        assert not user.toasts()
        assert not peer.asked("install")


async def test_a_transient_blocker_offers_to_wait_in_the_field_that_its_remedy_names(opened: Open, peer: Peer) -> None:
    _, field, _ = WAIT_REMEDY.split('"')
    peer.world.plans["1986.b"] = a_plan("1986.b", blockers=(WAITING,))
    async with opened(read_only=False) as user:
        await user.press("5", "down", "U")
        await user.sees("in state lime", f"{field} (s)", "--wait 15")
        await user.type("1986.b")
        await user.press("enter", "enter")
        await eventually(lambda: peer.asked("install"))
        (order,) = peer.asked("install")
        assert order.wait == 15.0


def rehearsal(**more: object) -> m.Rehearsal:
    fields: dict[str, object] = {
        "at": time.time(), "seconds": 0.3, "stopped": 0.002, "pause": 0.0004, "processes": 1, "reached": 1,
    } | more  # fmt: skip
    return m.Rehearsal(**fields)  # type: ignore[arg-type]  # checked by msgspec on the wire


def tried(**more: object) -> m.RehearsalResult:
    fields: dict[str, object] = {
        "pid": FSM, "name": "fil_color_fsm", "module": "fil.color_fsm", "seconds": 0.0004,
        "before": machine("lime", turns=integer(41)),
    } | more  # fmt: skip
    return m.RehearsalResult(**fields)  # type: ignore[arg-type]  # checked by msgspec on the wire


async def test_a_plan_shows_what_the_rehearsal_found(opened: Open, peer: Peer) -> None:
    failed = tried(
        outcome="raised", message="its code_change raised KeyError: 'turns'", trace=("color_fsm.py:9 code_change: x",)
    )
    peer.world.plans["1986.b"] = a_plan("1986.b", rehearsal=rehearsal(failed=1, results=(failed,)), blockers=(STUCK,))
    child = m.PlannedChild(supervisor=10, supervisor_name="fil_sup", id="tag2", change="added", step=4)
    good = tried(outcome="ok", after=machine("red", turns=integer(41)))
    peer.world.plans["1986.c"] = a_plan(
        "1986.c", children=(child,), pause=0.0012, rehearsal=rehearsal(results=(good,)), irreversible=("f can't.",)
    )
    async with opened((120, 50)) as user:
        await user.press("5", "down", "p")
        await user.sees("1 process rehearsed on a copy of the node in 300 ms  1 would fail", "raised KeyError: 'turns'")
        await user.sees("color_fsm.py:9 code_change: x")
        await user.press("escape", "down", "p")
        await user.sees(
            "no problems found",
            "'lime' → 'red'",
            "The install will suspend processes for about 1.2 ms",
            "tag2 of fil_sup  new, started",
        )
        await user.sees("Not undone if the install fails", "f can't.")


async def test_typing_the_version_is_the_consent_to_what_cannot_be_rehearsed(opened: Open, peer: Peer) -> None:
    unknown = tried(outcome="unrehearsed", message="its code_change calls the runtime")
    peer.world.plans["1986.b"] = a_plan("1986.b", rehearsal=rehearsal(unrehearsed=1, results=(unknown,)))
    async with opened((100, 40), read_only=False) as user:
        await user.press("5", "down", "U")
        await user.sees("1 process can't be rehearsed", "1986.b --yes --wait 15 --unrehearsed")
        await user.type("1986.b")
        await user.press("enter", "enter")
        await eventually(lambda: peer.asked("install"))
        (order,) = peer.asked("install")
        assert order.unrehearsed


async def test_a_refusal_by_the_node_is_shown_in_its_own_words(opened: Open, peer: Peer) -> None:
    peer.refuse["plan"] = "fil 1986.b was built for Python 3.13; this node runs 3.11."
    async with opened() as user:
        await user.press("5", "down", "p")
        await user.is_notified("was built for Python 3.13")
