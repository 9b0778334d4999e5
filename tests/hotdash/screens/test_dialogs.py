"""The dialogs: confirmation, the typed version, and the file to stage."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from textual.widgets import Button, Input

from hotdash.widgets.bars import KeyBar
from node_runtime.protocol import messages as m
from tests.support.dashboard.dashboard_pilot import Open
from tests.support.dashboard.fil_world import a_plan
from tests.support.dashboard.scripted_peer import Peer
from tests.support.waiting import eventually


async def test_an_immediate_enter_and_esc_do_nothing(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        for answer in ("enter", "escape"):
            await user.press("R")
            await user.sees("Restart fil_color_fsm")
            await user.press(answer)
            await eventually(lambda: "Cancel" not in user.frame())
        assert not peer.asked("restart_process")


async def test_an_upgrade_needs_the_version_typed(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await user.press("5", "down", "U")
        await user.sees("plan 3f9a1c", "on fil@127.0.0.1", "$ hotdash upgrade fil@127.0.0.1 1986.b --yes")
        await user.press("enter")
        await user.sees("To proceed, type exactly 1986.b.")
        await user.type("1986.a")
        await user.sees("$ hotdash upgrade fil@127.0.0.1 1986.b --yes")
        await user.press("enter", "enter", "tab", "enter")
        assert not peer.asked("install")


async def test_the_buttons_of_a_question_are_reached_in_the_smallest_terminal_too(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await user.press("5", "down", "U")
        await user.sees("Type 1986.b to proceed")
        await user.pilot.resize_terminal(60, 15)
        await user.type("1986.b")
        await user.press("enter")
        dialog = user.app.screen.query_one("Vertical")
        await eventually(lambda: all(dialog.region.contains_region(button.region) for button in dialog.query(Button)))
        assert user.app.focused is not None
        assert user.app.focused.id == "do"


async def test_a_toast_covers_neither_the_fields_nor_the_buttons_of_a_dialog(opened: Open, peer: Peer) -> None:
    async with opened((80, 24), read_only=False) as user:
        await user.press("5", "down", "x")
        await user.is_notified("x does nothing here")
        await user.press("U")
        await user.sees("Type 1986.b to proceed", "Cancel")
        assert not user.toasts()
        user.app.show_toast("Something has happened elsewhere meanwhile, and it takes a long sentence to say so.")
        await user.sees("Something has happened", "Reason, in the audit log", "Type 1986.b to proceed", "Cancel")
        toasts, answer = user.app.screen.query_one("ToastRack"), user.app.screen.query_one("#answer")
        assert toasts.region.bottom <= answer.region.y


async def test_a_digit_goes_to_the_seconds_of_a_trace_and_other_text_to_its_reason(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await user.press("3")
        await user.sees("F trace")
        await user.press("F")
        await user.sees("Trace: fil_color_fsm", "For (s)")
        await user.type("25")
        await user.sees("--seconds 25")
        await user.press("escape", "F")
        await user.sees("Trace: fil_color_fsm", "For (s)")
        await user.type("odd replies")
        await user.sees("--seconds 10 --reason 'odd replies'")


async def test_a_long_question_leaves_its_fields_and_buttons_on_the_screen_and_is_read_by_page_down(
    opened: Open, peer: Peer
) -> None:
    warnings = tuple(f"warning {number} of the plan, which is a long one" for number in range(30))
    peer.world.plans["1986.b"] = a_plan("1986.b", warnings=warnings)
    async with opened((80, 24), read_only=False) as user:
        await user.press("5", "down", "U")
        await user.sees("on fil@127.0.0.1", "Type 1986.b to proceed", "$ hotdash upgrade", "Cancel")
        assert "warning 29" not in user.frame()
        await user.press("pagedown", "pagedown", "pagedown", "pagedown")
        await user.sees("warning 29", "Type 1986.b to proceed", "Cancel")
        await user.press("pageup", "pageup", "pageup", "pageup")
        await user.sees("on fil@127.0.0.1")


async def test_the_downgrade_key_does_not_upgrade(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await user.press("5", "down", "D")
        await user.is_notified("Going from 1986.a to 1986.b is an upgrade; press U.")
        assert not peer.asked("install")


async def test_a_restart_into_a_release_says_what_is_lost_and_needs_the_version_typed(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await user.press("5", "down", "C")
        await user.sees("Restart into 1986.b", "Lost: the states of all processes", "1986.b --cold --yes")
        await user.press("enter", "enter")
        assert not peer.asked("install")
        await user.type("1986.b")
        await user.press("enter", "enter")
        await eventually(lambda: peer.asked("install"))
        assert peer.asked("install")[0].cold


async def test_staging_uploads_the_file_and_selects_the_release(opened: Open, peer: Peer, tmp_path: Path) -> None:
    tarball = tmp_path / "fil-1986.d.tar.gz"
    tarball.write_bytes(b"release" * 100_000)
    async with opened(read_only=False) as user:
        await user.press("S")
        await user.sees("Stage a release")
        user.app.screen.query_one(Input).value = str(tmp_path / "nothing.tar.gz")
        await user.press("enter")
        await user.sees("There is no file")
        user.app.screen.query_one(Input).value = str(tarball)
        await user.press("enter")
        await user.sees("fil 1986.d", "5 Releases")
        assert bytes(peer.uploaded) == tarball.read_bytes()
        await eventually(lambda: user.app.selected().vsn == "1986.d")


async def test_a_tarball_is_chosen_from_a_list_newest_first(
    opened: Open, peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "releases"
    (folder / "old").mkdir(parents=True)
    for number, name in enumerate(("fil-1986.e.tar.gz", "fil-1986.d.tar.gz", "notes.txt")):
        (folder / name).write_bytes(b"release" * 1000)
        os.utime(folder / name, (1_000_000_000 + number, 1_000_000_000 + number))
    monkeypatch.chdir(folder)
    async with opened(read_only=False) as user:
        await user.press("S")
        await user.sees("fil-1986.d.tar.gz", "fil-1986.e.tar.gz", "old/", "7.0 kB")
        assert "notes.txt" not in user.frame()
        await user.type("no")
        await user.sees("No tarball and no folder begins with no.")
        user.app.screen.query_one(Input).value = str(folder)
        await user.press("enter")
        await user.sees("is a folder; choose a tarball in it.")
        user.app.screen.query_one(Input).value = ""
        await eventually(lambda: "is a folder" not in user.frame())
        await user.press("down", "enter")
        await eventually(lambda: user.app.screen.query_one(Input).value == "fil-1986.d.tar.gz")
        await user.press("enter")
        await user.sees("fil 1986.d", "5 Releases")
    assert bytes(peer.uploaded) == b"release" * 1000


async def test_a_text_that_is_typed_on_a_button_is_the_reason(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await user.press("R")
        await user.sees("Restart fil_color_fsm", "Reason, in the audit log")
        await user.type("it hangs")
        await user.sees("$ hotdash restart fil@127.0.0.1 12 --yes --reason 'it hangs'")
        await user.press("enter", "enter")
        await eventually(lambda: peer.asked("restart_process"))
        assert peer.asked("restart_process")[0].reason == "it hangs"


async def test_the_arrows_go_from_one_button_to_the_other(opened: Open) -> None:
    async with opened() as user:
        await user.press("exclamation_mark")
        await user.sees("Arm fil@127.0.0.1")
        for key, button in (("right", "do"), ("left", "cancel"), ("left", "do")):
            await user.press(key)
            assert user.app.focused is not None
            assert user.app.focused.id == button
        await user.press("enter")
        await user.sees("ARMED")


async def test_a_viewer_is_not_offered_to_arm(opened: Open, peer: Peer) -> None:
    peer.world.role = "viewer"
    async with opened() as user:
        await user.sees("READ-ONLY (viewer)")
        bar = user.app.screen.query_one(KeyBar)
        await eventually(lambda: [one.allowed for one in bar.keys if one.action_id == "arm"] == [False])


async def test_the_help_does_not_end_a_plan_that_is_being_made(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await user.press("5", "down")
        await user.sees("1986.b  unpacked")
        peer.silent = True
        await user.press("p")
        planning = next(worker for worker in user.app.workers if worker.name == "plan")
        await user.press("question_mark")
        await user.sees("esc closes")
        assert not planning.is_cancelled
        peer.silent = False


async def test_a_release_is_removed_after_a_question(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await user.press("5", "down", "M")
        await user.sees("Remove 1986.b", "fil 1986.b is unpacked", "$ hotdash remove fil@127.0.0.1 1986.b --yes")
        await user.press("enter")
        await eventually(lambda: "Cancel" not in user.frame())
        assert not peer.asked("remove")
        await user.press("M")
        await user.sees("Remove 1986.b", "Cancel")
        await user.press("tab", "enter")
        await user.is_notified("fil 1986.b is removed from fil@127.0.0.1.")
        assert peer.asked("remove") == [m.ReleaseVsn(vsn="1986.b")]
        await eventually(lambda: "1986.b" not in user.frame())


async def test_a_release_that_cant_be_removed_is_explained_by_its_status_or_by_the_node(
    opened: Open, peer: Peer
) -> None:
    peer.refuse["remove"] = (
        "Release 1986.b can't be removed now: a rollback from 1986.c to 1986.a has to install it in between. "
        "Commit or roll back, then remove it."
    )
    async with opened(read_only=False) as user:
        await user.press("5", "M")
        await user.is_notified("Release 1986.a is running; install another release before you remove this one.")
        await user.press("down", "M")
        await user.sees("Remove 1986.b", "Cancel")
        await user.press("tab", "enter")
        await user.is_notified("Commit or roll back, then remove it.")
        assert len(peer.world.releases) == 3
