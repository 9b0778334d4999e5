"""Plans as lines."""

from __future__ import annotations

from typing import Literal

import pytest

from hotdash.model.plan_lines import hard_blockers, needs_typed_consent, plan_lines, plan_title, summary
from hotdash.model.styled_text import text_of
from node_runtime.protocol import messages as m
from tests.support.dashboard.fil_world import a_plan


def test_the_point_of_no_return_is_drawn_before_the_first_instruction_after_it() -> None:
    texts = [text_of(spans) for spans in plan_lines(a_plan("1986.b"))]
    bar = next(number for number, text in enumerate(texts) if "point of no return" in text)
    assert "suspend" in texts[bar - 1]
    assert "load fil.color_fsm" in texts[bar + 1]


def test_the_summary_counts_the_deleted_modules_apart() -> None:
    def module(name: str, action: Literal["load", "add", "delete"]) -> m.PlannedModule:
        return m.PlannedModule(name=name, application="shop", action=action, old_vsn="a", new_vsn="b")

    plan = a_plan("b", modules=(module("shop.one", "load"), module("shop.two", "add"), module("shop.three", "delete")))
    assert [text_of(one) for one in summary(plan)][:2] == [
        "2 modules get new code: shop.one, shop.two",
        "1 module is deleted: shop.three",
    ]


def test_a_plan_without_an_id_is_not_named_by_an_empty_one() -> None:
    assert text_of(plan_lines(a_plan("b", id=""))[-1]).startswith("this plan, made at generation")


def test_the_verdict_counts_the_causes_that_the_plan_lists_not_their_processes() -> None:
    raised = [m.Blocker(reason=f"<{pid}> (shop.pool): its code_change raised", remedy="", pid=pid) for pid in (7, 8, 9)]
    texts = [text_of(spans) for spans in plan_lines(a_plan("b", blockers=(*raised, m.Blocker(reason="x", remedy=""))))]
    assert texts[0] == "Not possible now: 2 blockers."
    assert [text.strip()[0] for text in texts if text.startswith("  ✖")] == ["✖", "✖"]


@pytest.mark.parametrize(
    ("plan_id", "hops", "title"), [("", (), "Change"), ("", ("b",), "Upgrade"), ("1", (), "Upgrade")]
)
def test_the_title_of_a_plan_names_no_direction_that_the_node_has_not_found(
    plan_id: str, hops: tuple[str, ...], title: str
) -> None:
    assert plan_title(a_plan("b", id=plan_id, hops=hops)) == f"{title} from 1986.a to b"


def test_only_hard_blockers_forbid() -> None:
    passing = m.Blocker(reason="busy", remedy="wait", transient=True)
    lasting = m.Blocker(reason="changed base class", remedy="add it")
    assert hard_blockers(a_plan("b", blockers=(passing,))) == ()
    assert hard_blockers(a_plan("b", blockers=(passing, lasting))) == (lasting,)


def test_values_of_old_code_are_listed_with_their_outcome_place_and_changes() -> None:
    value = m.LiveValue(
        pid=41,
        name="box",
        module="k.box",
        place="state",
        path=".orders[1]",
        sort="instance",
        code="k.status:Status",
        outcome="blocked",
        processes=3,
        added=("REFUNDED",),
        removed=("PAID",),
    )
    texts = [text_of(spans) for spans in plan_lines(a_plan("1986.b", live_values=(value,)))]
    at = texts.index("Values of old code")
    assert texts[at + 1 : at + 3] == [
        "  box  <41> and 2 more  would stay in old code",
        "    instance k.status:Status  +REFUNDED -PAID  in state .orders[1]",
    ]


def test_a_plan_names_those_who_have_approved_it_and_how_many_still_must() -> None:
    def section(approval: m.Approval) -> list[str]:
        texts = [text_of(spans) for spans in plan_lines(a_plan("1986.b", approval=approval))]
        at = texts.index("Approvals")
        return texts[at + 1 : texts.index("", at)]

    assert section(m.Approval(vsn="1986.b", first="ana", missing=1)) == [
        "  The install needs the approval of a person with a key other than ana:",
        "    → hotdash approve NODE 1986.b",
    ]
    assert section(m.Approval(vsn="1986.b", first="ana", approved_by=("bob",), missing=2)) == [
        "  Approved by bob.",
        "  It also needs the approval of 2 people with a key other than ana:",
        "    → hotdash approve NODE 1986.b",
    ]
    assert section(m.Approval(vsn="1986.b", first="ana", approved_by=("bob", "zoe"))) == [
        "  Approved by bob, zoe.",
        "  No more approvals are needed.",
    ]
    assert "Approvals" not in [text_of(spans) for spans in plan_lines(a_plan("1986.b"))]


def test_a_long_stop_of_the_node_is_said_and_needs_the_version_typed() -> None:
    plan = a_plan("1986.b", stall="The node stops for about 7 s.")
    texts = [text_of(spans) for spans in plan_lines(plan)]
    assert texts[texts.index("Long stop") + 1] == "  The node stops for about 7 s."
    assert "The node stops for about 7 s." in [text_of(spans) for spans in summary(plan)]
    assert needs_typed_consent(plan)
    assert not needs_typed_consent(a_plan("1986.b"))


@pytest.mark.parametrize(("with_data", "back", "asks"), [(0, True, False), (1, True, True), (0, False, False)])
def test_only_data_that_would_be_lost_needs_a_typed_version(with_data: int, back: bool, asks: bool) -> None:
    lost = m.LostData("fil.state:State.note", "fil_color_fsm", "", 1, 1, with_data, back=back)
    rehearsal = m.Rehearsal(at=0.0, seconds=0.1, stopped=0.0, pause=0.0, processes=1, reached=1, lost=(lost,))
    plan = a_plan("1986.b", rehearsal=rehearsal, lost_on_way_back=("A rollback drops a field.",) if back else ())
    assert needs_typed_consent(plan) is asks
