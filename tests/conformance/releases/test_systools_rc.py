"""OTP's systools_rc_SUITE: the translation of a list of instructions. Numbers 1 to 10 of the list.

Here the default purge is a soft one; the suite writes it out or has OTP's default, the brutal one.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.appup_instructions import parse_instruction
from node_runtime.releases.files.release_model import ReleaseView
from node_runtime.releases.relup.translation import translate
from tests.support.projects.relup_cases import SOFT, advanced, after, app, load, script, translated, update

BOTH = pytest.mark.parametrize("direction", ["up", "down"])


# ---------------------------------------------------------------- translate: soft and advanced, up and down


@BOTH
def test_translate_x1_x31_x32_soft_updates_never_go_through_code_change(direction: Any) -> None:
    vsn = "2" if direction == "up" else "1"
    assert script(direction, [update("foo")], "foo") == [
        ["load_object_code", "test", vsn, ["foo"]],
        ["point_of_no_return"],
        ["suspend", ["foo"]],
        load("foo"),
        ["resume", ["foo"]],
    ]
    static = [update("foo", "bar", type="static"), update("bar", type="static")]
    dynamic = [update("foo", "bar"), update("bar")]
    both = script(direction, dynamic, "foo bar")
    assert both == script(direction, static, "foo bar")
    assert "code_change" not in {step[0] for step in both}


def test_translate_x22_x22a_downwards_dynamic_is_before_the_load_and_static_after() -> None:
    dynamic, static = [advanced("foo", extra="x")], [advanced("foo", extra="x", type="static")]
    changed = ["code_change", "down", [["foo", "x"]]]
    assert after(script("down", dynamic, "foo")) == [["suspend", ["foo"]], changed, load("foo"), ["resume", ["foo"]]]
    assert after(script("down", static, "foo")) == [["suspend", ["foo"]], load("foo"), changed, ["resume", ["foo"]]]
    up = [["suspend", ["foo"]], load("foo"), ["code_change", "up", [["foo", "x"]]], ["resume", ["foo"]]]
    assert after(script("up", dynamic, "foo")) == after(script("up", static, "foo")) == up


@BOTH
@pytest.mark.parametrize("timeout", [None, "infinity"])
def test_translate_x4_x42_a_soft_one_that_depends_on_an_advanced_one(direction: Any, timeout: Any) -> None:
    said = {} if timeout is None else {"timeout": timeout}
    bar = "bar" if timeout is None else ["bar", timeout]
    for kind in ("dynamic", "static"):
        steps = after(script(direction, [update("foo", "bar"), advanced("bar", type=kind, **said)], "foo bar"))
        changed = ["code_change", direction, [["bar", []]]]
        loads = [load("bar"), load("foo")] if direction == "up" else [load("foo"), load("bar")]
        inner = [changed, *loads] if (direction, kind) == ("down", "dynamic") else [*loads, changed]
        assert steps == [["suspend", ["foo", bar]], *inner, ["resume", ["bar", "foo"]]]


MIXED_A = [
    update("foo", "bar", "baz", timeout="infinity"),
    advanced("bar", type="static", timeout=7),
    advanced("baz", "bar", extra="baz"),
]
MIXED_B = [
    update("foo", "bar", "baz", timeout="infinity"),
    advanced("bar", timeout=7),
    advanced("baz", "bar", extra="baz", type="static"),
]


@pytest.mark.parametrize(
    ("steps", "first", "then"),
    [(MIXED_A, ["baz", "baz"], ["bar", []]), (MIXED_B, ["bar", []], ["baz", "baz"])],
    ids=["X52a", "X52b"],
)
def test_translate_x5a_x52a_x52b_static_and_dynamic_in_one_component(steps: Any, first: Any, then: Any) -> None:
    suspend = ["suspend", [["foo", "infinity"], "baz", ["bar", 7]]]
    resume = ["resume", ["bar", "baz", "foo"]]
    assert after(script("down", steps, "foo bar baz")) == [
        suspend,
        ["code_change", "down", [first]],
        load("foo"),
        load("baz"),
        load("bar"),
        ["code_change", "down", [then]],
        resume,
    ]
    assert after(script("up", steps, "foo bar baz")) == [
        suspend,
        load("bar"),
        load("baz"),
        load("foo"),
        ["code_change", "up", [["baz", "baz"], ["bar", []]]],
        resume,
    ]


def test_translate_x31_x32_x5_what_is_needed_is_loaded_first_upwards_and_last_downwards() -> None:
    steps = [update("foo", "bar", "baz"), advanced("bar"), advanced("baz", "bar", extra="baz")]
    up, down = (script(direction, steps, "foo bar baz") for direction in ("up", "down"))
    assert up[0] == ["load_object_code", "test", "2", ["foo", "baz", "bar"]]
    assert down[0] == ["load_object_code", "test", "1", ["foo", "baz", "bar"]]
    assert [step[1] for step in up if step[0] == "load"] == ["bar", "baz", "foo"]
    assert [step[1] for step in down if step[0] == "load"] == ["foo", "baz", "bar"]
    for steps_of in (up, down):
        assert [step[1] for step in steps_of if step[0] == "suspend"] == [["foo", "baz", "bar"]]
        assert [step[1] for step in steps_of if step[0] == "resume"] == [["bar", "baz", "foo"]]


# ---------------------------------------------------------------- translate: circles, and what stands between


@pytest.mark.parametrize(
    ("steps", "order"),
    [
        ([update("foo", "bar"), update("bar", "foo")], ["foo", "bar"]),
        ([update("foo", "bar", "baz"), update("bar", "foo"), update("baz", "bar")], ["foo", "bar", "baz"]),
    ],
    ids=["X61", "X71"],
)
def test_translate_x61_x71_a_circle_keeps_the_written_order(steps: Any, order: list[str]) -> None:
    backwards = order[::-1]
    for direction, loads in (("up", backwards), ("down", order)):
        expected = [["suspend", order], *map(load, loads), ["resume", backwards]]
        assert after(script(direction, steps, " ".join(order))) == expected


TANGLE = {"foo": ["baz"], "y": ["bar"], "x": ["y", "z"], "z": ["x"], "bar": ["baz"], "baz": ["bar"]}


@pytest.mark.parametrize("seed", range(20))
def test_translate_x8_in_a_tangle_circles_stay_together_and_dependents_come_first(seed: int) -> None:
    written = random.Random(seed).sample(sorted(TANGLE), len(TANGLE))
    steps = [update(module, *TANGLE[module]) for module in written]
    [suspended] = [step[1] for step in script("up", steps, " ".join(TANGLE)) if step[0] == "suspend"]
    place = {module: number for number, module in enumerate(suspended)}
    assert {suspended[-1], suspended[-2]} == {"bar", "baz"}
    assert abs(place["x"] - place["z"]) == 1
    assert max(place["x"], place["z"]) < place["y"]


@BOTH
def test_translate_x9_what_is_applied_in_between_survives_exactly_once(direction: Any) -> None:
    steps: list[dict[str, Any]] = []
    for number, (module, deps) in enumerate(TANGLE.items()):
        steps += [update(module, *deps), {"apply": "m:f", "args": [number]}]
    whole = script(direction, steps, " ".join(TANGLE))
    assert [step[2] for step in whole if step[0] == "apply"] == [[number] for number in range(6)]


# ---------------------------------------------------------------- syntax_check


@pytest.mark.parametrize(
    "table",
    [
        pytest.param({"apply": "m:f", "args": "a"}, id="S3"),
        pytest.param({"apply": 3}, id="S3_1"),
        pytest.param({"apply": "m"}, id="S4"),
        pytest.param({"load_object_code": "hej"}, id="S5"),
        pytest.param({"load_object_code": 342, "vsn": "1.0", "modules": ["foo"]}, id="S6"),
        pytest.param({"load_object_code": "test", "vsn": "1.0", "modules": "foo"}, id="S7"),
        pytest.param({"update": "bar", "change": "advance"}, id="S12"),
        pytest.param({"update": "bar", "pre_purge": "rutal_purge"}, id="S13"),
        pytest.param({"update": "bar", "post_purge": "rutal_purge"}, id="S14"),
        pytest.param({"update": "bar", "deps": "baz"}, id="S15"),
        pytest.param({"code_change": ["module"]}, id="S16"),
    ],
)
def test_syntax_check_of_one_instruction(table: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        parse_instruction(table)


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([{"suspend": ["m1"]}, {"point_of_no_return": True}], id="S8"),
        pytest.param([advanced("ba")], id="S9"),
        pytest.param([advanced("bar", "baz")], id="S10"),
        pytest.param([advanced("bar", "ba")], id="S11"),
    ],
)
def test_syntax_check_of_a_script(steps: Any) -> None:
    with pytest.raises(Refused):
        script("up", steps, "bar")


def test_syntax_check_s2_low_level_instructions_are_taken_as_they_are() -> None:
    steps = [
        {"apply": "m:f", "args": ["a"]},
        {"load_object_code": "test", "vsn": "2", "modules": ["new"]},
        {"point_of_no_return": True},
        update("bar"),
        {"load": "new"},
        {"remove": "gone"},
        {"purge": ["gone"]},
        {"suspend": ["m1", ["m2", 3]]},
        {"code_change": [["m1", "x"]], "mode": "up"},
        {"resume": ["m1", "m2"]},
        {"stop": ["m3", "m4"]},
        {"start": ["m3", "m4"]},
        {"sync_nodes": "id2", "nodes": ["cp1", "cp2"]},
        {"apply": "m:f", "args": ["a"]},
        {"restart_new_emulator": True},
        {"restart_emulator": True},
    ]
    older = ReleaseView("R1", (app("test", "1", "bar gone"),))
    newer = ReleaseView("R2", (app("test", "2", "bar new", [("1", steps)]),))
    assert translated(older, newer, "up") == [
        ["restart_new_emulator"],
        ["load_object_code", "test", "2", ["new", "bar"]],
        ["apply", "m:f", ["a"], {"undo": None}],
        ["point_of_no_return"],
        ["suspend", ["bar"]],
        load("bar"),
        ["resume", ["bar"]],
        load("new"),
        ["remove", "gone", *SOFT],
        ["purge", ["gone"]],
        ["suspend", ["m1", ["m2", 3]]],
        ["code_change", "up", [["m1", "x"]]],
        ["resume", ["m1", "m2"]],
        ["stop", ["m3", "m4"]],
        ["start", ["m3", "m4"]],
        ["sync_nodes", "id2", ["cp1", "cp2"]],
        ["apply", "m:f", ["a"], {"undo": None}],
        ["restart_emulator"],
    ]


# ---------------------------------------------------------------- translate_app

STARTS = {
    "permanent": [["apply", "node_runtime.application:start", ["test", "permanent"], {"undo": None}]],
    "transient": [["apply", "node_runtime.application:start", ["test", "transient"], {"undo": None}]],
    "temporary": [["apply", "node_runtime.application:start", ["test", "temporary"], {"undo": None}]],
    "load": [["apply", "node_runtime.application:load", ["test"], {"undo": None}]],
    "none": [],
}
STOP = ["apply", "node_runtime.application:stop", ["test"], {"undo": None}]


@pytest.mark.parametrize("start", STARTS)
def test_translate_app_restart_goes_by_the_target_s_start_type(start: str) -> None:
    assert after(script("up", [{"restart_application": "test"}], "foo bar", start=start)) == [
        STOP,
        ["remove", "foo", *SOFT],
        ["remove", "bar", *SOFT],
        ["purge", ["foo", "bar"]],
        load("foo"),
        load("bar"),
        *STARTS[start],
    ]


@pytest.mark.parametrize("start", STARTS)
def test_translate_app_add_goes_by_the_release_s_start_type(start: str) -> None:
    older, newer = ReleaseView("R1"), ReleaseView("R2", (app("test", "1", "foo bar", start=start),))
    assert translated(older, newer, "up") == [
        ["load_object_code", "test", "1", ["foo", "bar"]],
        ["point_of_no_return"],
        load("foo"),
        load("bar"),
        *STARTS[start],
    ]


@pytest.mark.parametrize("start", STARTS)
def test_translate_app_add_as_an_instruction_says_its_own_start_type(start: str) -> None:
    older = ReleaseView("R1", (app("main", "1", "m"),))
    said = [{"load_module": "m"}, {"add_application": "test", "start": start}]
    newer = ReleaseView("R2", (app("main", "2", "m", [("1", said)]), app("test", "1", "foo")))
    with pytest.raises(Refused, match="foo has two instructions"):
        translate(older, newer, "up")  # OTP's too: the release adds it, and the appup once more


@pytest.mark.parametrize("start", STARTS)
def test_translate_app_remove_stops_and_unloads_whatever_the_start_type(start: str) -> None:
    older, newer = ReleaseView("R1", (app("test", "1", "foo bar", start=start),)), ReleaseView("R2")
    assert translated(older, newer, "up") == [
        ["point_of_no_return"],
        STOP,
        ["remove", "foo", *SOFT],
        ["remove", "bar", *SOFT],
        ["purge", ["foo", "bar"]],
        ["apply", "node_runtime.application:unload", ["test"], {"undo": None}],
    ]


# ---------------------------------------------------------------- translate_emulator_restarts

NEW, SAME = {"restart_new_emulator": True}, {"restart_emulator": True}


@pytest.mark.parametrize(
    ("restarts", "up", "down"),
    [
        ([NEW], (True, False), (False, True)),
        ([SAME], (False, True), (False, True)),
        ([SAME, NEW], (True, True), (False, True)),
        ([NEW, SAME, SAME, NEW], (True, True), (False, True)),
    ],
    ids=["X1", "X2", "X3", "X4"],
)
@pytest.mark.parametrize("bare", [False, True], ids=["with-code", "X5-X6"])
def test_translate_emulator_restarts(restarts: Any, up: Any, down: Any, bare: bool) -> None:
    for direction, (first, last) in (("up", up), ("down", down)):
        modules = "" if bare else "foo"
        whole = script(direction, [*([] if bare else [update("foo")]), *restarts], modules)
        between = [["point_of_no_return"]] if bare else script(direction, [update("foo")], "foo")
        begin = [["restart_new_emulator"]] if first else []
        assert whole == [*begin, *between, *([["restart_emulator"]] if last else [])]


# ---------------------------------------------------------------- translate_add_delete_module


def test_translate_add_delete_module() -> None:
    steps = [
        {"delete_module": "gone", "deps": ["new"]},
        {"add_module": "new", "deps": ["old"]},
        {"load_module": "old"},
    ]
    older = ReleaseView("R1", (app("test", "1", "old gone"),))
    newer = ReleaseView("R2", (app("test", "2", "old new", [("1", steps)]),))
    whole = translated(older, newer, "up")
    assert whole[0][:3] == ["load_object_code", "test", "2"]
    assert sorted(whole[0][3]) == ["new", "old"]
    assert after(whole) == [load("old"), load("new"), ["remove", "gone", *SOFT], ["purge", ["gone"]]]
