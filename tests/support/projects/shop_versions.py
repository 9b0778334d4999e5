"""Two versions of a small application `shop`, as project folders, for tests of appups."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

APP = """
from node_runtime import Application
from shop import sup

class ShopApp(Application):
    async def start(self, start_type, args):
        return await sup.start_link()
"""

SUP = """
from node_runtime import ChildSpec, Supervisor, supervisor

class Top(Supervisor):
    strategy, intensity, period = "one_for_one", 5, 10.0

    def children(self):
        return [CHILDREN]

async def start_link():
    return await supervisor.start_link(Top, name="top")
"""

SERVER = """
from dataclasses import dataclass
from node_runtime import GenServer, gen_server

@dataclass
class State:
    count: int = 0

class Server(GenServer[State]):
    def init(self) -> State:
        return State()

async def start_link():
    return await gen_server.start_link(Server, name=__name__)
"""


def sup(*children: str) -> str:
    """The supervisor `top`, each of whose children is the server in the module of the same name."""
    specs = ", ".join(f'ChildSpec("{child}", start="shop.{child}:start_link")' for child in children)
    return SUP.replace("CHILDREN", specs)


def write_shop(
    folder: Path, vsn: str, modules: Mapping[str, str], appup: str | None = None, *, release: str = "", app: str = ""
) -> Path:
    """Write the project of one version: the modules in the package `shop`, by their short names."""
    source = folder / "apps/shop/src/shop"
    source.mkdir(parents=True, exist_ok=True)
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config/node.toml").write_text('name = "shop@127.0.0.1"\n')
    (folder / "release.toml").write_text(f'name = "shop"\nvsn = "{vsn}"\napps = ["shop"]\n{release}')
    mod = 'mod = "shop.app:ShopApp"\n' if "app" in modules else ""
    (folder / "apps/shop/app.toml").write_text(f'name = "shop"\nvsn = "{vsn}"\n{mod}{app}')
    (source / "__init__.py").touch()
    for name, text in modules.items():
        (source / f"{name}.py").write_text(textwrap.dedent(text))
    if appup is not None:
        (folder / "apps/shop/appup.toml").write_text(textwrap.dedent(appup))
    return folder


def appup(up: str, down: str) -> str:
    """An appup between 1.0 and 2.0. Its first instruction up is in line 6."""
    return (
        f'vsn = "2.0"\n\n[[up]]\nfrom = "1.0"\ninstructions = [\n{textwrap.dedent(up).strip()}\n]\n\n'
        f'[[down]]\nto = "1.0"\ninstructions = [\n{textwrap.dedent(down).strip()}\n]\n'
    )
