"""Random appups over random small applications: an upgrade is complete, and the downgrade restores everything.

An application is a supervisor and up to five servers. Between its versions servers come, go and change, each by a
randomly chosen instruction; the environment and the supervisor's flags change too. Every `code_change` has its inverse,
so states that were changed in the newer version come back as if they had been changed in the older one.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from node_runtime import Runtime, application, call, supervisor, whereis
from node_runtime.behaviours.upgrade import live_processes
from tests.support.hypothesis_profiles import PROFILE, quiet, with_runtime
from tests.support.nodes.small_node import SmallNode

__all__ = ["quiet"]

SERVER = """
# {text}
from node_runtime import Down, GenServer, gen_server

class Server(GenServer[dict]):
    def init(self):
        return {first}

    def add(self):
        self.state["n"] += 1

    @classmethod
    def code_change(cls, old_vsn, state, extra):
        if isinstance(old_vsn, Down):
            return {{"n": state["n"] - 1000}}
        return {{"n": state["n"] + 1000, "extra": extra}}

async def start():
    return await gen_server.start_link(Server, name="{name}")
"""

TOP = """
from node_runtime import ChildSpec, Supervisor

class Top(Supervisor):
    strategy, intensity, period = {strategy!r}, {intensity}, 5.0

    def children(self):
        return [ChildSpec(name, start=f"shop.{{name}}:start") for name in {names}]
"""

STAYING = ("untouched", "load", "soft", "dynamic", "static")
STRATEGIES = ("one_for_one", "one_for_all", "rest_for_one")


@dataclass(frozen=True)
class Server:
    """The plan of a server: its change in the upgrade, and the servers that its instruction depends on."""

    lot: str
    deps: frozenset[int]


@dataclass(frozen=True)
class Shop:
    """The application in both versions; `strategies` and `env` are the older's and the newer's."""

    servers: tuple[Server, ...]
    strategies: tuple[str, str]
    env: tuple[dict[str, int], dict[str, int]]
    order: Random
    adds: int

    def names(self, vsn: str) -> list[str]:
        """The servers of a version, in the supervisor's order."""
        gone = "comes" if vsn == "1" else "goes"
        return [f"s{number}" for number, server in enumerate(self.servers) if server.lot != gone]

    def modules(self, vsn: str) -> dict[str, str]:
        """The source text of each module."""
        texts = {}
        for number, server in enumerate(self.servers):
            if f"s{number}" in self.names(vsn):
                newer = vsn == "2" and server.lot in ("load", "soft", "dynamic", "static")
                migrated = vsn == "2" and server.lot in ("dynamic", "static")
                first = '{"n": 1000, "extra": 7}' if migrated else '{"n": 0}'
                texts[f"shop.s{number}"] = SERVER.format(text="new" if newer else "old", first=first, name=f"s{number}")
        strategy = self.strategies[int(vsn) - 1]
        texts["shop.top"] = TOP.format(strategy=strategy, intensity=int(vsn), names=self.names(vsn))
        return texts

    def appup(self) -> str:
        """The appup, up and down."""
        return "\n".join(
            f'[[{way}]]\n{key} = "1"\ninstructions = [\n' + ",\n".join(self.script(way)) + "\n]"
            for way, key in (("up", "from"), ("down", "to"))
        )

    def script(self, way: str) -> list[str]:
        """Removed servers stop first, added ones start last; changes come between them in any order."""
        comes, goes = ("comes", "goes") if way == "up" else ("goes", "comes")
        ends = [f"s{number}" for number, server in enumerate(self.servers) if server.lot == goes]
        begins = [f"s{number}" for number, server in enumerate(self.servers) if server.lot == comes]
        changes = [self.change(number, comes, goes) for number in range(len(self.servers))]
        middle = [one for one in [*changes, '{ update = "shop.top", type = "supervisor" }'] if one]
        self.order.shuffle(middle)
        return [
            *(supervise(verb, name) for name in ends for verb in ("terminate_child", "delete_child")),
            *middle,
            *(supervise("restart_child", name) for name in begins),
        ]

    def change(self, number: int, comes: str, goes: str) -> str | None:
        """The instruction for one server's module."""
        server = self.servers[number]
        mentioned = [n for n, other in enumerate(self.servers) if other.lot != "untouched" and n != number]
        names = ", ".join(f'"shop.s{n}"' for n in mentioned if n in server.deps)
        rest = f'"shop.s{number}", deps = [{names}]'
        match server.lot:
            case "untouched":
                return None
            case lot if lot in (comes, goes):
                return f"{{ {'add' if lot == comes else 'delete'}_module = {rest} }}"
            case "load":
                return f"{{ load_module = {rest} }}"
            case "soft":
                return f"{{ update = {rest} }}"
            case kind:
                return f'{{ update = {rest}, change = "advanced", type = "{kind}", extra = 7 }}'


def supervise(verb: str, name: str) -> str:
    return f'{{ apply = "node_runtime.supervisor:{verb}", args = ["top", "{name}"] }}'


LOTS = st.sampled_from([*STAYING, "comes", "goes"])
SERVERS = st.builds(Server, LOTS, st.frozensets(st.integers(0, 4), max_size=2))
ENV = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(0, 9))
SHOPS = st.builds(
    Shop,
    st.lists(SERVERS, min_size=1, max_size=5).map(tuple),
    st.tuples(st.sampled_from(STRATEGIES), st.sampled_from(STRATEGIES)),
    st.tuples(ENV, ENV),
    st.randoms(use_true_random=False),
    st.integers(0, 3),
)


def picture(small: SmallNode) -> dict[str, Any]:
    """Everything that makes up a version: its modules, children, flags and environment."""
    known = {name for name in sys.modules if name.startswith("shop.")}
    current = {name: small.code.versions(name)[0] for name in known}
    return {
        "modules": {name: version.sha256 for name, version in current.items() if version is not None},
        "children": [
            (child.id, supervisor.get_childspec("top", child.id)) for child in supervisor.which_children("top")
        ],
        "flags": supervisor.flags("top"),
        "environment": dict(application.get_all_env("shop")),
    }


def states(names: Sequence[str]) -> dict[str, tuple[object, Any]]:
    """Each server's pid, and a copy of its state."""
    return {name: (whereis(name), dict(live_processes.raw_state(name))) for name in names}


async def add(names: Sequence[str], times: int) -> None:
    for name in names:
        for _ in range(times):
            await call(name, importlib.import_module(f"shop.{name}").Server.add)


async def up_and_down(shop: Shop, root: Path) -> None:
    small = SmallNode(root)
    for vsn, appup in (("1", ""), ("2", shop.appup())):
        env = "\n".join(f"{key} = {value}" for key, value in shop.env[int(vsn) - 1].items())
        small.write(vsn, shop.modules(vsn), appup, env=env)
    small.boot()
    try:
        await supervisor.start_link(importlib.import_module("shop.top").Top, name="top")
        older, newer = shop.names("1"), shop.names("2")
        lots = {f"s{number}": server.lot for number, server in enumerate(shop.servers)}
        await add(older, shop.adds)
        before, began = picture(small), states(older)

        up = await small.install("2")
        assert (up.outcome, up.error) == ("installed", None)
        assert [child.id for child in supervisor.which_children("top")] == newer
        assert supervisor.flags("top").strategy == shop.strategies[1]
        assert application.get_all_env("shop") == shop.env[1]
        for name, (pid, state) in states(newer).items():
            if lots[name] == "comes":
                assert state == {"n": 0}
            else:
                migrated = {"n": shop.adds + 1000, "extra": 7}
                assert (pid, state) == (
                    began[name][0],
                    migrated if lots[name] in ("dynamic", "static") else began[name][1],
                )
        await add(newer, 2)

        down = await small.install("1")
        assert (down.outcome, down.error) == ("installed", None)
        assert picture(small) == before
        for name, (pid, state) in states(older).items():
            if lots[name] == "goes":
                assert state == {"n": 0}
            else:
                assert (pid, state) == (began[name][0], {"n": shop.adds + 2})
    finally:
        await small.handler.stop()
        small.code.uninstall()


@settings(PROFILE, max_examples=max(20, PROFILE.max_examples // 5))
@given(SHOPS, st.booleans())
def test_an_upgrade_and_a_downgrade_restore_everything(shop: Shop, inline: bool) -> None:
    async def run(_runtime: Runtime) -> None:
        with tempfile.TemporaryDirectory() as folder:
            await up_and_down(shop, Path(folder))

    with_runtime(inline, run)
