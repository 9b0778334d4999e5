"""Keys, the mouse, help and palette, and the sentences that name keys."""

from __future__ import annotations

from tests.support.dashboard.dashboard_pilot import Open, upgrade_to_b
from tests.support.dashboard.scripted_peer import Peer
from tests.support.waiting import eventually


async def test_the_footer_of_a_small_terminal_always_shows_the_help_key(opened: Open) -> None:
    async with opened((80, 24), read_only=False) as user:
        await user.press("5")
        await user.sees("direction", "S stage", "? help")
        await user.press("down")
        await user.sees("U upgrade", "D downgrade", "? help")


async def test_help_lists_every_action_of_the_registry(opened: Open) -> None:
    async with opened((120, 120)) as user:
        await user.press("question_mark")
        await user.sees(
            "Keys", "roll back", "Ends the probation", "marks the actions that need the dashboard to be armed"
        )


async def test_the_palette_runs_actions_by_name(opened: Open) -> None:
    async with opened() as user:
        await user.press("ctrl+p")
        await user.sees("Search")
        await user.type("Modules")
        await user.sees("Every module with its current")
        await user.press("enter")
        await user.sees("No old code")


async def test_the_equivalent_command_can_be_copied(opened: Open) -> None:
    async with opened() as user:
        await user.press("c")
        await user.is_notified("hotdash state fil@127.0.0.1 12")
        assert user.app.clipboard == "hotdash state fil@127.0.0.1 12"
        await user.press("2")
        await eventually(lambda: user.app.selected().process is not None)
        await user.press("c")
        process = user.app.selected().process
        assert process is not None
        assert user.app.clipboard == f"hotdash process fil@127.0.0.1 {process.pid}"
        await user.press("5", "down", "c")
        await user.is_notified("hotdash plan fil@127.0.0.1 1986.b")


async def test_keys_can_be_remapped_and_the_footer_shows_it(opened: Open) -> None:
    async with opened(keymap={"view_modules": "m"}) as user:
        assert "m Modules" in user.frame()
        await user.press("m")
        await user.sees("No old code")


async def test_every_sentence_names_the_keys_as_they_are_remapped(opened: Open, peer: Peer) -> None:
    keymap = {
        "arm": "ctrl+a", "plan": "o", "upgrade": "f5", "downgrade": "f6", "commit": "f7", "rollback": "f8",
        "stage": "f9", "back": "ctrl+b",
    }  # fmt: skip
    async with opened((120, 120), keymap=keymap) as user:
        await user.press("5", "down")
        await user.sees("o shows what the upgrade would do", "f5 upgrades to it while the node runs.")
        await user.press("f5")
        await user.is_notified("The dashboard is read-only. Press ^a to arm it")
        await user.press("o")
        await user.sees("Upgrade from 1986.a to 1986.b")
        peer.world.generation += 1
        peer.emit("module", "fil.handler loaded")
        await user.sees("The node has changed since this plan was made; press o to plan again.")
        await user.press("ctrl+b", "question_mark")
        await user.sees("Keys", "^b clears the filter.", "f7", "^a")
        await user.press("escape", "ctrl+a")
        await user.sees("Arm fil@127.0.0.1")
        await user.press("tab", "enter")
        await user.sees("ARMED")
        await user.press("f6")
        await user.is_notified("Going from 1986.a to 1986.b is an upgrade; press f5.")
        await user.press("f8")
        await user.is_notified("Press f6 to downgrade to an older release.")
        peer.world.releases = peer.world.releases[:1]
        peer.emit("release", "the others were removed")
        await user.press("up")
        await user.sees("It is the only release here. f9 stages another one.")


async def test_the_advice_on_probation_names_the_remapped_keys(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False, keymap={"commit": "f7", "rollback": "f8"}) as user:
        await upgrade_to_b(user)
        while peer.advance().ended is None:
            pass
        await user.press("escape", "5")
        await user.sees("f7 makes it permanent, f8 rolls back now.")


async def test_the_mouse_opens_views_and_selects_rows(opened: Open) -> None:
    async with opened() as user:
        await user.pilot.click("Tabs", offset=(18, 0))
        await user.sees("4 processes", "msg/s")
        await user.pilot.click("Tabs", offset=(32, 0))
        await user.sees("No old code")
        await user.pilot.click("#modules Table", offset=(4, 3))
        await user.sees("lib/fil-1986.a/src/fil/handler.py")


async def test_a_key_that_does_nothing_in_a_view_says_so_once(opened: Open) -> None:
    async with opened() as user:
        await user.press("B", "B")
        await user.is_notified("B does nothing here; ? lists all keys.")
        assert len(user.toasts()) == 1
        await user.press("o")
        await user.is_notified("o does nothing here. Elsewhere: Sorts the processes by the next column. ?")
        await user.press("2")
        await user.sees("by pid")
        await user.press("o")
        await user.sees("by name")
        await user.press("slash")
        await user.type("zBx")
        await user.press("ctrl+p")
        await user.sees("Search")
        assert len(user.toasts()) == 2


async def test_the_key_of_the_filter_says_where_there_is_no_filter(opened: Open) -> None:
    async with opened() as user:
        await user.press("5", "down", "p")
        await user.sees("Upgrade from 1986.a to 1986.b")
        await user.press("slash")
        await user.is_notified("This screen has no filter.")


async def test_a_refresh_is_confirmed(opened: Open) -> None:
    async with opened() as user:
        await user.press("ctrl+r")
        await user.is_notified("Reading the state of fil@127.0.0.1 now.")
