"""Plans as lines."""

from __future__ import annotations

from hotdash.model.plan_lines import hard_blockers, plan_lines
from hotdash.model.styled_text import text_of
from node_runtime.protocol import messages as m
from tests.support.dashboard.fil_world import a_plan


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
