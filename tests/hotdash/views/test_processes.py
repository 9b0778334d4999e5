"""The tree and the list of processes on a node with more processes than the dashboard holds."""

from __future__ import annotations

from node_runtime.protocol import messages as m
from tests.support.dashboard.dashboard_pilot import Open
from tests.support.dashboard.fil_world import a_process
from tests.support.dashboard.scripted_peer import Peer
from tests.support.waiting import eventually

POOL = 100
FIRST = 1000


def add_pool(peer: Peer, size: int = 2000) -> None:
    """A pool of `size` workers below the supervisor of fil."""
    peer.world.processes.append(
        a_process(POOL, "pool", "supervisor", 10, module="fil.pool", strategy="simple_one_for_one")
    )
    peer.world.processes += [
        a_process(FIRST + number, None, "gen_server", POOL, module="fil.worker", child_id="worker", mailbox=number % 7)
        for number in range(size)
    ]


def rows_asked(peer: Peer, method: str) -> int:
    """The most rows that any request has asked for."""
    return max(int(query.limit) for query in peer.asked(method))


async def test_an_open_pool_is_read_in_windows_and_keeps_the_cursor_on_a_row(opened: Open, peer: Peer) -> None:
    add_pool(peer)
    async with opened() as user:
        await user.sees("worker")
        await user.press("G")
        await user.sees("+1,950 more")
        await user.press("space")
        await user.sees(f"● worker  <{FIRST + 50}>")
        await user.press("G")
        await user.sees(f"<{FIRST + 1999}>")
        await user.press("g")
        await user.sees("▾ web")
        assert rows_asked(peer, "tree") < 200
        assert not peer.asked("snapshot")


async def test_a_moved_cursor_asks_for_one_process_and_no_window(opened: Open, peer: Peer) -> None:
    add_pool(peer)
    async with opened() as user:
        await user.sees("● fil_color_fsm  <12>", "worker")
        await eventually(lambda: rows_asked(peer, "tree") > 40, what="the request for a window of the screen's height")
        windows = {(query.offset, query.limit, query.open) for query in peer.asked("tree")}
        await user.press("down", "down", "down")
        await eventually(lambda: peer.asked("state")[-1].pid == FIRST + 1)
        await user.sees(f"● worker  <{FIRST + 1}>")
        assert {(query.offset, query.limit, query.open) for query in peer.asked("tree")} == windows


async def test_a_filter_moves_the_cursor_to_what_it_finds(opened: Open, peer: Peer) -> None:
    add_pool(peer)
    async with opened() as user:
        await user.sees("● fil_color_fsm  <12>")
        await user.press("slash")
        await user.type("listener")
        await user.sees("● web_listener  <4>")


async def test_a_filter_of_the_list_selects_its_first_match_when_it_hides_the_selected_process(opened: Open) -> None:
    async with opened() as user:
        await user.press("2")
        await user.sees("4 processes  by pid", "o sort by another column")
        await user.press("slash")
        await user.type("color")
        await user.press("enter")
        await user.sees("1 match color", "● fil_color_fsm  <12>")
        await user.press("3")
        await user.sees("around it")


async def test_a_wrong_filter_is_explained_and_the_one_before_stays(opened: Open, peer: Peer) -> None:
    async with opened() as user:
        await user.press("2")
        await user.sees("4 processes  by pid")
        await user.press("slash")
        await user.pilot.press(*"mail", "greater_than_sign", *"x")
        await user.sees("mail is a number, but 'x' is not;")


async def test_the_list_is_sorted_by_the_node_and_says_so(opened: Open, peer: Peer) -> None:
    add_pool(peer, 300)
    async with opened() as user:
        await user.press("2")
        await user.sees("305 processes  by pid", "pid ↓", "msg/s")
        await user.press("o", "o")
        await user.sees("305 processes  by mail", "mail ↓")
        await eventually(lambda: peer.asked("processes")[-1].order == "mail")
        await user.press("i")
        await user.sees("by mail, reversed", "mail ↑")
        assert rows_asked(peer, "processes") < 200


async def test_marked_processes_are_killed_together_after_one_question(opened: Open, peer: Peer) -> None:
    add_pool(peer, 30)
    async with opened(read_only=False) as user:
        await user.press("2")
        await user.sees("35 processes")
        await user.press("G", "k", "space", "space")
        await user.sees("2 marked", "✓<1029>", "✓<1028>")
        await user.press("K")
        await user.sees("Kill 2 marked processes", "worker <1028>", "Type 2 to proceed")
        await user.type("2")
        await user.press("enter", "enter")
        await user.is_notified("The node has accepted 2 of 2 requests to kill.")
        assert peer.asked("kill_process") == [
            m.ProcessTarget(pid=pid, boot_id=peer.world.boot_id) for pid in (1028, 1029)
        ]


async def test_regular_expressions_are_applied_to_the_rows_that_the_dashboard_has(opened: Open, peer: Peer) -> None:
    add_pool(peer, 3000)
    async with opened() as user:
        await user.press("2")
        await user.sees("3,005 processes")
        await user.press("slash")
        await user.pilot.press(*"mail", "greater_than_sign", *"2 ", "tilde", *"100[0-9]", "dollar_sign")
        await user.sees("of the first 1,000 match ~100[0-9]$", "<1003>", "<1006>")
        assert "<1007>" not in user.frame()
        assert all("~" not in str(query.filter) for query in peer.asked("processes"))
        await user.pilot.press("left_parenthesis")
        await user.sees("A regular expression of the filter is wrong")


async def test_a_tree_explains_that_it_takes_no_regular_expression(opened: Open) -> None:
    async with opened() as user:
        await user.sees("● fil_color_fsm  <12>")
        await user.press("slash")
        await user.pilot.press("tilde", *"fil")
        await user.sees("work in the list of")


async def test_columns_are_chosen_by_a_key(opened: Open) -> None:
    async with opened() as user:
        await user.press("2")
        await user.sees("state  status", "msg/s")
        await user.press("t")
        await user.sees("Columns of the processes", "✓ pid", "✓ msg/s")
        await user.press("down", "down", "down", "down", "down", "space", "enter")
        await eventually(lambda: "state  status" not in user.frame(), within=60)
        await user.sees("msg/s")


async def test_a_list_that_does_not_follow_stays_at_the_first_rows(opened: Open, peer: Peer) -> None:
    add_pool(peer, 300)
    async with opened() as user:
        await user.press("2", "f")
        await user.sees("305 processes  by pid  not following")
        await user.press("o", "o")
        await user.sees("by mail")
        await eventually(lambda: peer.asked("processes")[-1].order == "mail", within=60)
        assert peer.asked("processes")[-1].follow is None
        await user.press("f")
        await eventually(lambda: peer.asked("processes")[-1].follow is not None, within=60)
