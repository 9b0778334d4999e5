"""A process whose class or name changes is restarted, or its author is asked; what only moves keeps its state."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from node_runtime.releases.appups.check.check import appup_mistakes
from node_runtime.releases.appups.generation.generate import generate_appups
from node_runtime.releases.appups.sources.release_source import read_project_source
from node_runtime.testing import take_through
from tests.support.projects.shop_versions import APP, SERVER, sup, write_shop

TILL = SERVER.replace("name=__name__", 'name="till"')
MACHINE = (
    TILL.replace("GenServer, gen_server", "GenStatem, gen_statem, keep")
    .replace("GenServer[State]", "GenStatem[State]")
    .replace("def init(self) -> State:\n        return State()", 'def init(self):\n        return "idle", State()')
    .replace("async def", "    def idle(self, event):\n        return keep\n\nasync def")
    .replace("gen_server.start_link", "gen_statem.start_link")
)
RENAMED = TILL.replace("class Server(", "class Till(").replace("start_link(Server,", "start_link(Till,")
STATE = "\nfrom dataclasses import dataclass\n\n@dataclass\nclass State:\n    count: int = 0\n    limit: int = 9\n"
WITHOUT_STATE = TILL.replace("\nfrom dataclasses import dataclass\n", "\nfrom shop.state import State\n").replace(
    "@dataclass\nclass State:\n    count: int = 0\n", ""
)


def projects(folder: Path, older: Mapping[str, str], newer: Mapping[str, str]) -> tuple[Path, Path]:
    """The projects of both versions; the newer one has the generated appup, without its questions."""
    paths = [
        write_shop(folder / vsn, vsn, {"app": APP, "sup": sup("one"), **modules})
        for vsn, modules in (("1.0", older), ("2.0", newer))
    ]
    return paths[0], paths[1]


def generated(older: Path, newer: Path) -> tuple[str, list[str], list[str]]:
    """The generated appup, its questions and the notes. The appup without questions is written to the project."""
    source = read_project_source(newer)
    made = generate_appups(read_project_source(older), source)
    (appup,) = made.appups
    lines = [line for line in appup.text.splitlines(keepends=True) if "question =" not in line]
    source.appups["shop"].path.write_text("".join(lines))
    return appup.text, list(appup.questions), list(made.notes)


def mistakes(older: Path, newer: Path) -> list[str]:
    return [str(each) for each in appup_mistakes(read_project_source(older), read_project_source(newer))]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (TILL, RENAMED),
        (TILL, MACHINE),
        (MACHINE, TILL),
        (TILL, TILL.replace('"till"', '"counter"')),
        (TILL, sup("two").replace("Top", "Server").replace('name="top"', 'name="till"')),
    ],
    ids=["renamed class", "machine", "server", "other name", "supervisor"],
)
async def test_a_child_whose_process_can_not_go_on_is_restarted_and_check_demands_it(
    tmp_path: Path, older: str, newer: str
) -> None:
    two = {"two": SERVER} if "shop.two" in newer else {}
    first, second = projects(tmp_path, {"one": older}, {"one": newer, **two})
    text, questions, notes = generated(first, second)
    assert questions == []
    assert "The state of the child one of top is lost" in notes[0]
    assert mistakes(first, second) == []
    await take_through(first, second)
    file = second / "apps/shop/appup.toml"
    lines = [line for line in text.splitlines() if "terminate_child" not in line and "restart_child" not in line]
    file.write_text("\n".join(lines))
    found = mistakes(first, second)
    assert len(found) >= 2
    assert all(f"{file}, line " in each and "terminate_child" in each for each in found)


async def test_another_name_for_the_renamed_class_keeps_the_state(tmp_path: Path) -> None:
    first, second = projects(tmp_path, {"one": TILL}, {"one": f"{RENAMED}\nServer = Till\n"})
    text, questions, notes = generated(first, second)
    assert "_child" not in text
    assert questions == notes == []
    await take_through(first, second, state={"count": 3})


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ({"one": TILL}, {"one": "from shop.impl import Server, State, start_link\n", "impl": TILL}),
        ({"one": TILL}, {"one": WITHOUT_STATE, "state": STATE}),
        ({"one": WITHOUT_STATE, "state": STATE}, {"one": TILL}),
    ],
    ids=["server", "state", "state moves back"],
)
async def test_a_class_that_only_moves_keeps_the_state_without_a_question(
    tmp_path: Path, older: Mapping[str, str], newer: Mapping[str, str]
) -> None:
    first, second = projects(tmp_path, older, newer)
    text, questions, _ = generated(first, second)
    losses = [each for each in questions if "State.limit" not in each]  # the field that only one version has
    assert losses == []
    assert text.count('{ update = "shop.one", change = "advanced" }') == 2
    assert mistakes(first, second) == []
    await take_through(first, second, state={"count": 3}, up=None if "state" in newer else {"count": 3})


def test_a_supervisor_at_the_top_that_loses_its_class_is_a_question_and_a_mistake(tmp_path: Path) -> None:
    first, second = projects(tmp_path, {"one": TILL}, {"one": TILL, "sup": sup("one").replace("Top", "Root")})
    _, questions, _ = generated(first, second)
    assert len(questions) == 2
    assert questions[0].startswith("The supervisor top runs shop.sup.Top, which 2.0 lacks. Keep the class")
    assert ["shop.sup.Top" in each for each in mistakes(first, second)] == [True, False]
    assert "shop.sup.Root" in mistakes(first, second)[1]


def test_a_module_that_becomes_a_package_is_loaded_and_check_demands_it(tmp_path: Path) -> None:
    first, second = projects(tmp_path, {"one": TILL, "user": ""}, {"one": TILL, "user": "from shop.one import more\n"})
    source = second / "apps/shop/src/shop"
    (source / "one").mkdir()
    (source / "one.py").rename(source / "one/__init__.py")
    (source / "one/more.py").write_text("")
    text, questions, _ = generated(first, second)
    assert questions == []
    assert text.count('{ load_module = "shop.one" }') == 2
    assert mistakes(first, second) == []
    (second / "apps/shop/appup.toml").write_text(text.replace('  { load_module = "shop.one" },\n', ""))
    assert all("shop.one becomes a" in each for each in mistakes(first, second))
    assert len(mistakes(first, second)) == 2


def test_a_listener_that_only_one_version_has_is_a_note(tmp_path: Path) -> None:
    start = APP.replace("return await sup", 'await web.start_http("NAME", port=0, routes=())\n        return await sup')
    apps = [start.replace("NAME", name).replace("Application\n", "Application, web\n", 1) for name in ("old", "new")]
    first, second = projects(tmp_path, {"one": TILL, "app": apps[0]}, {"one": TILL, "app": apps[1]})
    _, questions, notes = generated(first, second)
    assert questions == []
    assert ["is new" in notes[0], "is removed" in notes[1]] == [True, True]
