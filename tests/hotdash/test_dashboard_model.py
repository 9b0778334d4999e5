"""The dashboard's model as values: no screen, no socket."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotdash.actions import ACTIONS, BY_ID, CommandSubject, command_line_of, footer_actions, shown_keys
from hotdash.keymap import read_keymap
from hotdash.model.connection import Connection
from hotdash.model.node_view import NodeView
from hotdash.model.operation_lines import outcome_lines, outcome_words
from hotdash.model.plan_lines import hard_blockers, plan_lines
from hotdash.model.process_tree import TreeNode, build_tree, filter_tree, flatten, walk
from hotdash.model.selection import ChildKey, FoldKey, ProcessKey
from hotdash.model.styled_text import line, sanitize, span, text_of, width_of, wrap
from hotdash.model.term_diff import diff
from hotdash.model.term_lines import diff_lines, term_lines
from hotdash.model.units import age, count, countdown, duration, size
from hotdash.model.vitals import VitalsHistory, sparkline
from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import Refused
from tests.support.fil_world import FSM, a_plan, a_process, a_result, fil_world, integer, machine, string


def snapshot(**changes: object) -> m.Snapshot:
    return msgspec.structs.replace(fil_world().snapshot(1, 7000), **changes)


def titles(nodes: tuple[TreeNode, ...]) -> list[str]:
    return [node.title for node in walk(nodes)]


# ------------------------------------------------------------------ the tree


def test_the_tree_goes_from_applications_to_supervisors_to_children() -> None:
    rows = [(row.guides, row.node.title) for row in flatten(build_tree(snapshot()))]
    assert rows == [
        ("", "web"), ("└ ", "web_sup"), ("  └ ", "web_listener"),
        ("", "fil"), ("└ ", "fil_sup"), ("  └ ", "fil_color_fsm"),
    ]  # fmt: skip


def test_a_child_without_a_process_has_a_place_in_the_tree() -> None:
    child = m.ChildInfo(supervisor=10, child_id="tag2", kind="gen_server", status="restarting")
    nodes = list(walk(build_tree(snapshot(children=(child,)))))
    assert nodes[-1].title == "tag2"
    assert nodes[-1].key == ChildKey("boot-1", 10, "tag2")


def test_processes_outside_applications_are_in_the_tree() -> None:
    world = fil_world()
    world.processes.append(a_process(90, None, "process", 12345, module="loose", application=None))
    nodes = build_tree(world.snapshot(1, 7000))
    assert nodes[-1].title == "not supervised"
    assert [child.key for child in nodes[-1].children] == [ProcessKey("boot-1", 90)]


def test_every_process_is_in_the_tree_once_even_in_a_cycle_of_parents() -> None:
    world = fil_world()
    world.processes += [a_process(50, "a", "process", 51), a_process(51, "b", "process", 50)]
    keys = [node.key for node in walk(build_tree(world.snapshot(1, 7000))) if node.process is not None]
    assert len(keys) == len(set(keys)) == len(world.processes)


def test_a_restarted_process_has_a_new_identity_and_keeps_its_place() -> None:
    world = fil_world()
    before = {node.title: node for node in walk(build_tree(world.snapshot(1, 7000)))}["fil_color_fsm"]
    world.change(FSM, pid=31)
    after = {node.title: node for node in walk(build_tree(world.snapshot(2, 7000)))}["fil_color_fsm"]
    assert before.key != after.key
    assert before.path == after.path


def test_a_filter_keeps_ancestors_and_marks_hits() -> None:
    kept = filter_tree(build_tree(snapshot()), "OLIVE fsm")
    assert titles(kept) == ["fil", "fil_sup", "fil_color_fsm"]
    assert [node.title for node in walk(kept) if node.matched] == ["fil_color_fsm"]


def test_long_rows_of_siblings_are_folded_and_can_be_unfolded() -> None:
    world = fil_world()
    world.processes += [a_process(100 + number, f"room_{number}", "gen_server", 10) for number in range(979)]
    nodes = build_tree(world.snapshot(1, 7000))
    folded = flatten(nodes)
    assert folded[-1].node.title == "+930 more"
    assert folded[-1].node.key == FoldKey("fil/fil_sup")
    assert len(flatten(nodes, unfolded=frozenset({"fil/fil_sup"}))) == len(folded) - 1 + 930


def test_what_is_collapsed_hides_what_is_below() -> None:
    rows = flatten(build_tree(snapshot()), collapsed=frozenset({"web"}))
    assert [row.node.title for row in rows] == ["web", "fil", "fil_sup", "fil_color_fsm"]


# ------------------------------------------------------------------ differences


def test_a_difference_is_named_at_its_own_depth() -> None:
    before = machine("lime", turns=integer(41), gone=string("x"))
    after = machine("red", turns=integer(42), new=string("y"))
    assert [(change.kind, change.path) for change in diff(before, after)] == [
        ("changed", ("state",)), ("changed", ("data", "turns")),
        ("added", ("data", "new")), ("removed", ("data", "gone")),
    ]  # fmt: skip


def test_equal_states_have_no_difference_and_the_text_says_so() -> None:
    state = machine("lime", turns=integer(41))
    assert diff(state, state) == ()
    assert "No difference" in text_of(diff_lines(state, state)[0])


def test_a_part_in_a_container_that_was_empty_is_added() -> None:
    before = m.Term(type="dict", text="{}")
    after = m.Term(type="dict", items=(("steps", integer(0)),))
    assert [(change.kind, change.path) for change in diff(before, after)] == [("added", ("steps",))]
    assert [(change.kind, change.path) for change in diff(after, before)] == [("removed", ("steps",))]


def test_another_type_is_one_change() -> None:
    before = m.Term(type="tuple", items=(("0", integer(1)),))
    after = m.Term(type="list", items=(("0", integer(1)),))
    assert [change.path for change in diff(before, after)] == [()]
    assert text_of(diff_lines(before, after)[0]) == "~ the state  (1) → [1]"


def test_parts_with_the_same_label_are_distinguished() -> None:
    before = m.Term(type="dict", items=(("nan", integer(1)), ("nan", integer(2))))
    after = m.Term(type="dict", items=(("nan", integer(1)), ("nan", integer(3))))
    assert [change.path for change in diff(before, after)] == [("nan (2)",)]


def test_a_state_is_described_part_by_part() -> None:
    term = m.Term(
        type="State", items=(("count", integer(3)), ("names", m.Term(type="list", items=(), text="[]"))), cut=2
    )
    assert [text_of(spans) for spans in term_lines(term)] == [
        "State", "  count  3", "  names  []  list", "  … 2 more left out",
    ]  # fmt: skip


# ------------------------------------------------------------------ text


def test_control_characters_and_reversals_are_spelt_out() -> None:
    assert sanitize("a\x1b[31m\n\u202e\x85") == "a\\x1b[31m\\n\\u202e\\x85"
    assert sanitize("größer → 漢字 ✔") == "größer → 漢字 ✔"


@given(st.text())
def test_no_terminal_control_sequence_remains(text: str) -> None:
    assert all(character >= " " and not "\x7f" <= character <= "\x9f" for character in sanitize(text))


@given(st.lists(st.text(alphabet="ab 漢", max_size=30), max_size=4), st.integers(8, 40))
def test_folded_lines_fit_and_lose_nothing_but_blanks(texts: list[str], width: int) -> None:
    spans = line(*(span(text) for text in texts))
    folded = wrap(spans, width)
    assert all(width_of(part) <= width for part in folded)
    joined = "".join(text_of(part) for part in folded)
    assert joined.replace(" ", "") == text_of(spans).replace(" ", "")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (age(59), "59 s"), (age(3725), "1 h 02"), (age(90_000 * 2), "2 d"), (age(-5), "0 s"),
        (duration(0.000084), "84 µs"), (duration(0.0041), "4.1 ms"), (duration(0.34), "340 ms"),
        (duration(2.41), "2.4 s"),
        (size(48_200_000), "48 MB"), (size(1200), "1.2 kB"), (size(7), "7 B"), (count(930), "930"),
        (count(12_400), "12.4 k"), (count(2_000_000), "2.0 M"), (countdown(571), "9:31"),
    ],
)  # fmt: skip
def test_numbers_are_formatted_for_people(told: str, expected: str) -> None:
    assert told == expected


def test_sparklines_are_right_aligned_and_scaled() -> None:
    assert sparkline([0, 5, 10], 5, min_range=10) == "  ▁▅█"
    assert sparkline([48.0, 48.0], 2, min_range=4, from_minimum=True) == "▁▁"
    assert sparkline([], 3) == "   "


# ------------------------------------------------------------------ what is heard


def view() -> NodeView:
    return NodeView("fil@127.0.0.1").with_connection(Connection("live", 100.0)).with_snapshot(snapshot(), 100.0)


def test_another_boot_is_a_restart_and_begins_a_new_history() -> None:
    world = fil_world()
    world.boot_id, world.vsn = "boot-2", "1986.b"
    after = view().with_snapshot(world.snapshot(1, 7000), 110.0)
    assert after.restart is not None
    assert after.restart.before.vsn == "1986.a"
    assert len(after.history.samples) == 1
    assert "was restarted" in after.notice(111.0)
    assert after.notice(200.0) == "" or "has not sent a message" in after.notice(200.0)
    assert after.process(ProcessKey("boot-1", FSM)) is None


def test_a_state_belongs_to_one_process_of_one_boot() -> None:
    before, after = ProcessKey("boot-1", FSM), ProcessKey("boot-2", FSM)
    seen = m.StateView(process=fil_world().process(FSM), state=machine("olive"), at=0.0)
    known = view().with_state(before, seen).with_state(before, seen)
    assert known.sample is not None
    assert known.sample.before == seen
    other = known.with_state(after, seen)
    assert other.sample is not None
    assert other.sample.before is None
    refused = known.without_state(after, "gone")
    assert refused.sample is not None
    assert refused.sample.view is None


def test_silence_makes_a_snapshot_stale_and_a_lost_node_keeps_it() -> None:
    known = view()
    assert known.fresh(102.0)
    assert not known.fresh(104.0)
    assert "has not sent a message for 4 s" in known.notice(104.0)
    lost = known.with_connection(Connection("lost", 105.0, "fil@127.0.0.1 is gone.", 112.0))
    assert lost.notice(110.0) == "fil@127.0.0.1 is gone. The display is 10 s old. Reconnecting in 2 s."
    assert lost.snapshot is known.snapshot


def test_vitals_of_another_boot_do_not_change_the_snapshot() -> None:
    known = view()
    assert known.snapshot is not None
    vitals = msgspec.structs.replace(known.snapshot.vitals, at=known.snapshot.vitals.at + 1, queued=99)
    event = m.NodeEvent(boot_id="boot-9", seq=2, at=0, kind="vitals", vitals=vitals)
    assert known.with_event(event, 101.0).snapshot == known.snapshot
    same = msgspec.structs.replace(event, boot_id="boot-1")
    heard = known.with_event(same, 101.0)
    assert heard.snapshot is not None
    assert heard.snapshot.vitals.queued == 99


def test_the_event_log_is_in_order_and_has_no_duplicates() -> None:
    events = [m.NodeEvent(boot_id="b", seq=seq, at=float(seq), kind="log", text=str(seq)) for seq in (1, 2, 3)]
    known = view().with_event(events[2], 101.0).with_log(tuple(events)).with_event(events[1], 102.0)
    assert [event.text for event in known.log] == ["1", "2", "3"]


def an_operation(**more: object) -> m.Operation:
    fields: dict[str, object] = {
        "id": "op-1", "kind": "install", "from_vsn": "a", "to_vsn": "b", "who": "alice", "started": 1.0,
        "phase": "holding",
    } | more  # fmt: skip
    return m.Operation(**fields)  # type: ignore[arg-type]  # checked where it is used


def test_an_ended_operation_is_not_reopened_by_a_late_message_and_keeps_its_results() -> None:
    ended = an_operation(ended=2.0, outcome="installed", results=(a_result(),))
    known = view().with_operation(ended).with_operation(an_operation())
    assert known.operation("op-1") == ended
    without = known.with_operation(msgspec.structs.replace(ended, results=(), phase="committed"))
    assert len(without.operations[0].results) == 1


def test_no_outcome_is_claimed_that_the_node_has_not_reported() -> None:
    running = an_operation()
    assert outcome_words(running).text == "running: holding"
    assert "unknown" in text_of(outcome_lines(running, False, 3.0)[0])
    for outcome in ("installed", "committed", "reverted", "aborted", "put back", "restarted", "partly put back"):
        assert outcome_words(an_operation(outcome=outcome, ended=2.0)).tone in ("ok", "warn", "bad")


def test_only_the_install_that_runs_is_on_probation() -> None:
    installed = an_operation(ended=2.0, outcome="installed", to_vsn="b", probation_until=600.0)
    assert outcome_words(installed).text == "b is current, on probation"
    assert "reverts by itself" in text_of(outcome_lines(installed, True, 3.0)[-1])
    commit = an_operation(id="op-2", kind="commit", started=3.0, ended=4.0, outcome="committed")
    for known in (view().with_operation(installed).with_operation(commit), view().with_operation(commit)):
        over = known.with_operation(installed).operation("op-1")
        assert over is not None
        assert outcome_words(over).text == "b was installed"
        assert len(outcome_lines(over, True, 5.0)) == 1
    failed = an_operation(id="op-3", started=3.0, ended=4.0, outcome="put back")
    still = view().with_operation(installed).with_operation(failed).operation("op-1")
    assert still == installed


def test_a_history_counts_no_moment_twice() -> None:
    vitals = snapshot().vitals
    assert len(VitalsHistory().add(vitals).add(vitals).samples) == 1


# ------------------------------------------------------------------ plans


def test_the_point_of_no_return_is_drawn_before_the_first_instruction_after_it() -> None:
    texts = [text_of(spans) for spans in plan_lines(a_plan("1986.b"))]
    bar = next(number for number, text in enumerate(texts) if "point of no return" in text)
    assert "suspend" in texts[bar - 1]
    assert "load fil.color_fsm" in texts[bar + 1]


def test_only_hard_blockers_forbid() -> None:
    passing = m.Blocker(reason="busy", remedy="wait", transient=True)
    lasting = m.Blocker(reason="changed base class", remedy="add it")
    assert hard_blockers(a_plan("b", blockers=(passing,))) == ()
    assert hard_blockers(a_plan("b", blockers=(passing, lasting))) == (lasting,)


# ------------------------------------------------------------------ actions


def test_every_action_has_its_own_id_and_key() -> None:
    keys = [key for action in ACTIONS for key in action.keys.split(",")]
    assert len(keys) == len(set(keys))
    assert len(BY_ID) == len(ACTIONS)


def test_an_operators_action_needs_a_shifted_key_and_has_a_command_line() -> None:
    for action in ACTIONS:
        if action.role == "operator":
            assert len(action.keys) == 1
            assert action.keys.isupper()
            assert action.command_line is not None


def test_command_lines_are_quoted_for_a_shell() -> None:
    subject = CommandSubject("fil@127.0.0.1", vsn="1986.b", options=m.InstallOptions(wait=10, reason="it is time"))
    assert (
        command_line_of("upgrade", subject)
        == "hotdash upgrade fil@127.0.0.1 1986.b --yes --wait 10 --reason 'it is time'"
    )
    remote = CommandSubject("fil@example:9100", "/keys/my fil", pid=12)
    assert command_line_of("kill", remote) == "hotdash kill fil@example:9100 12 --yes --cookie-file '/keys/my fil'"
    assert command_line_of("theme", subject) == ""


def test_the_footer_and_the_help_show_remapped_keys() -> None:
    assert shown_keys(BY_ID["upgrade"], {}) == ["U"]
    assert shown_keys(BY_ID["upgrade"], {"upgrade": "ctrl+u"}) == ["^u"]
    assert shown_keys(BY_ID["help"], {}) == ["?", "f1"]
    assert {"stage", "plan", "upgrade"} <= {action.id for action in footer_actions("releases")}


def test_a_keymap_names_actions_or_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    assert read_keymap(path) == {}
    path.write_text("upgrade = 'ctrl+u'")
    assert read_keymap(path) == {"upgrade": "ctrl+u"}
    path.write_text("explode = 'x'")
    with pytest.raises(Refused, match="not an action"):
        read_keymap(path)
    path.write_text("upgrade = 3")
    with pytest.raises(Refused, match="no key"):
        read_keymap(path)
