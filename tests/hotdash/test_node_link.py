"""The dashboard's connection to a node that is lost, silent or restarted."""

from __future__ import annotations

from tests.support.dashboard.dashboard_pilot import Open
from tests.support.dashboard.fil_world import fil_world
from tests.support.dashboard.scripted_peer import Peer
from tests.support.waiting import eventually


async def test_a_lost_node_stays_on_the_screen_with_its_age_and_comes_back(opened: Open, peer: Peer) -> None:
    async with opened() as user:
        await user.sees("turns  41")
        peer.stop()
        await user.sees("○ lost", "The display is", "fil_color_fsm", "turns  41")
        peer.start()
        await user.sees("● live")
        assert "The display is" not in user.frame()


async def test_a_silent_node_is_called_stale(opened: Open, peer: Peer) -> None:
    now = [1_000_000.0]
    async with opened(clock=lambda: now[0]) as user:
        peer.silent = True

        def silence_lasts() -> bool:
            now[0] += 0.1
            return "◐ stale" in user.frame()

        await eventually(silence_lasts)
        await user.sees("has not sent a message for")
        peer.silent = False
        await user.sees("● live")


async def test_a_restarted_node_is_noticed(opened: Open, peer: Peer) -> None:
    async with opened((160, 40)) as user:
        await user.sees("turns  41")
        world = fil_world()
        world.boot_id = "boot-2"
        peer.restart(world)
        await user.sees("fil@127.0.0.1 was restarted", "Every process is new.")
        await user.sees("✖ fil_color_fsm <12> ended with the node's earlier boot.", "its last state")
        assert "state …" not in user.frame()
        assert user.app.selected().process is None
        await user.sees("Its successor is <12>.")
        await user.press("3")
        await user.sees("fil_color_fsm <12>", "in state olive")


async def test_a_node_that_was_installed_anew_is_found_with_its_new_cookie(opened: Open, peer: Peer) -> None:
    async with opened() as user:
        await user.sees("turns  41")
        world = fil_world()
        world.boot_id = "boot-2"
        peer.install_anew(world)
        await user.sees("fil@127.0.0.1 was restarted", "● live")


async def test_missed_events_lead_to_a_new_snapshot(opened: Open, peer: Peer) -> None:
    async with opened() as user:
        await user.press("6")  # a view that requests no snapshot by itself
        peer.world.vsn = "1986.b"
        peer.lose_events(3)
        await user.sees("fil 1986.b")
