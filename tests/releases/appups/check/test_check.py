"""Each mistake of an appup is found with its file and line, and the right appup beside it is accepted."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from node_runtime.releases.appups.check.check import appup_mistakes
from node_runtime.releases.appups.sources.release_source import read_project_source
from tests.support.projects.shop_versions import APP, SERVER, appup, sup, write_shop

EXAMPLES = Path(__file__).parents[4] / "examples"
UPDATE_SUP = '{ update = "shop.sup", type = "supervisor" },'
RESTART = '{ apply = "node_runtime.supervisor:restart_child", args = ["top", "CHILD"] },'
TERMINATE = '{ apply = "node_runtime.supervisor:terminate_child", args = ["top", "CHILD"] },'
DELETE = '{ apply = "node_runtime.supervisor:delete_child", args = ["top", "CHILD"] },'


def mistakes(folder: Path, older: Mapping[str, str], newer: Mapping[str, str], text: str) -> list[str]:
    """The mistakes of an appup between two versions of the shop, without the folder."""
    first = read_project_source(write_shop(folder / "1.0", "1.0", older))
    second = read_project_source(write_shop(folder / "2.0", "2.0", newer, text))
    return [str(each).replace(f"{folder}/2.0/apps/shop/", "") for each in appup_mistakes(first, second)]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("nine9s/0.1.0", "nine9s/0.2.0"),
        ("hub/1.0", "hub/1.1"),
        ("hub/1.1", "hub/1.2"),
        ("fil/1986.a", "fil/1986.b"),
        ("fil/1986.b", "fil/1986.c"),
        ("fil/1986.a", "fil/1986.c"),
    ],
)
def test_the_appups_of_the_examples_have_no_mistakes(older: str, newer: str) -> None:
    assert appup_mistakes(read_project_source(EXAMPLES / older), read_project_source(EXAMPLES / newer)) == []


POST = """
[[down]]
to = "0.1.0"
instructions = [
  { load_module = "nine9s.default_handler" },
  { apply = "node_runtime.supervisor:terminate_child", args = ["nine9s_sup", "state_handler"] },
  { apply = "node_runtime.supervisor:delete_child", args = ["nine9s_sup", "state_handler"] },
  { update = "nine9s.sup", type = "supervisor" },
  { delete_module = "nine9s.state_handler" },
  { apply = "nine9s.app:set_routes_old" },
  { delete_module = "nine9s.count_handler" },
  { load_module = "nine9s.app" },
]
"""


def test_the_downgrade_of_the_post_stops_the_counter_while_a_route_leads_to_it(tmp_path: Path) -> None:
    newer = shutil.copytree(EXAMPLES / "nine9s/0.2.0", tmp_path / "0.2.0")
    file = newer / "apps/nine9s/appup.toml"
    before, _, _ = file.read_text().partition("[[down]]")
    file.write_text(before + POST.lstrip())
    found = [
        str(each) for each in appup_mistakes(read_project_source(EXAMPLES / "nine9s/0.1.0"), read_project_source(newer))
    ]
    lines = file.read_text().splitlines()
    assert len(found) == 2
    stop = next(number for number, line in enumerate(lines, 1) if "terminate_child" in line and number > 20)
    assert found[0].startswith(
        f"{file}, line {stop}: the child state_handler of nine9s_sup is stopped at this step, but requests for /count "
        "still reach nine9s.count_handler, which calls nine9s.state_handler"
    )
    assert found[0].endswith("set the routes before this step.")
    delete = next(number for number, line in enumerate(lines, 1) if 'delete_module = "nine9s.state' in line)
    assert found[1].startswith(f"{file}, line {delete}: delete_module nine9s.state_handler: nine9s.count_handler")


ROUTES_NEW = '  { apply = "nine9s.app:set_routes_new", undo = "nine9s.app:set_routes_old" },\n'


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (
            'add_module = "nine9s.count',
            "/count is routed to nine9s.count_handler:count, which is not loaded at this step",
        ),
        (
            'apply = "node_runtime.supervisor:restart',
            "calls nine9s.state_handler, but the child state_handler of nine9s_sup",
        ),
    ],
)
def test_routes_follow_their_handlers_and_the_servers_of_these(tmp_path: Path, before: str, expected: str) -> None:
    newer = shutil.copytree(EXAMPLES / "nine9s/0.2.0", tmp_path / "0.2.0")
    file = newer / "apps/nine9s/appup.toml"
    lines = file.read_text().replace(ROUTES_NEW, "", 1).splitlines(keepends=True)
    app, count = '  { load_module = "nine9s.app" },\n', '  { add_module = "nine9s.count_handler" },\n'
    lines.remove(app)
    moved = [app, ROUTES_NEW]
    if "count" not in before:
        lines.remove(count)
        moved = [count, *moved]
    place = next(number for number, line in enumerate(lines) if before in line)
    file.write_text("".join([*lines[:place], *moved, *lines[place:]]))
    found = [
        str(each) for each in appup_mistakes(read_project_source(EXAMPLES / "nine9s/0.1.0"), read_project_source(newer))
    ]
    assert len(found) == 1
    assert expected in found[0]


ONE = {"__init__": "", "a": "x = 1\n"}
TWO = {"__init__": "", "a": "x = 2\n", "b": "x = 1\n", "c": "from shop import b\n"}
UP = '{ add_module = "shop.b" },\n{ add_module = "shop.c" },\n{ load_module = "shop.a" },'
DOWN = '{ load_module = "shop.a" },\n{ delete_module = "shop.c" },\n{ delete_module = "shop.b" },'


@pytest.mark.parametrize(
    ("up", "down", "expected"),
    [
        (UP, DOWN, []),
        (
            UP.replace('{ load_module = "shop.a" },', ""),
            DOWN,
            ["line 3: shop.a was changed from 1.0 to 2.0, but the entry under `up` has no instruction for it; add"],
        ),
        (
            UP.replace("add_module", "load_module"),
            DOWN,
            [
                "line 6: load_module shop.b: the module is new in 2.0; use add_module",
                "line 7: load_module shop.c: the module is new in 2.0; use add_module",
            ],
        ),
        (
            UP.replace("load_module", "add_module"),
            DOWN,
            ["line 8: add_module shop.a: 1.0 has this module already; use load_module"],
        ),
        (
            UP + '{ load_module = "shop.d" },',
            DOWN,
            ["line 8: load_module shop.d: neither shop 1.0 nor 2.0 has this module; correct the name"],
        ),
        (UP + '{ load_module = "shop.a" },', DOWN, ["line 8: shop.a has an instruction in line 8 already"]),
        (
            UP,
            DOWN.replace('delete_module = "shop.b"', 'delete_module = "shop.a"').replace(
                '{ load_module = "shop.a" },\n', ""
            ),
            [
                "delete_module shop.a: 1.0 has this module; use load_module",
                "shop.b was removed from 2.0 to 1.0, but the entry under `down` has no instruction for it",
            ],
        ),
        (
            UP,
            '{ load_module = "shop.a" },\n{ delete_module = "shop.b" },\n{ delete_module = "shop.c" },',
            [
                "line 15: delete_module shop.b: shop.c (src/shop/c.py, line 1) still imports it at this step; "
                "delete shop.c before this step"
            ],
        ),
        (UP + '{ question = "What is the rate?" },', DOWN, ["line 8: this question is open: What is the rate?"]),
        (
            UP + '{ load_modul = "shop.a" },{ apply = 3 },',
            DOWN,
            ['line 8: { load_modul = "shop.a" } is not an appup instruction', "line 8: { apply = 3 }: apply must be"],
        ),
    ],
)
def test_instructions_for_modules(tmp_path: Path, up: str, down: str, expected: list[str]) -> None:
    found = mistakes(tmp_path, ONE, TWO, appup(up, down))
    assert len(found) == len(expected), found
    assert [part for part, text in zip(expected, found, strict=True) if part not in text] == []


def test_a_toml_error_has_its_line(tmp_path: Path) -> None:
    text = appup(UP.replace("},", "}"), DOWN)
    (found,) = mistakes(tmp_path, ONE, TWO, text)
    assert found.startswith("appup.toml, line 7: this is not valid TOML")


APPLIES = {"a": "def old(): ...\n"}
NOW_APPLIES = {"a": "def new(name): ...\n", "b": "def begin(): ...\n"}


@pytest.mark.parametrize(
    ("up", "expected"),
    [
        ('{ load_module = "shop.a" },\n{ add_module = "shop.b" },\n{ apply = "shop.b:begin" },', None),
        ('{ apply = "shop.a:old" },\n{ load_module = "shop.a" },\n{ add_module = "shop.b" },', None),
        (
            '{ apply = "shop.a:new", args = ["x"] },\n{ load_module = "shop.a" },\n{ add_module = "shop.b" },',
            "line 6: apply: shop.a:new does not exist at this step, because shop.a is still the version of 1.0; load",
        ),
        (
            '{ load_module = "shop.a" },\n{ apply = "shop.a:new" },\n{ add_module = "shop.b" },',
            "line 7: apply: shop.a:new (src/shop/a.py, line 1) can't be called with 0 arguments",
        ),
        (
            '{ load_module = "shop.a" },\n{ apply = "shop.b:begin" },\n{ add_module = "shop.b" },',
            "line 7: apply: shop.b is not loaded before this step; move the apply after its add_module",
        ),
        (
            '{ load_module = "shop.a" },\n{ apply = "shop.a:old" },\n{ add_module = "shop.b" },',
            "line 7: apply: shop.a of 2.0, which is current at this step, has no function old",
        ),
        (
            '{ load_module = "shop.a" },\n{ apply = "shop.x:old" },\n{ add_module = "shop.b" },',
            "line 7: apply: neither release has the module shop.x",
        ),
        (
            '{ load_module = "shop.a" },\n{ apply = "node_runtime.web:set_route" },\n{ add_module = "shop.b" },',
            "line 7: apply: node_runtime.web:set_route does not exist",
        ),
        (
            '{ load_module = "shop.a" },\n{ apply = "shop.a:new", args = ["x"], undo = "shop.a:ol" },\n'
            '{ add_module = "shop.b" },',
            "line 7: apply: shop.a of 2.0, which is current at this step, has no function ol",
        ),
    ],
)
def test_applied_functions_exist_at_their_step(tmp_path: Path, up: str, expected: str | None) -> None:
    down = '{ load_module = "shop.a" },\n{ delete_module = "shop.b" },'
    found = mistakes(tmp_path, APPLIES, NOW_APPLIES, appup(up, down))
    assert len(found) == (expected is not None), found
    assert expected is None or expected in found[0]


FIRST = {"app": APP, "sup": sup("one"), "one": SERVER}
SECOND = {"app": APP, "sup": sup("two"), "two": SERVER}
GOOD_UP = f"""
{{ add_module = "shop.two" }},
{TERMINATE.replace("CHILD", "one")}
{DELETE.replace("CHILD", "one")}
{UPDATE_SUP}
{RESTART.replace("CHILD", "two")}
{{ delete_module = "shop.one" }},
"""
GOOD_DOWN = GOOD_UP.replace("one", "x").replace("two", "one").replace('x"', 'two"')


def without(text: str, *parts: str) -> str:
    """The lines of a text in which none of the parts occurs."""
    return "\n".join(line for line in text.splitlines() if not any(part in line for part in parts))


@pytest.mark.parametrize(
    ("up", "expected"),
    [
        (GOOD_UP, []),
        (
            without(GOOD_UP, "restart_child"),
            [
                "line 3: top has the new child two (src/shop/sup.py, line 8), but nothing starts it; add "
                '{ apply = "node_runtime.supervisor:restart_child", args = ["top", "two"] } after the update'
            ],
        ),
        (
            without(GOOD_UP, "terminate_child", "delete_child"),
            [
                "delete_module shop.one: the child one of top",
                "line 3: top loses the child one (1.0/apps/shop/src/shop/sup.py, line 8), but nothing stops it",
            ],
        ),
        (without(GOOD_UP, "terminate_child"), ["line 7: delete child one of top: it still runs at this step"]),
        (
            GOOD_UP.replace(UPDATE_SUP, '{ load_module = "shop.sup" },'),
            ["the children of top change, but its process keeps the old ones; use"],
        ),
        (
            GOOD_UP.replace(UPDATE_SUP, "").strip() + UPDATE_SUP,
            ["start child two of top: top gets this child only by its update; move"],
        ),
        (GOOD_UP.replace('"top", "two"', '"tip", "two"'), ["no supervisor is registered as tip", "nothing starts it"]),
    ],
)
def test_children_are_started_and_stopped(tmp_path: Path, up: str, expected: list[str]) -> None:
    found = [text.replace(f"{tmp_path}/", "") for text in mistakes(tmp_path, FIRST, SECOND, appup(up, GOOD_DOWN))]
    assert [part for part in expected if not any(part in text for text in found)] == [], found
    assert bool(found) == bool(expected), found


CHANGED = SERVER.replace("count: int = 0", "count: int = 0\n    step: int = 1")
NESTED = """
from dataclasses import dataclass
from node_runtime import GenServer
from shop import model

class Server(GenServer["State"]):
    def init(self):
        return State({})

@dataclass
class State:
    items: dict[int, model.Item]
"""
ITEM = "from dataclasses import dataclass\n@dataclass\nclass Item:\n    name: str\n"
CONVERTED = SERVER.replace(
    "async def", "    @classmethod\n    def code_change(cls, old_vsn, state, extra):\n        return state\n\nasync def"
)


@pytest.mark.parametrize("instruction", ["load_module", "update"])
@pytest.mark.parametrize(
    ("older", "newer", "reason"),
    [
        (
            {"one": SERVER},
            {"one": CHANGED},
            "the state class shop.one.State (src/shop/one.py, line 6) changes",
        ),
        ({"one": SERVER}, {"one": CONVERTED}, "the code_change of shop.one.Server (src/shop/one.py, line 14) is new"),
        (
            {"one": NESTED, "model": ITEM},
            {"one": NESTED + "# changed\n", "model": ITEM + "    price: int = 0\n"},
            "the state class shop.model.Item (src/shop/model.py, line 3) changes",
        ),
    ],
)
def test_states_that_change_go_through_code_change(
    tmp_path: Path, instruction: str, older: Mapping[str, str], newer: Mapping[str, str], reason: str
) -> None:
    model = '{ load_module = "shop.model" },' if "model" in older else ""
    weak = f'{{ {instruction} = "shop.one" }},\n{model}'
    right = f'{{ update = "shop.one", change = "advanced" }},\n{model}'
    name = instruction
    first, second = mistakes(tmp_path, older, newer, appup(weak, weak))
    assert f"line 6: {name} shop.one: {reason}" in first
    assert f'but {name} keeps the states as they are; use {{ update = "shop.one", change = "advanced" }}' in first
    assert f"{name} shop.one" in second
    assert mistakes(tmp_path, older, newer, appup(right, right)) == []


def test_a_server_that_is_not_changed_itself_needs_an_update_for_its_states(tmp_path: Path) -> None:
    model = '{ load_module = "shop.model" },'
    older, newer = {"one": NESTED, "model": ITEM}, {"one": NESTED, "model": ITEM + "    price: int = 0\n"}
    found = mistakes(tmp_path, older, newer, appup(model, model))
    assert len(found) == 2
    assert 'the processes of shop.one have such states; add { update = "shop.one", change = "advanced" }' in found[0]


def test_a_server_whose_code_changes_but_not_its_state_needs_no_code_change(tmp_path: Path) -> None:
    changed = SERVER.replace("async def", "    def add(self) -> None:\n        self.state.count += 1\n\nasync def")
    load = '{ load_module = "shop.one" },'
    assert mistakes(tmp_path, {"one": SERVER}, {"one": changed}, appup(load, load)) == []


def test_a_field_with_the_name_of_a_later_function_is_not_a_use_of_it(tmp_path: Path) -> None:
    older = SERVER + "\n\ndef count() -> int:\n    return 1\n"
    load = '{ load_module = "shop.one" },'
    assert mistakes(tmp_path, {"one": older}, {"one": older.replace("return 1", "return 2")}, appup(load, load)) == []
