"""The views of the dashboard, in terminals of several sizes, and what they show of a scripted node."""

from __future__ import annotations

import msgspec

from hotdash.app import HotdashApp
from node_runtime.protocol import messages as m
from tests.support.dashboard.dashboard_pilot import Open
from tests.support.dashboard.fil_world import FSM, a_process, integer, machine, string
from tests.support.dashboard.scripted_peer import Peer
from tests.support.waiting import eventually


async def test_a_small_terminal_shows_tree_state_and_vitals(opened: Open) -> None:
    async with opened((80, 24)) as user:
        await user.sees("fil@127.0.0.1  fil 1986.a  permanent", "READ-ONLY", "'olive'", "turns  41")
        frame = user.frame()
        assert len(frame.splitlines()) == 24
        for text in ("▾ web 0.1.0", "fil_sup", "one_for_one", "cpu", "memory", "? help"):
            assert text in frame
        assert max(len(line) for line in frame.splitlines()) <= 80


async def test_on_a_wide_terminal_the_columns_stay_together(opened: Open) -> None:
    async with opened((200, 50)) as user:
        await user.press("5")
        await user.sees("direction")
        row = next(text for text in user.frame().splitlines() if "permanent" in text and "running" in text)
        assert row.index("permanent") < 60


async def test_a_wider_terminal_shows_more_columns(opened: Open) -> None:
    async with opened((120, 40)) as user:
        await user.sees("pid", "<12>", "mail", "queued", "● fil_color_fsm  <12>", "hotdash")


async def test_a_wide_terminal_shows_strategies_arguments_and_workers_as_a_whole(opened: Open, peer: Peer) -> None:
    peer.world.processes.append(
        a_process(20, "fil_pool", "supervisor", 10, child_id="pool", strategy="simple_one_for_one")
    )
    worker = m.WorkerInfo(number=1, name="fil@127.0.0.1", vsn="1986.a", os_pid=4711)
    peer.world.workers = (worker, msgspec.structs.replace(worker, number=2, vsn="1985.z"))
    async with opened((200, 60)) as user:
        await user.sees("simple_one_for_one", "permanent  2, mixed workers", "worker 2 runs release 1985.z")


async def test_a_narrow_tree_tells_the_processes_of_a_pool_apart_by_the_end_of_their_arguments(
    opened: Open, peer: Peer
) -> None:
    peer.world.processes.append(a_process(20, "pool", "supervisor", 10, child_id="pool", strategy="simple_one_for_one"))
    for pid in (21, 22):
        told = msgspec.to_builtins(a_process(pid, None, "gen_server", 20, child_id="websocket"))
        path = f"/rooms/a-room-with-a-very-long-name/p{pid}"
        peer.world.processes.append(msgspec.convert({**told, "arguments": path}, m.ProcessRow))
    async with opened((80, 24)) as user:
        await user.sees("● websocket …", "e/p21", "e/p22")


async def test_the_live_state_follows_the_node(opened: Open, peer: Peer) -> None:
    async with opened() as user:
        await user.sees("turns  41")
        peer.world.states[FSM] = machine("green", turns=integer(42))
        peer.world.change(FSM, state_name="green")
        await user.sees("turns  42", "in state green")


async def test_modules_show_that_there_is_no_old_code_or_which_processes_run_it(opened: Open, peer: Peer) -> None:
    async with opened() as user:
        await user.press("4")
        await user.sees("No old code: every process runs 1986.a.")
        peer.world.modules[1] = msgspec.structs.replace(
            peer.world.modules[1], vsn="1986.b", old_vsn="1986.a", old_pids=(FSM,)
        )
        peer.emit("module", "fil.color_fsm 1986.b loaded")
        await user.sees("1 process runs old code of 1 module.", "draining <12>", "1 old")
        await user.press("down")
        await user.sees("still run by fil_color_fsm <12>")
        peer.world.modules[1] = msgspec.structs.replace(peer.world.modules[1], old_pids=())
        peer.emit("module", "fil.color_fsm 1986.a drained")
        await user.sees("1 old version loaded; no process or task runs it.", "drained")
        assert "1 old" not in user.frame().replace("1 old version loaded", "")


async def test_what_keeps_an_old_version_is_shown_and_ended(opened: Open, peer: Peer) -> None:
    module = peer.world.modules[1].name
    peer.world.modules[1] = msgspec.structs.replace(peer.world.modules[1], vsn="1986.b", old_vsn="1986.a")
    poller = m.OldCodeHolder(kind="task", name="task poller (fil.poll)", does="runs fil.poll", pid=FSM, task="poller")
    peer.world.old_code = [m.OldCode(module=module, vsn="1986.a", holders=(poller,))]
    async with opened(read_only=False) as user:
        await user.press("4", "down")
        await user.sees("task poller (fil.poll), which fil_color_fsm <12> has started runs fil.poll")
        await user.press("E")
        await user.sees(f"End the old code of {module}", "a purge cancels it", f"Type {module} to proceed")
        await user.sees(f"hotdash purge fil@127.0.0.1 {module}")
        await user.type(module)
        await user.press("enter", "enter")
        await user.is_notified(f"The old version of {module} is dropped. Cancelled task poller (fil.poll).")
        assert peer.asked("purge")
        asked = len(peer.asked("old_code"))
        await user.press("up", "E")
        await user.is_notified("has no old version.")
        assert len(peer.asked("old_code")) == asked


async def test_what_keeps_an_old_version_is_seen_at_once_in_a_low_terminal(opened: Open, peer: Peer) -> None:
    long = f"/srv/{'releases/' * 8}color_fsm.py"
    peer.world.modules[1] = msgspec.structs.replace(
        peer.world.modules[1], vsn="1986.b", old_vsn="1986.a", path=long, old_path=long, old_tasks=1
    )
    poller = m.OldCodeHolder(kind="task", name="task poller (fil.poll)", does="runs fil.poll", task="poller")
    peer.world.old_code = [m.OldCode(module=peer.world.modules[1].name, vsn="1986.a", holders=(poller,))]
    async with opened((80, 24)) as user:
        await user.press("4", "down")
        await user.sees("old 1986.a  still run by 1 task", "task poller (fil.poll) runs fil.poll  a purge cancels it")


async def test_versions_and_names_from_a_hostile_node_are_text(opened: Open, peer: Peer) -> None:
    vsn = "[red]9[/]\x1b[2J\u202e\n" + "8" * 300
    peer.world.releases[1] = msgspec.structs.replace(peer.world.releases[1], vsn=vsn, name="[b]fil[/b]\x1b]0;x\x07")
    async with opened((80, 24), read_only=False) as user:
        await user.press("5", "down")
        await user.sees("[b]fil[/b]", "[red]9[/]")
        await user.press("M")
        await user.sees("Remove", "[red]9[/]")
        frame = user.frame()
        assert not {"\x1b", "\x07", "\u202e"} & set(frame)
        assert max(map(len, frame.split("\n"))) <= 80


async def test_empty_views_say_what_is_missing(opened: Open, peer: Peer) -> None:
    peer.world.releases = peer.world.releases[:1]
    async with opened() as user:
        await user.press("5")
        await user.sees("It is the only release here. S stages another one.")
        await user.press("6")
        await user.sees("Nothing has been installed, committed or rolled back yet.")
        await user.press("7")
        await user.sees("There are no events yet.")


async def test_past_and_new_events_are_listed(opened: Open, peer: Peer) -> None:
    async with opened() as user:
        await user.press("7")
        peer.emit("module", "fil.handler is loaded")
        await user.sees("fil.handler is loaded")
        await user.press("8")
        peer.emit("log", "warning: the machine turned green")
        await user.sees("the machine turned green")


async def test_a_filter_keeps_the_ancestors_and_esc_clears_it(opened: Open) -> None:
    async with opened() as user:
        await user.press("slash")
        await user.type("color")
        await eventually(lambda: "web_listener" not in user.frame())
        assert "fil_sup" in user.frame()
        await user.press("escape")
        await user.sees("web_listener")


async def test_text_from_the_node_is_never_markup_and_never_a_terminal_command(opened: Open, peer: Peer) -> None:
    name = "[red]b[/]\x1bJ\n"
    peer.world.processes.append(a_process(20, name, "gen_server", 10))
    peer.world.states[20] = m.Term(type="str", text="'[bold]\x07 \u202egnp'")
    peer.refuse["kill_process"] = "[b]no[/b] [/nothing]"
    async with opened(read_only=False) as user:
        await user.sees("[red]b[/]\\x1bJ\\n")
        await user.press("G")
        await user.sees("'[bold]\\x07 \\u202egnp'")
        await user.press("K")
        await user.sees("Kill [red]b[/]\\x1bJ\\n")
        await user.press("tab", "enter")
        await user.is_notified("[b]no[/b] [/nothing]")
        assert "\x1b" not in user.frame()


async def test_states_with_many_parts_are_marked_as_cut(opened: Open, peer: Peer) -> None:
    peer.world.states[FSM] = m.Term(type="list", items=(("0", string("a")),), cut=930)
    async with opened() as user:
        await user.sees("… 930 more left out")


def state_of(app: HotdashApp) -> m.Term | None:
    """The dashboard's state of the selected process, even if it is not shown."""
    sample = app.node.sample
    return sample.view.state if sample is not None and sample.view is not None else None


async def test_a_paused_dashboard_does_not_change(opened: Open, peer: Peer) -> None:
    async with opened() as user:
        await user.sees("turns  41")
        await user.press("z")
        await user.sees("PAUSED")
        peer.world.states[FSM] = machine("green", turns=integer(99))
        await eventually(lambda: state_of(user.app) == peer.world.states[FSM])
        assert "turns  41" in user.frame()
        await user.press("z")
        await user.sees("turns  99")
