"""Generated appups: they are those of careful authors, and what an author has written stays."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.appups.check.check import appup_mistakes
from node_runtime.releases.appups.generation.generate import Generation, generate_appups
from node_runtime.releases.appups.generation.version_bump import bump_versions
from node_runtime.releases.appups.sources.release_source import read_project_source
from node_runtime.releases.build.project import read_project
from node_runtime.releases.relup.relup_json import relup_json
from node_runtime.releases.relup.translation import make_relup
from tests.support.projects.shop_versions import APP, SERVER, sup, write_shop

EXAMPLES = Path(__file__).parents[4] / "examples"


def generate(older: Path, newer: Path) -> Generation:
    """Generate the appups of a project, and write them."""
    source = read_project_source(newer)
    made = generate_appups(read_project_source(older), source)
    for each in made.appups:
        source.appups[each.app].path.write_text(each.text)
    return made


def relup(older: Path, newer: Path) -> dict[str, Any]:
    return relup_json(make_relup(read_project(older).view(), read_project(newer).view()))


@pytest.mark.parametrize(
    ("older", "newer", "answers"),
    [
        ("nine9s/0.1.0", "nine9s/0.2.0", None),
        ("fil/1986.a", "fil/1986.b", None),
        ("fil/1986.b", "fil/1986.c", "red"),
        ("fil/1986.a", "fil/1986.c", "lime"),
    ],
)
def test_the_generated_relup_of_an_example_is_that_of_its_author(
    tmp_path: Path, older: str, newer: str, answers: str | None
) -> None:
    """The colour that `extra` has in fil is what only its author knows, so it is a question."""
    copy = shutil.copytree(EXAMPLES / newer, tmp_path / "copy")
    file = next(copy.glob("apps/*/appup.toml"))
    file.unlink()
    made = generate(EXAMPLES / older, copy)
    assert bool(made.appups[0].questions) == (answers is not None)
    if answers is not None:
        text = "\n".join(line for line in file.read_text().splitlines() if "question" not in line)
        file.write_text(text.replace('change = "advanced"', f'change = "advanced", extra = "{answers}"'))
    assert relup(EXAMPLES / older, copy) == relup(EXAMPLES / older, EXAMPLES / newer)


@pytest.mark.parametrize(("older", "newer", "more"), [("1.0", "1.1", set()), ("1.1", "1.2", {"hub.member"})])
def test_the_generated_instructions_of_the_hub_are_those_of_its_author_but_for_a_load(
    tmp_path: Path, older: str, newer: str, more: set[str]
) -> None:
    """The order differs, and the modules that the author's `deps` join: see docs/appups.md."""
    copy = shutil.copytree(EXAMPLES / "hub" / newer, tmp_path / "copy")
    next(copy.glob("apps/*/appup.toml")).unlink()
    assert generate(EXAMPLES / "hub" / older, copy).appups[0].questions == ()
    assert appup_mistakes(read_project_source(EXAMPLES / "hub" / older), read_project_source(copy)) == []
    made, written = (relup(EXAMPLES / "hub" / older, project) for project in (copy, EXAMPLES / "hub" / newer))
    for direction in ("up", "down"):
        steps = [
            {str(step) for step in each[direction] if step[0] in ("load", "remove", "apply")}
            for each in (made, written)
        ]
        assert steps[0] < steps[1] if more else steps[0] == steps[1]
        assert {module for module in more if f"['load', '{module}'" in str(steps[1] - steps[0])} == more


@pytest.mark.parametrize(
    ("older", "newer"),
    [("nine9s/0.1.0", "nine9s/0.2.0"), ("fil/1986.a", "fil/1986.c"), ("hub/1.0", "hub/1.1"), ("hub/1.1", "hub/1.2")],
)
def test_an_appup_without_mistakes_stays_as_it_is(tmp_path: Path, older: str, newer: str) -> None:
    copy = shutil.copytree(EXAMPLES / newer, tmp_path / "copy")
    assert [each.is_new for each in generate(EXAMPLES / older, copy).appups] == [False]


WRITTEN = """# Our appup.
vsn = "2.0"

# The rate comes from the bank.
[[up]]
from = "1.0"
instructions = [
  # before anything else
  { apply = "shop.one:prepare", args = ["x"] },
  { update = "shop.one", change = "advanced", extra = { rate = 1.5 }, timeout = 30 },  # slow
  { add_module = "shop.gone" },
]

[[up]]
from = "0.9"
instructions = [ { load_module = "shop.one" } ]
"""

EXPECTED = """# Our appup.
vsn = "2.0"

# The rate comes from the bank.
[[up]]
from = "1.0"
instructions = [
  # before anything else
  { apply = "shop.one:prepare", args = ["x"] },
  { update = "shop.one", change = "advanced", extra = { rate = 1.5 }, timeout = 30 },  # slow
  { add_module = "shop.two" },
]

[[up]]
from = "0.9"
instructions = [ { load_module = "shop.one" } ]

[[down]]
to = "1.0"
instructions = [
  { delete_module = "shop.two" },
  { update = "shop.one", change = "advanced" },
]
"""
PREPARE = "\ndef prepare(name): ...\n"


def test_hand_written_parts_are_kept_when_the_code_changes_again(tmp_path: Path) -> None:
    older = write_shop(tmp_path / "1.0", "1.0", {"one": SERVER + PREPARE})
    changed = SERVER.replace("count: int = 0", "count: int = 0\n    step: int = 1") + PREPARE
    newer = write_shop(tmp_path / "2.0", "2.0", {"one": changed, "two": "x = 1\n"}, WRITTEN)
    (made,) = generate(older, newer).appups
    assert made.text == EXPECTED
    assert appup_mistakes(read_project_source(older), read_project_source(newer)) == []
    assert not generate(older, newer).appups[0].is_new


def test_the_entries_of_an_earlier_version_go_when_the_version_changes(tmp_path: Path) -> None:
    older = write_shop(tmp_path / "1.5", "1.5", {"one": "x = 1\n"})
    newer = write_shop(tmp_path / "2.0", "2.0", {"one": "x = 2\n"}, WRITTEN.replace('"2.0"', '"1.5"'))
    (made,) = generate(older, newer).appups
    assert [line for line in made.text.splitlines() if " = " in line][:2] == ['vsn = "2.0"', 'from = "1.5"']
    assert "1.0" not in made.text


CONVERSION = (
    "    @classmethod\n    def code_change(cls, old_vsn, state, extra):\n        return extra or state\n\nasync def"
)
PAGES = """
from node_runtime import web
from node_runtime.web import Route

ROUTES = (Route("/", "shop.pages:home"),)
MORE = ROUTES

async def start():
    await web.start_http("http", port=0, routes=ROUTES)
"""


@pytest.mark.parametrize(
    ("older", "newer", "expected"),
    [
        ({"one": SERVER}, {"one": SERVER.replace("async def", CONVERSION)}, "get as `extra` in the upgrade?"),
        (
            {"one": SERVER},
            {
                "one": SERVER.replace("class State", "class Data")
                .replace("[State]", "[Data]")
                .replace("State()", "Data()")
            },
            "The state of shop.one.Server was State and becomes Data: which code_change converts it?",
        ),
        (
            {
                "one": SERVER.replace("class State", "class Item: ...\n@dataclass\nclass State").replace(
                    "int = 0", "Item"
                )
            },
            {"one": SERVER},
            "The states of shop.one.Server may hold shop.one.Item, which the target of the upgrade lacks",
        ),
        (
            {"one": SERVER.replace("count: int = 0", "count: int = 0\n    total: int = 0")},
            {"one": SERVER},
            "The states of shop.one.Server lose shop.one.State.total: which code_change keeps the data?",
        ),
        (
            {"sup": sup("one").replace("[C", "get() or [C"), "one": SERVER},
            {"sup": sup("two").replace("[C", "get() or [C"), "two": SERVER},
            "Which children does shop.sup.Top get or lose? The code doesn't show this, because its children are not "
            "literals.",
        ),
        (
            {"pages": PAGES.replace("MORE = ROUTES", "MORE = more()").replace("=ROUTES)", "=MORE)")},
            {"pages": PAGES.replace("MORE = ROUTES", "MORE = most()").replace("=ROUTES)", "=MORE)")},
            'Do the routes of the listener "http" differ in 2.0? The routes are not literals, and the code that makes',
        ),
    ],
)
def test_what_the_code_does_not_say_is_a_question_that_the_check_refuses(
    tmp_path: Path, older: Mapping[str, str], newer: Mapping[str, str], expected: str
) -> None:
    first = write_shop(tmp_path / "1.0", "1.0", older)
    second = write_shop(tmp_path / "2.0", "2.0", newer)
    (made,) = generate(first, second).appups
    assert expected in " ".join(made.questions)
    found = [str(each) for each in appup_mistakes(read_project_source(first), read_project_source(second))]
    assert sum("this question is open" in text for text in found) == len(made.questions)


def test_routes_that_are_literals_are_set_before_their_handlers_go(tmp_path: Path) -> None:
    older = write_shop(tmp_path / "1.0", "1.0", {"pages": PAGES, "app": APP, "sup": sup()})
    count = PAGES.replace(",)", ', Route("/count", "shop.count:show"))')
    newer = write_shop(
        tmp_path / "2.0", "2.0", {"pages": count, "count": "def show(request): ...\n", "app": APP, "sup": sup()}
    )
    assert generate(older, newer).appups[0].text.splitlines()[3:] == [
        'from = "1.0"',
        "instructions = [",
        '  { add_module = "shop.count" },',
        '  { load_module = "shop.pages" },',
        '  { apply = "node_runtime.web:set_routes", '
        'args = ["http", [["/", "shop.pages:home"], ["/count", "shop.count:show"]]] },',
        "]",
        "",
        "[[down]]",
        'to = "1.0"',
        "instructions = [",
        '  { apply = "node_runtime.web:set_routes", args = ["http", [["/", "shop.pages:home"]]] },',
        '  { apply = "node_runtime.web:settled", args = ["http"] },',
        "  { point_of_no_return = true },",
        '  { delete_module = "shop.count" },',
        '  { load_module = "shop.pages" },',
        "]",
    ]
    assert appup_mistakes(read_project_source(older), read_project_source(newer)) == []


def routes_of(text: str) -> list[str]:
    """The lines of an appup that set routes, or wait for requests to former ones."""
    return [line.strip() for line in text.splitlines() if "node_runtime.web:" in line]


def test_a_second_run_replaces_the_routes_of_the_first(tmp_path: Path) -> None:
    older = write_shop(tmp_path / "1.0", "1.0", {"pages": PAGES, "app": APP, "sup": sup()})
    handlers = PAGES + "def show(request): ...\n"
    count = handlers.replace(",)", ', Route("/count", "shop.pages:show"))')
    both = count.replace("))", '), Route("/counts", "shop.pages:show"))')
    newer = write_shop(tmp_path / "2.0", "2.0", {"pages": count, "app": APP, "sup": sup()})
    for pages, extra in ((count, ""), (both, ', ["/counts", "shop.pages:show"]'), (handlers, None)):
        (newer / "apps/shop/src/shop/pages.py").write_text(pages)
        made = generate(older, newer).appups[0]
        (newer / "apps/shop/appup.toml").write_text(made.text)
        up = (
            '{ apply = "node_runtime.web:set_routes", '
            f'args = ["http", [["/", "shop.pages:home"], ["/count", "shop.pages:show"]{extra}]] }},'
        )
        down = [
            '{ apply = "node_runtime.web:set_routes", args = ["http", [["/", "shop.pages:home"]]] },',
            '{ apply = "node_runtime.web:settled", args = ["http"] },',
        ]
        assert routes_of(made.text) == ([up, *down] if extra is not None else down)  # `down` has no mistake


def test_the_authors_apply_comes_after_the_generated_point_of_no_return(tmp_path: Path) -> None:
    older = write_shop(tmp_path / "1.0", "1.0", {"pages": PAGES, "app": APP, "sup": sup()})
    count = PAGES.replace(",)", ', Route("/count", "shop.count:show"))')
    by_hand = """vsn = "2.0"
[[up]]
from = "1.0"
instructions = []
[[down]]
to = "1.0"
instructions = [
  { apply = "gc:disable", undo = "gc:enable" },
  { load_module = "shop.pages" },
]
"""
    newer = write_shop(
        tmp_path / "2.0",
        "2.0",
        {"pages": count, "count": "def show(request): ...\n", "app": APP, "sup": sup()},
        by_hand,
    )
    assert generate(older, newer).appups[0].text.partition("[[down]]")[2].splitlines()[4:8] == [
        '  { apply = "node_runtime.web:settled", args = ["http"] },',
        "  { point_of_no_return = true },",
        '  { apply = "gc:disable", undo = "gc:enable" },',
        '  { delete_module = "shop.count" },',
    ]
    assert appup_mistakes(read_project_source(older), read_project_source(newer)) == []


SITE = """
from node_runtime import web
from node_runtime.web import WebSocketRoute

async def start():
    await web.start_asgi("http", "shop.site:application", port=0, websockets=SOCKETS)

async def application(scope, receive, send): ...

SOCKETS = (WebSocketRoute("/chat", "shop.chat:Member"),)
"""
CHAT = """
from node_runtime.web import WebSocketHandler

class Member(WebSocketHandler[dict[str, int]]):
    def connected(self, handshake):
        return {}
"""


def test_websockets_of_a_listener_are_routes_too(tmp_path: Path) -> None:
    modules = {"site": SITE, "chat": CHAT, "app": APP, "sup": sup()}
    older = write_shop(tmp_path / "1.0", "1.0", {**modules, "site": SITE.replace("shop.chat:M", "shop.site:M") + CHAT})
    newer = write_shop(tmp_path / "2.0", "2.0", modules)
    text = generate(older, newer).appups[0].text
    socket = '{ apply = "node_runtime.web:set_websockets", args = ["http", [["/chat", "shop.NAME:Member"]]] },'
    assert socket.replace("NAME", "chat") in text
    assert socket.replace("NAME", "site") in text
    assert appup_mistakes(read_project_source(older), read_project_source(newer)) == []


def test_a_listener_among_the_children_is_started_and_stopped(tmp_path: Path) -> None:
    listener = 'web.asgi_child("http", "shop.site:application", port=get_env("shop", "port"))'
    top = sup().replace("[]", f"[{listener}]").replace("import ChildSpec", "import web, ChildSpec")
    older = write_shop(tmp_path / "1.0", "1.0", {"app": APP, "sup": sup()})
    newer = write_shop(tmp_path / "2.0", "2.0", {"app": APP, "sup": top, "site": SITE.replace("SOCKETS)", "())")})
    text = generate(older, newer).appups[0].text
    assert '{ apply = "node_runtime.supervisor:restart_child", args = ["top", "http"] },' in text
    assert '{ apply = "node_runtime.supervisor:delete_child", args = ["top", "http"] },' in text
    assert appup_mistakes(read_project_source(older), read_project_source(newer)) == []


def test_notes_say_what_needs_no_instruction(tmp_path: Path) -> None:
    older = write_shop(tmp_path / "1.0", "1.0", {"one": "x = 1\n"}, app="[env]\nport = 1\n")
    newer = write_shop(
        tmp_path / "2.0",
        "2.0",
        {"one": "x = 2\n"},
        app="[env]\nport = 2\n",
        release='requirements = ["attrs==26.1.0"]\n',
    )
    notes = generate(older, newer).notes
    assert [note.split(":")[0] for note in notes] == [
        "The requirements change (attrs==26.1.0)",
        "The parameter port of shop changes",
    ]


def test_two_releases_of_one_version_are_refused_with_the_remedy(tmp_path: Path) -> None:
    older = write_shop(tmp_path / "1.0", "1.0", {"one": "x = 1\n"})
    newer = write_shop(tmp_path / "2.0", "1.0", {"one": "x = 2\n"})
    with pytest.raises(Refused, match="but its vsn is 1\\.0 in both; pass --bump"):
        generate(older, newer)


TEMPLATE = """
from node_runtime import ChildSpec, Supervisor
from shop import one

class Pool(Supervisor):
    strategy = "simple_one_for_one"

    def children(self):
        return [ChildSpec("one", start=f"{one.__name__}:start_link", restart="permanent")]
"""


def test_the_template_of_a_pool_changes_without_starting_anything(tmp_path: Path) -> None:
    older = write_shop(tmp_path / "1.0", "1.0", {"pool": TEMPLATE, "one": SERVER})
    newer = write_shop(tmp_path / "2.0", "2.0", {"pool": TEMPLATE.replace("permanent", "transient"), "one": SERVER})
    (made,) = generate(older, newer).appups
    assert made.text.count("{ ") == made.text.count('{ update = "shop.pool", type = "supervisor" },') == 2
    assert appup_mistakes(read_project_source(older), read_project_source(newer)) == []


def test_an_application_whose_states_change_with_another_one_needs_a_new_version_too(tmp_path: Path) -> None:
    projects = []
    for vsn, fields in (("1.0", "name: str"), ("2.0", "name: str\n    price: int = 0")):
        model = f"from dataclasses import dataclass\n\n@dataclass\nclass State:\n    {fields}\n"
        server = "from node_runtime import GenServer\nfrom model import State\n\nclass Till(GenServer[State]): ...\n"
        folder = write_shop(tmp_path / vsn, vsn, {})
        (folder / "apps/shop/app.toml").write_text('name = "shop"\nvsn = "1.0"\n')
        (folder / "apps/shop/src/shop/till.py").write_text(server)
        (folder / "apps/model/src").mkdir(parents=True)
        (folder / "apps/model/src/model.py").write_text(model)
        (folder / "apps/model/app.toml").write_text(f'name = "model"\nvsn = "{vsn}"\n')
        (folder / "release.toml").write_text(f'name = "shop"\nvsn = "{vsn}"\napps = ["shop", "model"]\n')
        projects.append(folder)
    older, newer = projects
    with pytest.raises(Refused, match="The states of shop change with the classes of another application"):
        generate(older, newer)
    bump_versions(newer, [read_project_source(older)], read_project_source(newer), "next")
    made = {each.app: each.text for each in generate(older, newer).appups}
    assert '{ update = "shop.till", change = "advanced" },' in made["shop"]
    assert '{ load_module = "model" },' in made["model"]
    assert appup_mistakes(read_project_source(older), read_project_source(newer)) == []


def test_a_module_that_moves_to_another_application_is_loaded_there(tmp_path: Path) -> None:
    projects = []
    for vsn, owner in (("1.0", "shop"), ("2.0", "model")):
        folder = write_shop(tmp_path / vsn, vsn, {})
        (folder / "apps/model/src").mkdir(parents=True)
        (folder / "apps" / owner / "src/prices.py").write_text(f"x = {vsn}\n")
        (folder / "apps/model/app.toml").write_text(f'name = "model"\nvsn = "{vsn}"\n')
        (folder / "release.toml").write_text(f'name = "shop"\nvsn = "{vsn}"\napps = ["shop", "model"]\n')
        projects.append(folder)
    older, newer = projects
    made = {each.app: each.text for each in generate(older, newer).appups}
    assert '{ load_module = "prices" },' in made["model"]
    assert appup_mistakes(read_project_source(older), read_project_source(newer)) == []


ASSEMBLY = """
from fastapi import Depends, FastAPI
from shop import items, users
from shop.models import Item

app = FastAPI()
app.include_router(items.router)

@app.get("/first")
async def first(user=Depends(users.current)) -> Item:
    return Item()
"""
ITEMS = """
from fastapi import APIRouter
from shop import prices

router = APIRouter()

@router.get("/items")
async def listed():
    return [prices.price()]
"""
ASSEMBLY_APP = """
from node_runtime import Application, web
from shop import sup

ASGI = "shop.site:app"

class ShopApp(Application):
    async def start(self, start_type, args):
        await web.start_asgi("http", ASGI, port=80)
        return await sup.start_link()
"""
ASSEMBLY_MODULES = {
    "app": ASSEMBLY_APP,
    "sup": sup(),
    "site": ASSEMBLY,
    "items": ITEMS,
    "users": "def current():\n    return 1\n",
    "prices": "def price():\n    return 1\n",
    "models": "from pydantic import BaseModel\n\nclass Item(BaseModel):\n    price: int = 1\n",
}


@pytest.mark.parametrize(
    ("changed", "loaded"),
    [
        ("items", ["shop.items", "shop.site"]),
        ("users", ["shop.users", "shop.site"]),
        ("models", ["shop.models", "shop.site"]),
        ("prices", ["shop.prices"]),  # its function is called by name at each request
    ],
)
def test_the_module_that_assembles_an_application_is_loaded_with_what_it_is_given(
    tmp_path: Path, changed: str, loaded: list[str]
) -> None:
    older = write_shop(tmp_path / "1", "1", ASSEMBLY_MODULES)
    edited = ASSEMBLY_MODULES[changed].replace("1", "2").replace("listed", "all_listed")
    newer = write_shop(tmp_path / "2", "2", {**ASSEMBLY_MODULES, changed: edited})
    (made,) = generate(older, newer).appups
    assert made.questions == ()
    steps = relup(older, newer)
    for direction in ("up", "down"):
        assert [step[1] for step in steps[direction] if step[0] == "load"] == loaded
