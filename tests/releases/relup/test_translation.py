"""The translation of appups, compared with what OTP's systools does with the same input."""

from __future__ import annotations

from typing import Any

import pytest

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.appup_instructions import parse_instruction
from node_runtime.releases.files.release_model import AppupEntry, AppView, ReleaseView
from node_runtime.releases.relup.relup_json import relup_json
from node_runtime.releases.relup.translation import NoPath, make_relup, translate
from tests.support.projects.relup_cases import SOFT, after, translated


def app(name: str, vsn: str, modules: dict[str, str] | str, up: Any = (), down: Any = ()) -> AppView:
    """An application; `modules` may be words, each a module whose content is the version."""
    hashes = dict.fromkeys(modules.split(), vsn) if isinstance(modules, str) else modules
    ways = [
        tuple(AppupEntry(other, tuple(map(parse_instruction, steps))) for other, steps in way) for way in (up, down)
    ]
    return AppView(name, vsn, hashes, ways[0], ways[1])


def both(steps: list[dict[str, Any]], modules: str = "foo bar", old_modules: str | None = None) -> dict[str, Any]:
    """The relup of one application whose appup says the same up and down."""
    older = ReleaseView("R1", (app("a", "1", modules if old_modules is None else old_modules),))
    newer = ReleaseView("R2", (app("a", "2", modules, [("1", steps)], [("1", steps)]),))
    return relup_json(make_relup(older, newer))


def up_only(steps: list[dict[str, Any]], modules: str = "foo bar", old_modules: str | None = None) -> list[Any]:
    older = ReleaseView("R1", (app("a", "1", modules if old_modules is None else old_modules),))
    newer = ReleaseView("R2", (app("a", "2", modules, [("1", steps)]),))
    return translated(older, newer, "up")


def test_load_module_reads_the_code_before_the_point_of_no_return_and_loads_it_after() -> None:
    relup = both([{"load_module": "foo"}], "foo")
    assert relup["from"] == "R1"
    assert relup["to"] == "R2"
    assert relup["up"] == [["load_object_code", "a", "2", ["foo"]], ["point_of_no_return"], ["load", "foo", *SOFT]]
    assert relup["down"] == [["load_object_code", "a", "1", ["foo"]], ["point_of_no_return"], ["load", "foo", *SOFT]]


def test_a_soft_update_suspends_and_resumes_and_never_migrates() -> None:
    relup = both([{"update": "foo"}], "foo")
    expected = [["suspend", ["foo"]], ["load", "foo", *SOFT], ["resume", ["foo"]]]
    assert after(relup["up"]) == expected
    assert after(relup["down"]) == expected


def test_downwards_a_dynamic_module_migrates_before_and_a_static_one_after_the_load() -> None:
    dynamic = both([{"update": "foo", "change": "advanced", "extra": ["x"]}], "foo")
    assert [step[0] for step in after(dynamic["up"])] == ["suspend", "load", "code_change", "resume"]
    assert [step[0] for step in after(dynamic["down"])] == ["suspend", "code_change", "load", "resume"]
    assert ["code_change", "down", [["foo", ["x"]]]] in dynamic["down"]
    static = both([{"update": "foo", "change": "advanced", "type": "static"}], "foo")
    assert [step[0] for step in after(static["down"])] == ["suspend", "load", "code_change", "resume"]
    supervisor = both([{"update": "foo", "type": "supervisor"}], "foo")
    assert supervisor["up"] == static["up"]
    assert supervisor["down"] == static["down"]


def test_static_and_dynamic_in_one_component_make_two_code_changes_around_the_loads() -> None:
    down = after(
        both(
            [
                {"update": "foo", "change": "advanced", "deps": ["bar"], "timeout": 7},
                {"update": "bar", "change": "advanced", "type": "static", "timeout": "infinity"},
            ]
        )["down"]
    )
    assert down == [
        ["suspend", [["foo", 7], ["bar", "infinity"]]],
        ["code_change", "down", [["foo", []]]],
        ["load", "foo", *SOFT],
        ["load", "bar", *SOFT],
        ["code_change", "down", [["bar", []]]],
        ["resume", ["bar", "foo"]],
    ]


def test_what_others_depend_on_is_loaded_first_upwards_and_last_downwards() -> None:
    relup = both([{"update": "foo", "deps": ["bar"]}, {"update": "bar"}])
    assert after(relup["up"]) == [
        ["suspend", ["foo", "bar"]],
        ["load", "bar", *SOFT],
        ["load", "foo", *SOFT],
        ["resume", ["bar", "foo"]],
    ]
    assert after(relup["down"]) == [
        ["suspend", ["foo", "bar"]],
        ["load", "foo", *SOFT],
        ["load", "bar", *SOFT],
        ["resume", ["bar", "foo"]],
    ]


def test_unrelated_modules_are_separate_cycles() -> None:
    steps = after(up_only([{"update": "foo"}, {"update": "bar"}]))
    assert [step[0] for step in steps] == ["suspend", "load", "resume"] * 2


def test_a_cycle_keeps_the_written_order_and_stays_together() -> None:
    steps = after(
        up_only(
            [
                {"load_module": "a1", "deps": ["a2"]},
                {"load_module": "x", "deps": ["a1"]},
                {"load_module": "a2", "deps": ["a1", "y"]},
                {"load_module": "y"},
            ],
            "a1 x a2 y",
        )
    )
    assert [step[1] for step in steps] == ["y", "a2", "a1", "x"]


def test_applies_survive_exactly_once_and_are_no_barrier() -> None:
    steps = after(
        up_only(
            [
                {"apply": "m:one"},
                {"update": "foo", "deps": ["bar"]},
                {"apply": "m:two", "args": [1, "x"]},
                {"load_module": "bar"},
                {"apply": "m:three", "undo": "m:back"},
            ]
        )
    )
    assert steps == [
        ["apply", "m:one", [], {"undo": None}],
        ["suspend", ["foo"]],
        ["load", "bar", *SOFT],
        ["load", "foo", *SOFT],
        ["resume", ["foo"]],
        ["apply", "m:two", [1, "x"], {"undo": None}],
        ["apply", "m:three", [], {"undo": "m:back"}],
    ]


def test_object_code_is_read_before_an_apply_before_the_point_of_no_return() -> None:
    script = up_only([{"apply": "m:check"}, {"point_of_no_return": True}, {"load_module": "foo"}], "foo")
    assert [step[0] for step in script] == ["load_object_code", "apply", "point_of_no_return", "load"]


def test_delete_that_depends_on_add_that_depends_on_load() -> None:
    older = ReleaseView("R1", (app("a", "1", "old gone"),))
    steps = [
        {"delete_module": "gone", "deps": ["new"]},
        {"add_module": "new", "deps": ["old"]},
        {"load_module": "old"},
    ]
    newer = ReleaseView("R2", (app("a", "2", "old new", [("1", steps)]),))
    script = translated(older, newer, "up")
    assert script[0] == ["load_object_code", "a", "2", ["new", "old"]]
    assert after(script) == [
        ["load", "old", *SOFT],
        ["load", "new", *SOFT],
        ["remove", "gone", *SOFT],
        ["purge", ["gone"]],
    ]


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"apply": "m:f", "args": "x"}, "args must be an array"),
        ({"apply": "m.f"}, '"module:function"'),
        ({"load_module": "foo", "pre_purge": "hard"}, "pre_purge must be"),
        ({"load_module": 3}, "must be a module, written package.module"),
        ({"load_module": "../../evil"}, "must be a module"),
        ({"update": "evil\n"}, "must be a module"),
        ({"delete_module": "a" * 600}, "must be a module"),
        ({"update": "foo", "deps": ["a/b"]}, "each item a module"),
        ({"suspend": ["/etc/passwd"]}, "suspend must be an array"),
        ({"suspend": [["..", 5]]}, "suspend must be an array"),
        ({"code_change": [["../x", []]]}, r"\[module, extra\] pairs"),
        ({"purge": ["x y"]}, "each item a module"),
        ({"remove": ""}, "must be a module"),
        ({"add_application": "../../evil"}, "must be a name: a lowercase letter"),
        ({"load_object_code": "foo", "vsn": "../1", "modules": []}, "vsn must be a version"),
        ({"load_object_code": "foo", "vsn": "1", "modules": ["/"]}, "each item a module"),
        ({"sync_nodes": "a b", "nodes": []}, "must be a name"),
        ({"update": "foo", "type": "supervisor", "change": "soft"}, "change must be"),
        ({"update": "foo", "timeout": -1}, "timeout must be"),
        ({"update": "foo", "deps": "bar"}, "deps must be an array"),
        ({"code_change": ["foo"]}, r"\[module, extra\] pairs"),
        ({"lod_module": "foo"}, "not an appup instruction"),
        ({"load_module": "foo", "extra": 1}, "no option extra"),
    ],
)
def test_a_wrong_instruction_is_one_sentence(table: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        parse_instruction(table)


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ([{"load_module": "foo", "deps": ["ghost"]}], "foo has ghost in its deps"),
        ([{"load_module": "ghost"}], "no application of release R2 has that module"),
        ([{"load_module": "foo"}, {"update": "foo"}], "foo has two instructions in the appup"),
        ([{"suspend": ["foo"]}, {"point_of_no_return": True}], "can't be before"),
        ([{"load_module": "foo"}, {"suspend": ["foo"]}], '"suspend" for foo, but not the instruction "resume"'),
        ([{"load_module": "foo"}, {"code_change": [["foo", []]]}], "no instruction suspends"),
        ([{"load": "foo"}], "no load_object_code instruction reads its code"),
        ([{"point_of_no_return": True}, {"point_of_no_return": True}], "only one point_of_no_return"),
        ([{"load_module": "foo"}, {"remove_application": "a"}], "is still in release R2"),
        ([], "foo changed between a 1 and 2"),
    ],
)
def test_an_invalid_script_is_refused_with_the_reason(steps: list[dict[str, Any]], sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        up_only(steps, "foo")


def test_an_added_or_removed_module_has_to_be_mentioned_too() -> None:
    with pytest.raises(Refused, match=r"new was added .* add_module"):
        up_only([], "new", "")
    with pytest.raises(Refused, match=r"gone was removed .* delete_module"):
        up_only([], "", "gone")


def test_a_module_may_not_change_under_the_same_application_version() -> None:
    older = ReleaseView("R1", (app("a", "1", {"foo": "x"}),))
    newer = ReleaseView("R2", (app("a", "1", {"foo": "y"}),))
    with pytest.raises(Refused, match="foo differs between release R1 and release R2"):
        translate(older, newer, "up")


def test_no_appup_is_needed_for_the_same_version_and_a_missing_entry_is_no_path() -> None:
    same = app("a", "1", "foo")
    assert translated(ReleaseView("R1", (same,)), ReleaseView("R2", (same,)), "up") == [["point_of_no_return"]]
    older, newer = ReleaseView("R1", (same,)), ReleaseView("R2", (app("a", "2", "foo", [("0", [])]),))
    with pytest.raises(NoPath, match="no entry for an upgrade from 1"):
        translate(older, newer, "up")
    with pytest.raises(NoPath, match="no entry for a downgrade to 1"):
        translate(older, newer, "down")


def test_the_first_matching_version_is_taken_and_a_pattern_has_to_match_all_of_it() -> None:
    older = ReleaseView("R1", (app("a", "2.1", "foo"),))
    soft, load = [{"update": "foo"}], [{"load_module": "foo"}]

    def names(*ways: tuple[Any, Any]) -> list[str]:
        return [step[0] for step in after(translated(older, ReleaseView("R2", (app("a", "3", "foo", ways),)), "up"))]

    assert names(("2.?", soft), ("2.1", load)) == ["suspend", "load", "resume"]
    assert names(("2", soft), ("2.1", load)) == ["load"]
    assert names((">=2, <2.1", soft), ("2.1", load)) == ["load"]
    assert names((">=2, <3", soft)) == ["suspend", "load", "resume"]


def test_a_new_application_starts_before_the_one_it_replaces_stops_in_both_directions() -> None:
    older = ReleaseView("R1", (app("old", "1", "o"),))
    newer = ReleaseView("R2", (app("new", "1", "n"),))
    start, stop = "node_runtime.application:start", "node_runtime.application:stop"
    for direction, begin, end, module in (("up", "new", "old", "n"), ("down", "old", "new", "o")):
        script = translated(older, newer, direction)
        gone = "o" if module == "n" else "n"
        assert after(script) == [
            ["load", module, *SOFT],
            ["apply", start, [begin, "permanent"], {"undo": None}],
            ["apply", stop, [end], {"undo": None}],
            ["remove", gone, *SOFT],
            ["purge", [gone]],
            ["apply", "node_runtime.application:unload", [end], {"undo": None}],
        ]


def test_emulator_restarts_are_one_and_in_their_place() -> None:
    steps = [{"restart_new_emulator": True}, {"restart_emulator": True}, {"restart_emulator": True}]
    relup = both([*steps, {"load_module": "foo"}], "foo")
    assert [step[0] for step in relup["up"]] == [
        "restart_new_emulator",
        "load_object_code",
        "point_of_no_return",
        "load",
        "restart_emulator",
    ]
    assert [step[0] for step in relup["down"]] == ["load_object_code", "point_of_no_return", "load", "restart_emulator"]
