"""Differences and descriptions of states."""

from __future__ import annotations

from hotdash.model.styled_text import text_of
from hotdash.model.term_diff import diff
from hotdash.model.term_lines import diff_lines, term_lines
from node_runtime.protocol import messages as m
from tests.support.dashboard.fil_world import integer, machine, string


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
    assert "State unchanged" in text_of(diff_lines(state, state)[0])


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
