"""Read-only and armed dashboards, and roles."""

from __future__ import annotations

from tests.support.dashboard.dashboard_pilot import Open
from tests.support.dashboard.scripted_peer import Peer


async def test_read_only_refuses_every_operators_key(opened: Open, peer: Peer) -> None:
    async with opened() as user:
        await user.press("5", "down")
        for key in ("S", "U", "D", "P", "X", "R", "K"):
            await user.press(key)
            assert len(user.app.screen_stack) == 1
        await user.is_notified("The dashboard is read-only. Press ! to arm it")
        reading = {"hello", "subscribe", "summary", "tree", "state", "events", "operations"}
        assert {name for name, _ in peer.requests} <= reading


async def test_nobody_is_asked_to_arm_for_an_action_that_needs_another_screen(opened: Open) -> None:
    async with opened() as user:
        for key in ("L", "F", "Z"):
            await user.press("2", key)
            await user.is_notified("Open a process first: 3.")
        assert not any("read-only" in toast for toast in user.toasts())


async def test_arming_asks_for_confirmation_is_shown_and_ends(opened: Open) -> None:
    async with opened() as user:
        await user.press("exclamation_mark")
        await user.sees("Arm fil@127.0.0.1")
        await user.press("tab", "enter")
        await user.sees("ARMED")
        await user.press("exclamation_mark")
        await user.sees("READ-ONLY")


async def test_arming_ends_by_itself(opened: Open) -> None:
    now = [1_000_000.0]
    async with opened(read_only=False, clock=lambda: now[0]) as user:
        await user.sees("ARMED 15 min")
        now[0] += 15 * 60
        await user.is_notified("Read-only again")


async def test_a_viewers_cookie_cannot_arm(opened: Open, peer: Peer) -> None:
    peer.world.role = "viewer"
    async with opened() as user:
        await user.press("exclamation_mark")
        await user.is_notified("This cookie has the role viewer")
        assert "READ-ONLY (viewer)" in user.frame()


async def test_a_viewer_sees_why_a_plan_is_not_available_and_the_node_gets_no_request(opened: Open, peer: Peer) -> None:
    peer.world.role = "viewer"
    async with opened((140, 40)) as user:
        await user.press("5", "down")
        await user.sees("'Plan the selected release' needs the role operator.")
        await user.press("p")
        await user.is_notified("A plan executes code of the release in a copy of the node.")
        await user.press("ctrl+p")
        await user.type("Plan")
        await user.sees("Needs the role operator.")
    assert peer.asked("plan") == []
