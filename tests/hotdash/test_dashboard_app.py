"""The dashboard with a keyboard in front of it and a scripted node behind it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.widgets import Button, Input

from hotdash.app import HotdashApp
from hotdash.model.selection import ProcessKey
from node_runtime.protocol import messages as m
from tests.support.dashboard_pilot import DashboardUser
from tests.support.fil_world import FSM, a_plan, a_process, fil_world, integer, machine, string
from tests.support.scripted_peer import Peer
from tests.support.waiting import eventually

Open = Callable[..., AbstractAsyncContextManager[DashboardUser]]


@pytest.fixture
def run_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "run"
    monkeypatch.setenv("NODE_RUNTIME_RUN_DIR", str(path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return path


@pytest.fixture
async def peer(run_directory: Path, tmp_path: Path) -> AsyncIterator[Peer]:
    node = Peer(tmp_path / "node")
    yield node
    node.stop()


@pytest.fixture
def opened(peer: Peer) -> Open:
    """`async with opened() as user`: the dashboard on the scripted node, live."""

    @asynccontextmanager
    async def open_it(size: tuple[int, int] = (120, 40), **options: Any) -> AsyncIterator[DashboardUser]:
        app = HotdashApp(peer.start(), reconnect_delays=(0.05,), **options)
        async with app.run_test(size=size, notifications=True) as pilot:
            user = DashboardUser(app, pilot)
            await user.sees("● live", "fil_color_fsm")
            yield user

    return open_it


WAITING = m.Blocker(
    reason="fil_color_fsm is in state lime, which release 1986.b does not define",
    remedy="wait",
    pid=FSM,
    transient=True,
)
STUCK = m.Blocker(reason="fil.extra is used by a module outside the set", remedy="add it to the appup")


def asked(peer: Peer, method: str) -> list[Any]:
    return [params for name, params in peer.requests if name == method]


def state_of(app: HotdashApp) -> m.Term | None:
    """The dashboard's state of the selected process, even if it is not shown."""
    sample = app.node.sample
    return sample.view.state if sample is not None and sample.view is not None else None


async def upgrade_to_b(user: DashboardUser) -> None:
    """Go to the operation's screen, with an operator's keys."""
    await user.press("5", "down", "U")
    await user.sees("Type 1986.b to proceed")
    await user.type("1986.b")
    await user.press("enter", "enter")
    await user.sees("Install 1986.a → 1986.b")


# ------------------------------------------------------------------ looking


async def test_a_small_terminal_shows_tree_state_and_vitals(opened: Open) -> None:
    async with opened((80, 24)) as user:
        await user.sees("fil@127.0.0.1  fil 1986.a  permanent", "READ-ONLY", "'olive'", "turns  41")
        frame = user.frame()
        assert len(frame.splitlines()) == 24
        for text in ("▾ web 0.1.0", "fil_sup", "one_for_one", "cpu", "memory", "? help"):
            assert text in frame
        assert max(len(line) for line in frame.splitlines()) <= 80


async def test_the_footer_of_a_small_terminal_always_shows_the_help_key(opened: Open) -> None:
    async with opened((80, 24), read_only=False) as user:
        await user.press("5")
        await user.sees("from here", "U upgrade", "? help")


async def test_on_a_wide_terminal_the_columns_stay_together(opened: Open) -> None:
    async with opened((200, 50)) as user:
        await user.press("5")
        await user.sees("from here")
        row = next(text for text in user.frame().splitlines() if "permanent" in text and "runs" in text)
        assert row.index("permanent") < 60


async def test_a_wider_terminal_shows_more_columns(opened: Open) -> None:
    async with opened((120, 40)) as user:
        await user.sees("pid", "<12>", "mail", "queued", "● fil_color_fsm  <12>", "hotdash")


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
        peer.emit("log", "the machine turned green")
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


async def test_help_lists_every_action_of_the_registry(opened: Open) -> None:
    async with opened((120, 60)) as user:
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
    async with opened((120, 60), keymap=keymap) as user:
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
        await user.sees("Keys", "^b clears it.", "f7", "^a")
        await user.press("escape", "ctrl+a")
        await user.sees("Arm fil@127.0.0.1")
        await user.press("tab", "enter")
        await user.sees("ARMED")
        await user.press("f6")
        await user.is_notified("1986.a to 1986.b is an upgrade; press f5.")
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
        await user.sees("No old code")
        await user.pilot.click("#modules Table", offset=(4, 3))
        await user.sees("lib/fil-1986.a/src/fil/handler.py")


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


# ------------------------------------------------------------------ selection is by identity


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
        assert not asked(peer, "kill_process")


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
        assert asked(peer, "restart_process") == [m.ProcessTarget(pid=FSM, boot_id="boot-1")]


async def test_an_immediate_enter_and_esc_do_nothing(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        for answer in ("enter", "escape"):
            await user.press("R")
            await user.sees("Restart fil_color_fsm")
            await user.press(answer)
            await eventually(lambda: "Cancel" not in user.frame())
        assert not asked(peer, "restart_process")


# ------------------------------------------------------------------ rights


async def test_read_only_refuses_every_operators_key(opened: Open, peer: Peer) -> None:
    async with opened() as user:
        await user.press("5", "down")
        for key in ("S", "U", "D", "P", "X", "R", "K"):
            await user.press(key)
            assert len(user.app.screen_stack) == 1
        await user.is_notified("The dashboard is read-only. Press ! to arm it")
        assert {name for name, _ in peer.requests} <= {"hello", "snapshot", "state", "events", "operations"}


async def test_arming_asks_for_confirmation_is_shown_and_ends(opened: Open) -> None:
    async with opened() as user:
        await user.press("exclamation_mark")
        await user.sees("Arm fil@127.0.0.1")
        await user.press("tab", "enter")
        await user.sees("ARMED")
        await user.press("exclamation_mark")
        await user.sees("READ-ONLY")


async def test_arming_ends_by_itself(opened: Open) -> None:
    now = [1_000_000.0]
    async with opened(read_only=False, clock=lambda: now[0]) as user:
        await user.sees("ARMED 15 min")
        now[0] += 15 * 60
        await user.is_notified("Read-only again")


async def test_a_viewers_cookie_cannot_arm(opened: Open, peer: Peer) -> None:
    peer.world.role = "viewer"
    async with opened() as user:
        await user.press("exclamation_mark")
        await user.is_notified("This cookie has the role viewer")
        assert "READ-ONLY" in user.frame()


# ------------------------------------------------------------------ the connection


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


async def test_missed_events_lead_to_a_new_snapshot(opened: Open, peer: Peer) -> None:
    async with opened() as user:
        await user.press("6")  # a view that requests no snapshot by itself
        peer.world.vsn = "1986.b"
        peer.lose_events(3)
        await user.sees("fil 1986.b")


# ------------------------------------------------------------------ plan, upgrade, results


async def test_the_plan_draws_the_point_of_no_return_and_names_the_affected_processes(opened: Open) -> None:
    async with opened((120, 50)) as user:
        await user.press("5", "down", "p")
        await user.sees(
            "Upgrade from 1986.a to 1986.b", "Possible. Nothing has been changed yet.", "point of no return",
            "fil.color_fsm  load   1986.a → 1986.b", "1 process, suspended, state converted by code_change",
            "fil.cycle_time  4.0 → 2.0", "Possible without a restart.", "plan 3f9a1c",
        )  # fmt: skip
        await user.press("escape")
        await user.sees("5 Releases", "unpacked")


async def test_a_plan_without_changes_says_so(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await user.press("5", "p")
        await user.sees("Nothing to do: the node already runs 1986.a.")
        await user.press("U")
        await user.is_notified("nothing to do")
        assert not asked(peer, "install")


async def test_blockers_are_shown_with_their_remedy_and_forbid_the_upgrade(opened: Open, peer: Peer) -> None:
    peer.world.plans["1986.b"] = a_plan("1986.b", blockers=(STUCK,))
    async with opened(read_only=False) as user:
        await user.press("5", "down", "U")
        await user.sees("Not possible now: 1 blocker.", STUCK.reason, "→ add it to the appup")
        await user.press("U")
        await user.is_notified("Not possible now")
        assert not asked(peer, "install")


async def test_a_transient_blocker_offers_to_wait(opened: Open, peer: Peer) -> None:
    peer.world.plans["1986.b"] = a_plan("1986.b", blockers=(WAITING,))
    async with opened(read_only=False) as user:
        await user.press("5", "down", "U")
        await user.sees("in state lime", "Wait at most, in seconds", "--wait 15")
        await user.type("1986.b")
        await user.press("enter", "enter")
        await eventually(lambda: asked(peer, "install"))
        (order,) = asked(peer, "install")
        assert order.wait == 15.0


async def test_an_upgrade_needs_the_version_typed(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await user.press("5", "down", "U")
        await user.sees("plan 3f9a1c", "on fil@127.0.0.1", "$ hotdash upgrade fil@127.0.0.1 1986.b --yes")
        await user.press("enter")
        await user.type("1986.a")
        await user.press("enter", "enter", "tab", "enter")
        assert not asked(peer, "install")


def rehearsal(**more: object) -> m.Rehearsal:
    fields: dict[str, object] = {
        "at": time.time(), "seconds": 0.3, "stopped": 0.002, "pause": 0.0004, "processes": 1, "reached": 1,
    } | more  # fmt: skip
    return m.Rehearsal(**fields)  # type: ignore[arg-type]  # checked by msgspec on the wire


def tried(**more: object) -> m.RehearsalResult:
    fields: dict[str, object] = {
        "pid": FSM, "name": "fil_color_fsm", "module": "fil.color_fsm", "seconds": 0.0004,
        "before": machine("lime", turns=integer(41)),
    } | more  # fmt: skip
    return m.RehearsalResult(**fields)  # type: ignore[arg-type]  # checked by msgspec on the wire


async def test_a_plan_shows_what_the_rehearsal_found(opened: Open, peer: Peer) -> None:
    failed = tried(
        outcome="raised", message="its code_change raised KeyError: 'turns'", trace=("color_fsm.py:9 code_change: x",)
    )
    peer.world.plans["1986.b"] = a_plan("1986.b", rehearsal=rehearsal(failed=1, results=(failed,)), blockers=(STUCK,))
    child = m.PlannedChild(supervisor=10, supervisor_name="fil_sup", id="tag2", change="added", step=4)
    good = tried(outcome="ok", after=machine("red", turns=integer(41)))
    peer.world.plans["1986.c"] = a_plan(
        "1986.c", children=(child,), pause=0.0012, rehearsal=rehearsal(results=(good,)), irreversible=("f can't.",)
    )
    async with opened((120, 50)) as user:
        await user.press("5", "down", "p")
        await user.sees("1 process rehearsed on a copy of the node in 300 ms  1 would fail", "raised KeyError: 'turns'")
        await user.sees("color_fsm.py:9 code_change: x")
        await user.press("escape", "down", "p")
        await user.sees(
            "no problems found",
            "'lime' → 'red'",
            "Processes are suspended for about 1.2 ms",
            "tag2 of fil_sup  new, started",
        )
        await user.sees("Not undone if the install fails", "f can't.")


async def test_typing_the_version_is_the_consent_to_what_cannot_be_rehearsed(opened: Open, peer: Peer) -> None:
    unknown = tried(outcome="unrehearsed", message="its code_change calls the runtime")
    peer.world.plans["1986.b"] = a_plan("1986.b", rehearsal=rehearsal(unrehearsed=1, results=(unknown,)))
    async with opened((100, 40), read_only=False) as user:
        await user.press("5", "down", "U")
        await user.sees("1 process can't be rehearsed", "1986.b --yes --wait 15 --unrehearsed")
        await user.type("1986.b")
        await user.press("enter", "enter")
        await eventually(lambda: asked(peer, "install"))
        (order,) = asked(peer, "install")
        assert order.unrehearsed


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


async def test_the_downgrade_key_does_not_upgrade(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await user.press("5", "down", "D")
        await user.is_notified("1986.a to 1986.b is an upgrade; press U.")
        assert not asked(peer, "install")


async def test_an_upgrade_is_watched_phase_by_phase_until_the_node_reports_its_outcome(
    opened: Open, peer: Peer
) -> None:
    async with opened((120, 40), read_only=False) as user:
        await upgrade_to_b(user)
        (order,) = asked(peer, "install")
        assert (order.vsn, order.direction, order.plan_id) == ("1986.b", "up", "3f9a1c")
        for phase in ("planned", "checked", "holding", "loading", "migrating", "resumed"):
            peer.advance()
            await user.sees(f"running: {phase}")
            assert "is current" not in user.frame()
        peer.advance()
        await user.sees("1986.b is current, on probation", "processes paused for 4.1 ms", "1 process  1 ok")
        await user.sees("~ state", "'lime' → 'red'", "+ data.since", "'upgrade'")
        await user.press("escape", "6")
        await user.sees("install 1986.a → 1986.b", "'lime' → 'red'")


async def test_a_failed_upgrade_shows_the_failed_process_and_the_reason(opened: Open, peer: Peer) -> None:
    peer.outcome = "put back"
    async with opened(read_only=False) as user:
        await upgrade_to_b(user)
        while peer.advance().ended is None:
            pass
        await user.sees(
            "failed and was undone: 1986.a keeps running", "code_change of fil_color_fsm raised KeyError",
            "1 failed", "KeyError: 'turns'", "No difference",
        )  # fmt: skip


async def test_the_outcome_is_unknown_while_the_node_is_away_and_asked_for_afterwards(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await upgrade_to_b(user)
        peer.advance()
        await user.sees("running: planned")
        peer.stop()
        await user.sees("The outcome is unknown")
        peer.start()
        while peer.advance().ended is None:
            pass
        await user.sees("1986.b is current, on probation")


async def test_an_operation_that_the_node_forgot_stays_unknown(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await upgrade_to_b(user)
        world = fil_world()
        world.boot_id = "boot-2"
        peer.restart(world)
        await user.is_notified("The outcome of operation op-1 is unknown. This node knows of no operation op-1.")


async def test_commit_makes_the_release_permanent(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await upgrade_to_b(user)
        while peer.advance().ended is None:
            pass
        await user.sees("◆ on probation", "Unless the release is committed")
        await user.press("P")
        await user.sees("Make 1986.b permanent")
        await user.type("1986.b")
        await user.press("enter", "enter")
        await user.sees("fil 1986.b  permanent")
        assert asked(peer, "commit") == [m.Commit(reason="commit 1986.b")]


async def test_roll_back_is_planned_confirmed_and_watched(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await upgrade_to_b(user)
        while peer.advance().ended is None:
            pass
        peer.world.plans["1986.a"] = a_plan("1986.a", from_vsn="1986.b", direction="down")
        await user.sees("◆ on probation")
        await user.press("X")
        await user.sees("Roll back from 1986.b to 1986.a", "$ hotdash rollback fil@127.0.0.1 --yes")
        await user.type("1986.a")
        await user.press("enter", "enter")
        await user.sees("Roll back 1986.b → 1986.a")
        assert len(asked(peer, "rollback")) == 1


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


async def test_a_refusal_by_the_node_is_shown_in_its_own_words(opened: Open, peer: Peer) -> None:
    peer.refuse["plan"] = "fil 1986.b was built for Python 3.13; this node runs 3.11."
    async with opened() as user:
        await user.press("5", "down", "p")
        await user.is_notified("was built for Python 3.13")


async def test_states_with_many_parts_are_marked_as_cut(opened: Open, peer: Peer) -> None:
    peer.world.states[FSM] = m.Term(type="list", items=(("0", string("a")),), cut=930)
    async with opened() as user:
        await user.sees("… 930 more left out")
