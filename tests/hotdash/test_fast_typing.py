"""Text that is typed at once, faster than the dashboard handles a key: no letter is lost, and none runs an action."""

from __future__ import annotations

import asyncio

from textual.widgets import Input

from tests.support.dashboard.dashboard_pilot import DashboardUser, Open, upgrade_to_b
from tests.support.dashboard.scripted_peer import Peer
from tests.support.waiting import eventually

LETTERS = "stoKecwzi1Upf"
"""Letters and digits that all are keys of actions or movements, outside a field."""


async def has_typed(user: DashboardUser, field: str, text: str = LETTERS) -> None:
    """Wait until the field `field` of the topmost screen, which may not have it yet, has the whole text."""

    def typed() -> bool:
        return any(isinstance(found, Input) and found.value == text for found in user.app.screen.query(field))

    await eventually(typed, what=f"{text!r} in the field {field}")


async def test_letters_right_after_the_key_of_the_filter_are_its_text_in_each_view(
    opened: Open,
) -> None:
    async with opened(read_only=False) as user:
        for view in "1245678":
            await user.type(f"{view}/{LETTERS}")
            await has_typed(user, "#filter")
            await user.press("escape")
            await has_typed(user, "#filter", "")


async def test_letters_right_after_the_key_of_the_search_are_its_text(opened: Open) -> None:
    async with opened() as user:
        await user.press("8")
        await user.sees("The node has logged no warning")
        await user.type(f"\x06{LETTERS}")
        await has_typed(user, "#search")


async def test_letters_right_after_the_key_of_the_filter_are_its_text_on_the_screen_of_a_process(opened: Open) -> None:
    async with opened() as user:
        await user.sees("● fil_color_fsm  <12>")
        await user.type(f"3/{LETTERS}")
        await has_typed(user, "#filter")
        await user.press("escape")
        await user.type(f"\x06{LETTERS}")
        await has_typed(user, "#search")


async def test_letters_right_after_the_key_of_the_filter_are_its_text_on_the_screen_of_an_operation(
    opened: Open, peer: Peer
) -> None:
    async with opened(read_only=False) as user:
        await upgrade_to_b(user)
        await user.type(f"/{LETTERS}")
        await has_typed(user, "#filter")


async def test_a_key_right_after_enter_in_the_filter_goes_to_the_rows(opened: Open) -> None:
    async with opened() as user:
        await user.sees("● fil_color_fsm  <12>")
        await user.press("2")
        await user.sees("4 processes")
        await user.type("/color\ri")
        await user.sees("1 match color", "by pid, reversed")
        await user.type("\x1b/color\r3")
        await user.sees("around it")


async def test_letters_right_after_the_key_of_the_palette_search_it(opened: Open) -> None:
    async with opened() as user:
        await user.type(f":{LETTERS}")
        await has_typed(user, "CommandInput")
        await user.sees("No matches found")  # a search that still runs fails in a palette that is being closed


async def test_a_version_that_is_typed_before_its_question_appears_runs_no_action_and_answers_nothing(
    opened: Open, peer: Peer
) -> None:
    plan_is_due = peer.held["plan"] = asyncio.Event()
    async with opened(read_only=False) as user:
        await user.press("5", "down")
        await user.type(f"U1986.b\r{LETTERS}")
        await user.sees("Making the plan for release 1986.b …", "esc stops waiting")
        plan_is_due.set()
        await user.sees("Type 1986.b to proceed", "Upgrade from 1986.a to 1986.b")
        await has_typed(user, "#typed", "")
        assert user.app.dashboard.view == "releases"
        await user.type("1986.b")
        await has_typed(user, "#typed", "1986.b")
    assert {method for method, _ in peer.requests}.isdisjoint({"install", "kill_process", "restart_process"})


async def test_escape_stops_waiting_for_a_plan(opened: Open, peer: Peer) -> None:
    plan_is_due = peer.held["plan"] = asyncio.Event()
    async with opened(read_only=False) as user:
        await user.press("5", "down", "U")
        await user.sees("esc stops waiting")
        await user.press("escape")
        await eventually(lambda: "esc stops waiting" not in user.frame())
        plan_is_due.set()
        await user.press("X")
        await user.is_notified("There is nothing to roll back")
        assert "to proceed" not in user.frame()
