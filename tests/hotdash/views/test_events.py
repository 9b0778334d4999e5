"""The views of events and logs: they follow, fold, filter and search, and a flood costs little."""

from __future__ import annotations

import time

import msgspec

from hotdash.model.alerts.log_filter import fold, parse_filter
from hotdash.model.units import clock
from hotdash.widgets.text_lines import ScrollingLines
from node_runtime.protocol import messages as m
from tests.support.dashboard.dashboard_pilot import Open
from tests.support.dashboard.fil_world import fil_world
from tests.support.dashboard.scripted_peer import Peer
from tests.support.waiting import eventually


def an_event(seq: int, text: str, kind: m.NodeEventKind = "log", at: float | None = None) -> m.NodeEvent:
    return m.NodeEvent(boot_id="boot-1", seq=seq, at=time.time() if at is None else at, kind=kind, text=text)


def test_a_filter_has_levels_kinds_ages_and_absent_words() -> None:
    now = 1000.0
    error = an_event(1, "error: the disk is full", at=990.0)
    warning = an_event(2, "warning: the disk is slow", at=100.0)
    started = an_event(3, "web_sup <2> started", "process", at=995.0)

    def kept(text: str) -> list[int]:
        wanted = parse_filter(text)
        return [one.seq for one in (error, warning, started) if wanted.matches(one, now)]

    assert kept("") == [1, 2, 3]
    assert kept("level:error") == [1]
    assert kept("level:warning disk") == [1, 2]
    assert kept("since:1m") == [1, 3]
    assert kept("kind:process") == [3]
    assert kept("disk !slow") == [1]
    assert kept("level:nonsense") == []
    assert kept(f"at:{clock(100.0)}") == [2]
    assert kept(f"at:{clock(990.0)[:5]}") == [1, 3]


def test_a_crash_loop_takes_as_many_lines_as_one_crash() -> None:
    crash = ["error: gen_server <%d> crashed", "warning: worker <%d> ended", "warning: worker <%d> started"]
    entries = fold(an_event(3 * n + k, text % (100 + n)) for n in range(50) for k, text in enumerate(crash))
    assert [one.times for one in entries] == [50, 50, 50]
    assert entries[0].event.text == "error: gen_server <149> crashed"


def test_the_lines_are_in_the_order_of_the_times_that_they_show() -> None:
    texts = ["error: job 1 failed", "warning: the disk is slow", "error: job 2 failed"]
    entries = fold(an_event(n, text, at=1000.0 + n) for n, text in enumerate(texts))
    assert [(one.event.at, one.times) for one in entries] == [(1001.0, 1), (1002.0, 2)]


def test_processes_with_different_names_are_not_folded_and_those_without_a_name_are_counted_as_alike() -> None:
    rooms = ["room room3 <75> started", "room room4 <76> started", "room-3 <77> started", "room-4 <78> started"]
    entries = fold(an_event(n, text, "process") for n, text in enumerate([*rooms, "<79> started", "<80> started"]))
    assert [(one.event.text, one.times) for one in entries] == [*((text, 1) for text in rooms), ("<80> started", 2)]


async def test_events_open_at_the_newest_line_and_follow(opened: Open, peer: Peer) -> None:
    async with opened() as user:
        for number in range(80):
            peer.emit("release", f"release {'abcdefghij'[number % 10]}{'x' * number}z")
        await eventually(lambda: len(user.app.node.log) >= 80)
        await user.press("7")
        await user.sees("x" * 79 + "z", "follows")
        peer.emit("release", "the newest of all")
        await user.sees("the newest of all")
        await user.press("g")
        await user.sees("0 newer: G follows again")
        peer.emit("release", "one more that is not shown")
        await user.sees("1 newer: G follows again")
        assert "one more that" not in user.frame()
        await user.press("G")
        await user.sees("one more that is not shown", "follows")


async def test_logs_are_searched_filtered_and_apart_from_events(opened: Open, peer: Peer) -> None:
    async with opened() as user:
        for number in range(100):
            peer.emit(
                "log", f"error: number {number} failed{' by a needle' if number in (3, 40) else ''}{'.' * number}"
            )
        peer.emit("process", "worker <9> started")
        await eventually(lambda: len(user.app.node.log) >= 101)
        await user.press("8")
        await user.sees("number 99", "100 events", "follows")
        assert "worker <9>" not in user.frame()
        await user.press("ctrl+f")
        await user.type("needle")
        await user.press("enter")
        await user.sees("number 40 failed by a needle", "2 lines with 'needle'")
        await user.press("N")
        await user.sees("number 3 failed by a needle")
        await user.press("n")
        await user.sees("number 40 failed by a needle")
        await user.press("escape", "slash")
        await user.type("level:critical")
        await user.sees("Nothing matches the filter.")


async def test_a_flood_is_applied_in_batches(opened: Open, peer: Peer) -> None:
    async with opened() as user:
        await user.press("8")
        drawn = 0
        show = user.app.draw

        def counted() -> None:
            nonlocal drawn
            drawn += 1
            show()

        user.app.draw = counted  # type: ignore[method-assign]
        for number in range(2000):
            peer.emit("log", f"warning: line {number}")
        peer.emit("log", "error: after the flood")
        await user.sees("after the flood")
        assert drawn < 1000
        assert user.app.node.log[-1].text == "error: after the flood"
        assert user.app.main_screen.query_one("#logs ScrollingLines", ScrollingLines).follows


async def test_what_is_wrong_is_listed_and_a_key_goes_there(opened: Open, peer: Peer) -> None:
    peer.world.troubles = {
        "restarting": (
            m.RestartingSupervisor(
                pid=10, name="fil_sup", used=4, intensity=5, period=10.0, per_minute=23, child="tag1",
                reason="KeyError 'turns'", at=time.time(), since=time.time() - 600.0,
            ),
        ),
        "mailboxes": (m.GrowingMailbox(pid=4, name="web_listener", waiting=12_400, growth=310.0),),
    }  # fmt: skip
    peer.world.modules[1] = msgspec.structs.replace(peer.world.modules[1], old_vsn="1985.z", old_pids=(12,))
    async with opened((140, 40)) as user:
        await user.sees(
            "wrong now: 3",
            "1 fil_sup restarts children for 10 min, last tag1: KeyError 'turns'; 23 per minute",
            "4 of 5 restarts in 10 s used", "the mailbox of web_listener <4> grows: 12.4 k messages, +310/s",
            "4 1 module draining in 1 process",
        )  # fmt: skip
        await user.press("w")
        await eventually(lambda: (key := user.app.selected().process) is not None and key.pid == 12)
        await user.press("w")
        await eventually(lambda: (key := user.app.selected().process) is not None and key.pid == 4)
        await user.press("w")
        await eventually(lambda: user.app.selected().module == "fil.color_fsm")
        await user.press("1")
        await user.pilot.resize_terminal(80, 24)
        await user.sees("1 fil_sup restarts children for 10 min, last tag1: KeyError 'turns'")


async def test_the_key_of_a_process_right_after_that_of_a_trouble_opens_the_process_of_the_trouble(
    opened: Open, peer: Peer
) -> None:
    """The view that the trouble opens has no rows yet when the second key is pressed."""
    peer.world.troubles = {"mailboxes": (m.GrowingMailbox(pid=4, name="web_listener", waiting=12_400, growth=310.0),)}
    async with opened((140, 40)) as user:
        await user.sees("wrong now: 1")
        await user.type("w3")
        await user.sees("web_listener <4>")


async def test_the_key_goes_on_to_the_next_trouble_although_errors_keep_coming(opened: Open, peer: Peer) -> None:
    """The sentence about errors changes with each error; it is the worst trouble, so the key would never leave it."""
    peer.world.troubles = {"mailboxes": (m.GrowingMailbox(pid=4, name="web_listener", waiting=12_400, growth=310.0),)}
    async with opened((80, 24)) as user:
        peer.emit("log", "error: first")
        await user.sees("wrong now: 2", "8 1 error logged in 5 min", "2 the mailbox of web_listener")
        await user.press("w")
        await user.sees("1 event")
        peer.emit("log", "error: second")
        await user.sees("2 events")
        await user.press("w")
        await eventually(lambda: (key := user.app.selected().process) is not None and key.pid == 4)


async def test_the_line_about_a_crash_says_why_without_the_state(opened: Open, peer: Peer) -> None:
    async with opened((120, 40)) as user:
        peer.emit(
            "log", "error: gen_server till <4> crashed: KeyError: 'coin'; last message: buy(1); state: Till(open=1)"
        )
        await user.sees("1 error logged in 5 min", "gen_server till <4> crashed: KeyError: 'coin'")
        assert "Till(open=1)" not in user.frame()
        peer.emit("log", "error: gen_server till <9> crashed: KeyError: 'coin'; last message: sell('x'); state: Till()")
        await user.press("8")
        await user.sees("sell('x')", "and 1 like")


async def test_a_block_of_the_event_loop_during_the_start_is_no_trouble(opened: Open, peer: Peer) -> None:
    blocked = "warning: the event loop was blocked for 1.6 s at schema.py:53 (build)"
    peer.world.started = time.time()
    async with opened((140, 40)) as user:
        peer.emit("log", blocked)
        peer.emit("log", "error: after the start")
        await user.sees("wrong now: 1", "after the start")
        assert "event loop was blocked" not in user.frame()
        world = fil_world()
        world.boot_id = "boot-2"
        peer.restart(world)
        await user.sees("fil@127.0.0.1 was restarted")
        peer.emit("log", blocked)
        await user.sees("the event loop was blocked for 1.6 s")


async def test_a_low_terminal_shows_more_than_one_trouble(opened: Open, peer: Peer) -> None:
    peer.world.troubles = {"mailboxes": (m.GrowingMailbox(pid=4, name="web_listener", waiting=12_400, growth=310.0),)}
    async with opened((80, 24)) as user:
        peer.emit("log", f"error: {'a long message ' * 20}")
        await user.sees("wrong now: 2", "message …", "2 the mailbox of web_listener")


async def test_a_blocked_event_loop_is_not_called_live(opened: Open, peer: Peer) -> None:
    async with opened((140, 40)) as user:
        peer.world.troubles = {"blocked": "keeper.py:31 (Keeper.handle_info)", "loop_lag": 35.9}
        await user.sees("◐ blocked", "at keeper.py:31 (Keeper.handle_info)", "'bin/fil restart' restarts the node")
        peer.world.troubles = {}
        await user.sees("● live")


async def test_the_traceback_of_a_logged_exception_is_shown_and_hidden(opened: Open, peer: Peer) -> None:
    calls = ("/srv/node/releases/2.0/apps/shop/src/shop/pay.py:12 pay", "caused by KeyError: 'total'")
    async with opened() as user:
        peer.emit("log", "warning: the disk is slow")
        peer.emit("log", "error: a payment failed: ValueError: no total at shop/pay.py:12 pay", trace=calls)
        await user.press("8")
        await user.sees("a payment failed", "space shows tracebacks")
        assert "caused by" not in user.frame()
        await user.press("space")
        await user.sees("shop/pay.py:12 pay", "caused by KeyError: 'total'", "space hides tracebacks")
        assert "/srv/node" not in user.frame()
        await user.press("space")
        await user.sees("space shows tracebacks")
        assert "caused by" not in user.frame()


async def test_without_a_traceback_no_key_for_tracebacks_is_named(opened: Open, peer: Peer) -> None:
    async with opened() as user:
        peer.emit("log", "warning: the disk is slow")
        await user.press("8")
        await user.sees("the disk is slow")
        assert "tracebacks" not in user.frame()
