"""Generated appups over random pairs of small applications: they pass the check, and lead a node up and back.

An application has servers and state machines under one or two supervisors, modules that these need, and a module that
calls them. Between its versions everything comes, goes and changes: code, state classes, the classes of values inside
of states, and children. The states of what stays are kept.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from node_runtime import Runtime, call, gen_statem, supervisor, whereis
from node_runtime.behaviours.upgrade import live_processes
from node_runtime.releases.appups.check.check import appup_mistakes
from node_runtime.releases.appups.generation.generate import GeneratedAppup, generate_appups
from node_runtime.releases.appups.sources.release_source import read_project_source
from tests.support.hypothesis_profiles import PROFILE, quiet, with_runtime
from tests.support.nodes.small_node import SmallNode
from tests.support.projects.shop_versions import write_shop

__all__ = ["quiet"]

SERVER = """
from __future__ import annotations
from dataclasses import dataclass, field
from node_runtime import Call, GenServer, GenStatem, Next, gen_server, gen_statem, keep
{imports}

@dataclass
class State:
    n: int = 0
{fields}

{behaviour}
"""

GEN_SERVER = """
class Server(GenServer[State]):
    def init(self) -> State:
        return State()

    def add(self) -> None:
        self.state.n += 1  # edit {edit}

async def start_link():
    return await gen_server.start_link(Server, name="{name}")
"""

GEN_STATEM = """
class Machine(GenStatem[State]):
    def init(self):
        return "idle", State()

    def idle(self, event):
        if isinstance(event, Call):
            self.data.n += 1
            return Next("idle", reply={edit})
        return keep

async def start_link():
    return await gen_statem.start_link(Machine, name="{name}")
"""

SUPERVISOR = """
from node_runtime import ChildSpec, Supervisor, supervisor

class {cls}(Supervisor):
    strategy, intensity, period = "one_for_one", {intensity}, 5.0

    def children(self):
        return [ChildSpec(name, start=f"shop.{{name}}:start_link") for name in {names}]

async def start_link():
    return await supervisor.start_link({cls}, name="{name}")
"""

MODEL = "from dataclasses import dataclass\n\n@dataclass\nclass Item:\n    name: str = 'x'\n{fields}\n"


@dataclass(frozen=True)
class Version:
    """A process in one version of the application. `needs` are the helper modules that its module imports."""

    edit: int
    fields: frozenset[int]
    needs: frozenset[int]
    has_item: bool


@dataclass(frozen=True)
class Server:
    """A server or a machine, with its versions; None where it is missing. `is_below` says under which supervisor."""

    is_machine: bool
    is_below: bool
    versions: tuple[Version | None, Version | None]


@dataclass(frozen=True)
class Shop:
    """Both versions of an application."""

    servers: tuple[Server, ...]
    helpers: tuple[tuple[int, int], ...]
    items: tuple[frozenset[int], frozenset[int]]
    intensities: tuple[int, int]

    def names(self, number: int, *, below: bool) -> list[str]:
        """The processes of a version under one of the supervisors."""
        return [
            f"s{place}"
            for place, server in enumerate(self.servers)
            if server.versions[number] is not None and server.is_below is below
        ]

    def modules(self, number: int) -> dict[str, str]:
        """The modules of a version by their short names."""
        texts = {}
        needed: set[int] = set()
        for place, server in enumerate(self.servers):
            version = server.versions[number]
            if version is not None:
                texts[f"s{place}"] = source(f"s{place}", server.is_machine, version)
                needed |= version.needs
        if any(version is not None and version.has_item for server in self.servers for version in server.versions):
            texts["model"] = MODEL.format(fields=lines(self.items[number]))
        for helper in sorted(needed):
            more = f"from shop import h{helper - 1}\n" if helper - 1 in needed else ""
            texts[f"h{helper}"] = f"{more}VALUE = {self.helpers[helper][number]}\n"
        below, above = self.names(number, below=True), self.names(number, below=False)
        if below:
            texts["sub"] = SUPERVISOR.format(cls="Sub", name="sub", intensity=3, names=below)
        names = [*above, *(["sub"] if below else [])]
        texts["top"] = SUPERVISOR.format(cls="Top", name="top", intensity=self.intensities[number], names=names)
        texts["client"] = "".join(f"from shop import {name}\n" for name in (*above, *below))
        return texts


def lines(fields: frozenset[int]) -> str:
    return "\n".join(f"    f{field}: int = {field}" for field in sorted(fields))


def source(name: str, is_machine: bool, version: Version) -> str:
    """The module of a process."""
    imports = [f"from shop import h{helper}" for helper in sorted(version.needs)]
    fields = lines(version.fields)
    if version.has_item:
        imports.append("from shop import model")
        fields += "\n    item: model.Item = field(default_factory=model.Item)"
    behaviour = (GEN_STATEM if is_machine else GEN_SERVER).format(edit=version.edit, name=name)
    return SERVER.format(imports="\n".join(imports), fields=fields, behaviour=behaviour)


FIELDS = st.frozensets(st.integers(1, 3), max_size=2)
VERSIONS = st.builds(Version, st.integers(0, 2), FIELDS, st.frozensets(st.integers(0, 2), max_size=2), st.booleans())
PAIRS = st.tuples(VERSIONS | st.none(), VERSIONS | st.none()) | VERSIONS.map(lambda version: (version, version))
SHOPS = st.builds(
    Shop,
    st.lists(st.builds(Server, st.booleans(), st.booleans(), PAIRS), min_size=1, max_size=4).map(tuple),
    st.tuples(*[st.tuples(st.integers(0, 1), st.integers(0, 1))] * 3),
    st.tuples(FIELDS, FIELDS),
    st.tuples(st.integers(2, 3), st.integers(2, 3)),
)


async def add(shop: Shop, number: int) -> None:
    """Let each process of a version count once."""
    for place, server in enumerate(shop.servers):
        if server.versions[number] is not None:
            if server.is_machine:
                await gen_statem.call(f"s{place}", "add")
            else:
                await call(f"s{place}", importlib.import_module(f"shop.s{place}").Server.add)


def count(name: str) -> int:
    """The count in the state of a process."""
    state = live_processes.raw_state(name)
    return int((state[1] if isinstance(state, tuple) else state).n)


def check_version(shop: Shop, number: int, counts: dict[str, int]) -> None:
    """The node has the modules, children and states of a version."""
    names = [*shop.names(number, below=False), *shop.names(number, below=True)]
    assert {name: count(name) for name in names} == {name: counts.get(name, 0) for name in names}
    below = shop.names(number, below=True)
    assert {child.id for child in supervisor.which_children("top")} == {
        *shop.names(number, below=False),
        *(["sub"] if below else []),
    }
    assert whereis("sub") is None or {child.id for child in supervisor.which_children("sub")} == set(below)
    for place, server in enumerate(shop.servers):
        version = server.versions[number]
        if version is not None:
            state = live_processes.raw_state(f"s{place}")
            data = state[1] if isinstance(state, tuple) else state
            expected = {"n", *(f"f{field}" for field in version.fields), *(["item"] if version.has_item else [])}
            assert set(vars(data)) == expected


def without_questions(made: GeneratedAppup) -> str:
    """The appup of an author who accepts the loss of fields, which is all that a random pair makes a question of."""
    assert all(" lose " in text for text in made.questions)
    lines = made.text.splitlines(keepends=True)
    return "".join(line for line in lines if not line.lstrip().startswith("{ question"))


async def up_and_down(shop: Shop, root: Path) -> None:
    texts = [shop.modules(number) for number in (0, 1)]
    older = read_project_source(write_shop(root / "older", "1", texts[0]))
    newer = read_project_source(write_shop(root / "newer", "2", texts[1]))
    (made,) = generate_appups(older, newer).appups
    text = without_questions(made)
    newer.appups["shop"].path.write_text(text)
    assert [str(each) for each in appup_mistakes(older, newer)] == []
    small = SmallNode(root / "node")
    appup = text.partition("\n")[2]
    for vsn, modules, text in (("1", texts[0], ""), ("2", texts[1], appup)):
        small.write(vsn, {f"shop.{name}": module for name, module in modules.items()}, text)
    small.boot()
    try:
        await importlib.import_module("shop.top").start_link()
        importlib.import_module("shop.client")
        await add(shop, 0)
        stay = {f"s{place}" for place, server in enumerate(shop.servers) if None not in server.versions}
        kept = {name: whereis(name) for name in stay}

        up = await small.install("2")
        assert (up.outcome, up.error) == ("installed", None), made.text
        check_version(shop, 1, dict.fromkeys(stay, 1))
        assert {name: whereis(name) for name in stay} == kept
        await add(shop, 1)

        down = await small.install("1")
        assert (down.outcome, down.error) == ("installed", None), made.text
        check_version(shop, 0, dict.fromkeys(stay, 2))
        assert {name: whereis(name) for name in stay} == kept
    finally:
        await small.handler.stop()
        small.code.uninstall()
        for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
            del sys.modules[name]


@settings(PROFILE, max_examples=max(5, PROFILE.max_examples // 30))
@given(SHOPS)
def test_a_generated_appup_leads_a_node_up_and_back_with_its_states(shop: Shop) -> None:
    async def run(_runtime: Runtime) -> None:
        with tempfile.TemporaryDirectory() as folder:
            await up_and_down(shop, Path(folder))

    with_runtime(False, run)


@settings(PROFILE, max_examples=max(6, PROFILE.max_examples // 25))
@given(SHOPS)
def test_without_any_of_its_instructions_a_generated_appup_has_a_mistake(shop: Shop) -> None:
    with tempfile.TemporaryDirectory() as folder:
        older = read_project_source(write_shop(Path(folder) / "older", "1", shop.modules(0)))
        newer = read_project_source(write_shop(Path(folder) / "newer", "2", shop.modules(1)))
        (made,) = generate_appups(older, newer).appups
        lines = without_questions(made).splitlines()
        for number, line in enumerate(lines):
            if line.startswith("  {") and "delete_child" not in line:  # a stopped child may stay in the table
                newer.appups["shop"].path.write_text("\n".join(lines[:number] + lines[number + 1 :]))
                assert appup_mistakes(older, newer) != [], f"{line} is missing in:\n{made.text}"
