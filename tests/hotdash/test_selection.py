"""A selection is an object and never a row, in views and in dialogs."""

from __future__ import annotations

import msgspec
import pytest

from hotdash.model.selection import ProcessKey
from hotdash.model.view_state import Selection
from node_runtime.protocol import messages as m
from tests.support.dashboard.dashboard_pilot import Open
from tests.support.dashboard.fil_world import FSM, a_process
from tests.support.dashboard.scripted_peer import Peer
from tests.support.waiting import eventually


async def test_selection_stays_on_its_process_when_rows_move(opened: Open, peer: Peer) -> None:
    async with opened() as user:
        key = ProcessKey("boot-1", FSM)
        assert user.app.selected().process == key
        for pid in range(5, 9):
            peer.world.processes.insert(0, a_process(pid, f"aaa_{pid}", "gen_server", 3, application="web"))
        peer.emit("process", "more of them")
        await user.sees("aaa_5", "aaa_8")
        assert user.app.selected().process == key
        peer.world.end(4)
        peer.emit("process", "one less")
        await eventually(lambda: "web_listener" not in user.frame())
        assert user.app.selected().process == key


async def test_an_ended_process_is_shown_as_gone_and_no_other_takes_its_place(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        peer.world.end(FSM)
        peer.world.processes.append(a_process(31, "fil_color_fsm", "gen_statem", 10, state_name="olive"))
        peer.emit("process", "fil_color_fsm was restarted")
        await user.sees("✖ fil_color_fsm <12> has ended.", "Its successor is <31>.")
        assert user.app.selected().process is None
        await user.press("K")
        await user.is_notified("Select a process in the overview first.")
        assert not peer.asked("kill_process")


async def test_a_narrow_list_says_that_the_selected_process_has_ended_and_enter_opens_its_successor(
    opened: Open, peer: Peer
) -> None:
    async with opened((80, 24), read_only=False) as user:
        await user.press("2", "slash")
        await user.type("fil_color\r")
        await user.press("home")
        await user.sees("1 match fil_color", "<12>")
        peer.world.end(FSM)
        peer.world.processes.append(a_process(31, "fil_color_fsm", "gen_statem", 10, state_name="olive"))
        peer.emit("process", "fil_color_fsm was restarted")
        await user.sees("✖ fil_color_fsm <12> has ended. Its successor is <31>.")
        assert user.app.selected().process is None
        await user.press("enter")
        await user.sees("fil_color_fsm <31>  gen_statem")
        await user.press("escape", "down")
        await eventually(lambda: user.app.selected().process is not None)
        assert "✖ fil_color_fsm" not in user.frame()


async def test_the_successor_of_a_worker_of_a_pool_is_found_by_its_arguments(opened: Open, peer: Peer) -> None:
    def worker(pid: int, number: int) -> m.ProcessRow:
        one = a_process(pid, None, "gen_server", 10, module="fil.worker", child_id="worker")
        return m.ProcessRow(**msgspec.structs.asdict(one), arguments=f"{number}")

    peer.world.processes += [worker(1000 + number, number) for number in range(5)]
    async with opened((80, 24), read_only=False) as user:
        await user.press("2", "slash")
        await user.type("worker\r")
        await user.press("home", "down", "down")
        await user.sees("5 match worker")
        await eventually(lambda: user.app.selected().process == ProcessKey(peer.world.boot_id, 1002))
        await user.press("K")
        await user.sees("Kill worker 2", "<1002>")
        await user.press("escape")
        peer.world.end(1002)
        peer.world.processes.append(worker(1099, 2))
        peer.emit("process", "a worker was restarted")
        await user.sees("✖ worker 2 <1002> has ended. Its successor is <1099>.")


async def test_a_dialog_acts_on_the_process_that_it_named(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await user.press("R")
        await user.sees("Restart fil_color_fsm", "<12>", "boot boot-1", "$ hotdash restart fil@127.0.0.1 12 --yes")
        peer.world.processes.insert(0, a_process(5, "aaa", "gen_server", 3, application="web"))
        peer.world.end(FSM)
        peer.emit("process", "everything moved")
        await eventually(lambda: user.app.node.process(ProcessKey("boot-1", FSM)) is None)
        await user.press("tab", "enter")
        await user.is_notified("<12> of that boot does not live any more")
        assert peer.asked("restart_process") == [m.ProcessTarget(pid=FSM, boot_id="boot-1")]


@pytest.mark.parametrize(("view", "word", "shown"), [("4", "handler", "fil.handler"), ("5", "1986.b", "1986.b")])
async def test_a_filter_that_hides_the_selected_row_selects_its_first_match(
    opened: Open, view: str, word: str, shown: str
) -> None:
    async with opened() as user:
        await user.press(view)
        await eventually(lambda: user.app.selected() != Selection())
        await user.press("slash")
        await user.type(word)
        await user.press("enter")
        selected = user.app.selected()
        assert shown in (selected.module, selected.vsn)
        await user.press("escape")
        assert user.app.selected() == selected


async def test_no_module_takes_the_place_of_one_that_is_gone(opened: Open, peer: Peer) -> None:
    async with opened() as user:
        await user.press("4", "down")
        gone = user.app.selected().module
        peer.world.modules = [one for one in peer.world.modules if one.name != gone]
        peer.emit("module", f"{gone} is removed")
        await eventually(lambda: user.app.selected().module is None)
