"""The screen of one process, by keys: state, relations as jumps, search, recordings, actions and reports."""

from __future__ import annotations

import json
import time

import pytest

from node_runtime.protocol import messages as m
from tests.support.dashboard.dashboard_pilot import Open
from tests.support.dashboard.fil_world import FSM, a_process, integer, machine, string
from tests.support.dashboard.scripted_peer import Peer
from tests.support.waiting import eventually


@pytest.fixture(autouse=True)
def busy_world(peer: Peer) -> None:
    """fil, whose machine waits for a clock and has messages, timeouts and a past."""
    world = peer.world
    now = time.time()
    world.processes.append(a_process(13, "fil_clock", "gen_server", 10, child_id="clock", mailbox=4))
    world.states[13] = m.Term(type="fil.clock.Clock", items=(("zone", string("UTC")),))
    world.change(FSM, mailbox=12, restarts=3)
    world.inspected[FSM] = {
        "running": "olive", "callback_seconds": 3.2, "waits_for": (13,),
        "stack": ("fil/color_fsm.py:31 ColorFsm.olive",),
        "waited_by": (4,), "waited_by_count": 1, "arguments": "'tag1', 4.0",
        "mail": (
            m.Term(type="cast", text="turn", items=(("degrees", integer(90)),)),
            m.Term(type="str", text="'\x1b]52;c;evil\x07[bold]no markup[/bold]'"),
        ),
        "timeouts": (m.PendingTimeout(name="cycle", scope="state", seconds=2.5, content=string("next")),),
        "exits": (
            m.ProcessExit(
                pid=9, started=now - 90, ended=now - 60, reason="KeyError: 'turns'", orderly=False, vsn="f00d",
                last_message="turn(90)", state="ColorFsm(olive)",
                trace=(
                    "/srv/fil/lib/fil-1986.a/src/fil/color_fsm.py:31 ColorFsm.olive",
                    "caused by OSError: the whole clock has stopped, and nobody knows since when or for how long",
                    "/usr/lib/python3.12/json/decoder.py:337 JSONDecoder.decode",
                ),
            ),
        ),
    }  # fmt: skip


async def test_enter_shows_state_timeouts_waits_mailbox_stack_and_past(opened: Open) -> None:
    async with opened(size=(120, 40)) as user:
        await user.press("3")
        await user.sees("fil_color_fsm <12>", "in state olive", "in olive for 3.2 s", "waits for", "fil_clock <13>")
        await user.sees("1 pending timeout", "cycle  fires in 2.5 s  until the state changes  'next'")
        await user.sees("mailbox  12 messages", "cast turn(degrees=90)", "… 10 newer", "ColorFsm.olive")
        await user.sees("KeyError: 'turns'", "waited for by", "web_listener <4>", "restarts\xa03", "('tag1', 4.0)")
        assert "\x1b" not in user.frame()
        await user.sees("[bold]no markup")
        await user.press("escape")
        await user.sees("supervision tree")


@pytest.mark.parametrize("size", [(120, 40), (200, 60)])
async def test_a_crash_report_of_a_predecessor_is_shown_as_a_whole(opened: Open, size: tuple[int, int]) -> None:
    async with opened(size=size) as user:
        await user.press("3")
        await user.sees("fil_color_fsm <12>")
        await user.press("tab", "G")
        await user.sees("state ColorFsm(olive)", "version of the module f00d", "ended at ")
        await user.press("k", "k", "k", "k", "k", "k", "k", "k", "k", "k")
        await user.sees("<9> 1 min ago, after 30 s: KeyError: 'turns'", "was handling turn(90)", "outermost call first")
        await user.sees("  fil/color_fsm.py:31 ColorFsm.olive", "json/decoder.py:337 JSONDecoder.decode")
        await user.sees("caused by OSError: the whole clock has stopped", "how long")


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_the_screen_fits_small_and_large_terminals(opened: Open, size: tuple[int, int]) -> None:
    async with opened(size=size) as user:
        await user.press("3")
        await user.sees("fil_color_fsm <12>", "turns  41", "around it", "waits for", "? help")


async def test_a_related_process_is_a_jump_and_the_way_back_is_remembered(opened: Open) -> None:
    async with opened() as user:
        await user.press("3")
        await user.sees("→ fil_clock <13>")
        await user.press("tab", "down", "enter")
        await user.sees("fil_clock <13>  gen_server", "zone  'UTC'", "visited before and after: [ 1")
        await user.press("left_square_bracket")
        await user.sees("turns  41", "visited before and after: ] 1")
        await user.press("right_square_bracket")
        await user.sees("zone  'UTC'")
        await user.press("right_square_bracket")
        await user.is_notified("no process after this one")


async def test_what_moved_is_measured_from_the_last_look(opened: Open, peer: Peer) -> None:
    async with opened() as user:
        await user.press("3")
        await user.sees("turns  41")
        peer.world.states[FSM] = machine("olive", turns=integer(42), since=string("noon"))
        await user.sees("2 changes since", "turns  42  was 41", "since  'noon'  new")
        await user.press("escape")
        await user.sees("supervision tree")
        peer.world.states[FSM] = machine("olive", turns=integer(50), since=string("noon"))
        await user.press("3")
        await user.sees("1 change since", "turns  50  was 42")
        await user.press("s")
        await user.is_notified("relative to the present state")
        peer.world.states[FSM] = machine("olive", turns=integer(51), since=string("noon"))
        await user.sees("turns  51  was 50")


async def test_lines_are_folded_filtered_and_searched(opened: Open, peer: Peer) -> None:
    text = "x" * 200
    deep = m.Term(type="dict", items=(("a", m.Term(type="dict", items=(("needle", integer(7)),))),))
    middle = m.Term(type="dict", items=(("deep", m.Term(type="dict", items=(("deeper", deep),))),))
    peer.world.states[FSM] = machine("olive", book=middle, essay=string(text))
    async with opened() as user:
        await user.press("3")
        await user.sees("essay  'xxx", "deep  dict")
        assert "needle" not in user.frame()
        await user.press("ctrl+f")
        await user.type("needle")
        await user.press("enter")
        await user.sees("needle  7")
        await user.press("left", "left")
        await user.press("slash")
        await user.type("clock")
        await user.press("enter")
        await user.sees("fil_clock <13>", "filter")
        assert "cast turn" not in user.frame()
        await user.press("escape")
        await user.sees("cast turn", "essay")


async def test_an_ended_process_keeps_its_last_view_and_names_its_successor(opened: Open, peer: Peer) -> None:
    async with opened() as user:
        await user.press("3")
        await user.sees("turns  41")
        peer.world.end(FSM)
        peer.world.processes.append(a_process(77, "fil_color_fsm", "gen_statem", 10, state_name="olive"))
        await user.sees("<12> has ended: killed", "Below is its last view", "fil_color_fsm <77>  its successor")
        await user.press("tab", "home", "enter")
        await user.sees("fil_color_fsm <77>  gen_statem")


async def test_log_trace_and_suspend_are_for_an_armed_operator(opened: Open, peer: Peer) -> None:
    async with opened() as user:
        await user.press("3")
        await user.sees("turns  41")
        await user.press("L")
        await user.is_notified("read-only")
        assert not peer.asked("log_process")
        await user.press("exclamation_mark")
        await user.sees("Arm fil")
        await user.press("tab", "enter")
        await user.sees("ARMED")
        await user.press("L")
        await user.sees("Keep a log: fil_color_fsm <12>", "Reason")
        await user.press("enter")
        await user.sees("log  the newest 1 event", "turn(degrees=90)")
        await user.press("L", "F")
        await user.sees("Trace: fil_color_fsm <12>", "For (s)")
        await user.press("enter")
        await user.sees("trace  ", "7 left out", "'traced'")
        assert [one.on for one in peer.asked("log_process")] == [True, False]
        assert [(one.seconds, one.boot_id) for one in peer.asked("trace_process")] == [(10.0, "boot-1")]
        await user.press("Z")
        await user.sees("Suspend: fil_color_fsm <12>", "may time out")
        await user.press("shift+tab")
        await user.type("slow")
        await user.press("enter", "enter")
        await user.sees("suspended by an operator", "Z resumes it.")
        assert [(one.seconds, one.reason) for one in peer.asked("suspend_process")] == [(60.0, "slow")]
        await user.press("Z")
        await user.is_notified("is resumed")
        await user.sees("idle")


async def test_a_report_is_copied_and_nothing_in_it_is_markup(opened: Open, peer: Peer) -> None:
    peer.world.states[FSM] = machine("olive", turns=string("``` # no heading <b>"))
    async with opened() as user:
        await user.press("3")
        await user.sees("no heading")
        await user.press("b")
        await user.is_notified("as Markdown")
        report = user.app.clipboard
        assert report.startswith("# Process fil color fsm <12>")
        assert "````text\n" in report
        assert "KeyError: 'turns'" in report
        assert "\x1b" not in report
        await user.press("J")
        await user.is_notified("as JSON")
        seen = json.loads(user.app.clipboard)
        assert (seen["process"]["process"]["pid"], seen["node"]["boot_id"]) == (FSM, "boot-1")
        await user.press("c")
        await user.is_notified("hotdash process fil@127.0.0.1 12")


async def test_the_process_on_the_screen_is_killed_with_a_reason(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await user.press("enter")
        await user.sees("→ fil_clock <13>")
        await user.press("tab", "down", "enter")
        await user.sees("zone  'UTC'")
        await user.press("K")
        await user.sees("Kill fil_clock", "Reason, in the audit log", "<13>")
        await user.press("shift+tab")
        await user.type("stuck")
        await user.press("enter", "enter")
        await user.is_notified("kill fil_clock <13>")
    assert [(one.pid, one.boot_id, one.reason) for one in peer.asked("kill_process")] == [(13, "boot-1", "stuck")]


async def test_the_screen_of_an_ended_process_leads_to_its_successor_and_offers_no_change(
    opened: Open, peer: Peer
) -> None:
    async with opened(read_only=False) as user:
        await user.press("3")
        await user.sees("turns  41", "R restart")
        peer.world.processes[:] = [one for one in peer.world.processes if one.pid != FSM]
        peer.world.processes.append(a_process(14, "fil_color_fsm", "gen_server", 10, child_id="fil_color_fsm"))
        await user.sees("Process <12> has ended: killed", "] opens fil_color_fsm <14>  its successor")
        assert "Find its successor" not in user.frame()
        await eventually(lambda: "R restart" not in user.frame())
        for key in ("R", "K", "L", "F", "Z"):
            await user.press(key)
            await user.is_notified("Process <12> has ended: killed")
            user.app.clear_notifications()
        await user.press("right_square_bracket")
        await user.sees("fil_color_fsm <14>", "R restart")


async def test_a_process_that_ends_before_its_first_answer_leads_to_its_successor(opened: Open, peer: Peer) -> None:
    async with opened() as user:
        await user.sees("fil_color_fsm")
        user.app.toggle_pause()  # the row stays on the screen
        peer.world.processes[:] = [one for one in peer.world.processes if one.pid != FSM]
        peer.world.processes.append(a_process(14, "fil_color_fsm", "gen_server", 10, child_id="fil_color_fsm"))
        await user.press("3")
        await user.sees("Process <12> has ended: killed", "] opens fil_color_fsm <14>  its successor")
        user.app.toggle_pause()
        await user.press("right_square_bracket")
        await user.sees("fil_color_fsm <14>  gen_server")


async def test_from_an_ended_process_in_the_overview_its_successor_is_opened(opened: Open, peer: Peer) -> None:
    async with opened() as user:
        await user.sees("turns  41")
        peer.world.processes[:] = [one for one in peer.world.processes if one.pid != FSM]
        peer.world.processes.append(a_process(14, "fil_color_fsm", "gen_server", 10, child_id="fil_color_fsm"))
        await user.sees("has ended", "Its successor is <14>.")
        await user.press("3")
        await user.sees("fil_color_fsm <14>  gen_server")
        await user.is_notified("this is its successor <14>")
