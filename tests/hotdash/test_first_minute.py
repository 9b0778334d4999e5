"""The details that a person meets first: roles, focus, dimmed keys, and how to leave."""

from __future__ import annotations

import msgspec

from hotdash.model.connection import Connection
from hotdash.widgets.bars import KeyBar
from tests.support.dashboard.dashboard_pilot import DashboardUser, Open, upgrade_to_b
from tests.support.dashboard.scripted_peer import Peer
from tests.support.waiting import eventually


async def test_a_viewers_dashboard_is_never_armed(opened: Open, peer: Peer) -> None:
    peer.world.role = "viewer"
    async with opened(read_only=False) as user:
        await user.is_notified("This cookie has the role viewer. The dashboard stays read-only.")
        await user.sees("READ-ONLY (viewer)")
        assert "ARMED" not in user.frame()


def test_a_refused_cookie_is_not_a_lost_connection() -> None:
    refused = Connection("lost", 100.0, "The cookie is refused.", 130.0, refused=True)
    assert refused.badge(0.0, 105.0) == ("✖ refused", "bad")
    assert Connection("lost", 100.0).badge(0.0, 105.0) == ("○ lost 5 s", "bad")


async def test_an_operations_screen_always_has_the_focus(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await upgrade_to_b(user)
        await eventually(lambda: user.app.focused is not None and user.app.focused.id == "phases")
        while peer.advance().ended is None:
            pass
        await user.sees("1986.b running, on probation")
        await eventually(lambda: user.app.focused is not None and user.app.focused.id == "results")
        await user.press("P")
        await user.sees("Make 1986.b permanent")
        await user.press("escape")
        await eventually(lambda: user.app.focused is not None and user.app.focused.id == "results")


def dimmed(user: DashboardUser) -> set[str]:
    """The ids of the footer's actions that are dim."""
    return {one.action_id for one in user.app.top_screen.query_one(KeyBar).keys if not one.allowed}


async def test_commit_and_rollback_are_dim_while_there_is_nothing_to_do(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await user.press("5")
        await eventually(lambda: {"commit", "rollback"} <= dimmed(user))
        assert "stage" not in dimmed(user)
        peer.world.vsn = "1986.b"
        peer.world.releases[1] = msgspec.structs.replace(
            peer.world.releases[1], status="current", probation_until=peer.world.started + 1e6
        )
        peer.emit("release", "release 1986.b is now current")
        await eventually(lambda: not {"commit", "rollback"} & dimmed(user))


async def test_actions_that_cannot_do_anything_with_the_selected_release_are_dim(opened: Open, peer: Peer) -> None:
    peer.world.releases[1] = msgspec.structs.replace(peer.world.releases[1], down=False)
    peer.world.releases[2] = msgspec.structs.replace(peer.world.releases[2], up=False)
    about_a_release = {"plan", "upgrade", "downgrade", "cold", "remove"}
    async with opened((120, 40), read_only=False) as user:
        await user.press("5")
        await eventually(lambda: dimmed(user) & about_a_release == {"upgrade", "downgrade", "cold", "remove"})
        await user.press("C")
        await user.is_notified("already runs 1986.a: nothing to do")
        await user.press("down")
        await eventually(lambda: dimmed(user) & about_a_release == {"downgrade"})
        await user.press("down")
        await eventually(lambda: dimmed(user) & about_a_release == {"upgrade"})


async def test_a_narrow_footer_leaves_out_what_can_do_nothing_before_what_can(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await user.press("5", "down", "down")
        await user.sees("D downgrade", "M remove", "? help")
        assert "X roll back" not in user.frame()
        peer.world.vsn = "1986.b"
        peer.world.releases[1] = msgspec.structs.replace(
            peer.world.releases[1], status="current", probation_until=peer.world.started + 1e6
        )
        peer.emit("release", "release 1986.b is now current")
        await user.press("home", "down")
        await user.sees("P commit", "X roll back", "? help")


async def test_the_footer_of_a_plan_dims_the_other_direction(opened: Open) -> None:
    async with opened(read_only=False) as user:
        await user.press("5", "down", "p")
        await user.sees("Upgrade from 1986.a to 1986.b")
        await eventually(lambda: {"upgrade", "downgrade", "cold"} & dimmed(user) == {"downgrade"})


async def test_old_code_can_only_be_ended_where_an_old_version_is_loaded(opened: Open, peer: Peer) -> None:
    peer.world.modules[1] = msgspec.structs.replace(peer.world.modules[1], old_vsn="1985.z")
    async with opened(read_only=False) as user:
        await user.press("4")
        await eventually(lambda: "purge" in dimmed(user))
        await user.press("down")
        await eventually(lambda: "purge" not in dimmed(user))


async def test_a_viewer_is_not_told_keys_that_need_an_operator(opened: Open, peer: Peer) -> None:
    peer.world.role, peer.world.vsn = "viewer", "1986.b"
    peer.world.releases[1] = msgspec.structs.replace(
        peer.world.releases[1], status="current", probation_until=peer.world.started + 1e6
    )
    peer.world.releases[2] = msgspec.structs.replace(peer.world.releases[2], up=False, down=False)
    async with opened() as user:
        await user.press("5", "down")
        await user.sees("On probation: the node rolls back by itself")
        assert "makes it permanent" not in user.frame()
        await user.press("down")
        await user.sees("There is no path from the running release to this one.")


async def test_arming_removes_the_refusal_that_asks_for_it(opened: Open) -> None:
    async with opened() as user:
        await user.press("5", "down", "U")
        await user.is_notified("The dashboard is read-only.")
        await user.press("exclamation_mark")
        await user.sees("Arm fil@127.0.0.1")
        assert not user.toasts()


async def test_ctrl_c_says_which_key_quits(opened: Open) -> None:
    async with opened() as user:
        await user.press("ctrl+c")
        await user.is_notified("Press ^q to quit hotdash.")


async def test_enter_answers_the_question_whether_to_quit(opened: Open) -> None:
    async with opened() as user:
        await user.press("q")
        await user.sees("Quit hotdash")
        await user.press("enter")
        await eventually(lambda: not user.app.is_running)


async def test_one_key_quits_at_once(opened: Open) -> None:
    async with opened() as user:
        await user.press("ctrl+q")
        await eventually(lambda: not user.app.is_running)


async def test_a_dashboard_that_no_shell_has_started_says_that_it_cannot_be_suspended(opened: Open) -> None:
    async with opened() as user:
        await user.press("ctrl+z")
        await user.is_notified("hotdash can't be suspended here: no shell has started it.")


async def test_a_theme_is_chosen_from_a_list(opened: Open) -> None:
    async with opened() as user:
        before = user.app.theme
        await user.press("T")
        await user.sees("light")
        await user.press("l", "i", "g", "h", "t", "down", "enter")
        await eventually(lambda: user.app.theme != before)


async def test_the_header_says_that_there_is_no_way_back(opened: Open, peer: Peer) -> None:
    peer.world.vsn = "1986.b"
    peer.world.releases[1] = msgspec.structs.replace(
        peer.world.releases[1], status="current", probation_until=peer.world.started + 1e6,
        no_way_back="The release has no downgrade instructions, so a rollback restarts the node.",
    )  # fmt: skip
    async with opened((80, 24)) as user:
        await user.sees("NO WAY BACK")


async def test_a_long_name_does_not_push_the_rights_out_of_the_header(opened: Open, peer: Peer) -> None:
    peer.world.vsn = "1986.b-with-a-long-suffix"
    peer.world.releases[1] = msgspec.structs.replace(
        peer.world.releases[1], vsn=peer.world.vsn, status="current", probation_until=peer.world.started + 1e6
    )
    async with opened((80, 24), read_only=False) as user:
        await user.sees("…", "● live", "ARMED 14 min")


async def test_a_long_notice_ends_in_an_ellipsis(opened: Open, peer: Peer) -> None:
    async with opened((80, 24)) as user:
        peer.world.troubles = {"blocked": f"{'deeply/nested/' * 30}keeper.py:31", "loop_lag": 35.9}
        await user.sees("Event loop blocked")
        assert user.frame().splitlines()[4].rstrip().endswith("…")


async def test_the_first_enter_in_a_dialog_says_that_a_second_one_confirms(opened: Open) -> None:
    async with opened(read_only=False) as user:
        await user.press("5", "down", "U")
        await user.sees("Type 1986.b to proceed")
        await user.type("1986.b")
        await user.press("enter")
        await user.sees("Press enter once more to confirm.")
