"""OTP's systools_rc: low-level instructions of an appup are moved, merged and checked before the others are translated.

Our default purge is a soft one.
"""

from __future__ import annotations

from typing import Any

import pytest

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.release_model import ReleaseView
from tests.support.projects.relup_cases import app, load, script, translated

BOTH = pytest.mark.parametrize("direction", ["up", "down"])


def read(direction: str, *modules: str, vsn: str = "") -> dict[str, Any]:
    return {"load_object_code": "test", "vsn": vsn or {"up": "2", "down": "1"}[direction], "modules": [*modules]}


@BOTH
def test_load_object_code_stands_before_the_point_of_no_return_wherever_the_appup_has_it(direction: Any) -> None:
    code = ["load_object_code", "test", read(direction)["vsn"], ["foo"]]
    wanted = [code, ["point_of_no_return"], load("foo")]
    assert script(direction, [{"load": "foo"}, read(direction, "foo")], "foo") == wanted
    behind: list[dict[str, Any]] = [{"point_of_no_return": True}, {"load": "foo"}, read(direction, "foo")]
    assert script(direction, behind, "foo") == wanted


@BOTH
def test_a_module_that_is_read_twice_stands_once_at_its_last_place(direction: Any) -> None:
    steps: list[dict[str, Any]] = [read(direction, "foo", "bar"), {"load": "bar"}, {"load_module": "foo"}]
    assert script(direction, steps, "foo bar")[0][3] == ["bar", "foo"]


@BOTH
@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ([{"update": "foo"}, {"suspend": ["foo"]}], '"suspend" for foo, but not the instruction "resume"'),
        ([{"update": "foo"}, {"resume": ["foo"]}], '"resume" for foo, but not the instruction "suspend"'),
        ([{"update": "foo"}, {"load": "foo"}], "loads foo, but no load_object_code"),
    ],
    ids=["suspended_not_resumed", "resumed_not_suspended", "no_object_code"],
)
def test_low_level_instructions_are_checked_by_themselves(direction: Any, steps: Any, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        script(direction, steps, "foo")


@BOTH
def test_one_application_read_in_two_versions_is_refused_before_and_behind_the_bar(direction: Any) -> None:
    steps: list[dict[str, Any]] = [
        read(direction, "foo", vsn="9"),
        {"point_of_no_return": True},
        {"load_module": "foo"},
    ]
    with pytest.raises(Refused, match="two versions of test"):
        script(direction, steps, "foo")
    behind: list[dict[str, Any]] = [read(direction, "foo", vsn="9"), {"load": "foo"}, {"load_module": "bar"}]
    with pytest.raises(Refused, match="two versions of test"):
        script(direction, behind, "foo bar")


def test_an_added_application_is_permanent_unless_the_instruction_says_otherwise() -> None:
    """systools_rc_SUITE:translate_app: add_application without a type."""
    for start in ("permanent", "temporary", "none"):
        up = script("up", [{"add_application": "test"}, {"delete_module": "bar"}], "foo", "bar", start=start)
        assert up[-1] == ["remove", "bar", "soft_purge", "soft_purge"] or up[-1][0] == "purge"
        assert ["apply", "node_runtime.application:start", ["test", "permanent"], {"undo": None}] in up


def test_what_comes_starts_after_what_it_needs_and_what_goes_stops_before_it() -> None:
    """Here OTP keeps the order of the .rel file in both directions."""
    base = app("base", "1", "base_mod")
    user = app("user", "1", "user_mod")
    without, both = ReleaseView("R1", ()), ReleaseView("R2", (base, user))

    def functions(direction: str) -> list[tuple[str, str]]:
        steps = translated(without, both, direction)
        return [(step[1].partition(":")[2], step[2][0]) for step in steps if step[0] == "apply"]

    assert functions("up") == [("start", "base"), ("start", "user")]
    assert functions("down") == [("stop", "user"), ("unload", "user"), ("stop", "base"), ("unload", "base")]
