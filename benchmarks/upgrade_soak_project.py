"""The project of the upgrade soak: a counter that works all the time, and from release 2 on a till."""

from __future__ import annotations

import textwrap
from importlib.metadata import version
from pathlib import Path

TOP = '''
"""The application and its supervisor."""

from node_runtime import Application, ChildSpec, Supervisor, supervisor


class Soak(Application):
    """Starts the supervisor."""

    async def start(self, start_type, args):
        return await supervisor.start_link(Sup, name="soak_sup")


class Sup(Supervisor):
    """The children of this release."""

    def children(self):
        return [ChildSpec("counter", start="soak.counter:start_link")TILL]
'''
COUNTER = '''
"""A counter that works all the time, in a thread pool if it has one."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
NUMPY

from node_runtime import GenServer, gen_server, self_pid, send_after

POOL = None
__carry__ = ["POOL"]


@dataclass(slots=True)
class State:
    """The number of ticks so far."""

    ticks: int = 0


async def start_link():
    return await gen_server.start_link(Counter, name="counter")


def work():
    WORK


class Counter(GenServer[State]):
    """Works every 5 ms."""

    def init(self):
        global POOL
        if POOLED and POOL is None:
            POOL = ThreadPoolExecutor(2)
        send_after(0.005, self_pid(), "tick")
        return State()

    async def handle_info(self, message):
        send_after(0.005, self_pid(), "tick")
        self.state.ticks += 1
        if POOL is not None:
            await asyncio.get_running_loop().run_in_executor(POOL, work)
'''
TILL = '''
"""A server that only the releases from 2 on have."""

from dataclasses import dataclass

from node_runtime import GenServer, gen_server

VSN = "VSN_HERE"


@dataclass(slots=True)
class Drawer:
    """The coins so far."""

    coins: int = 0


async def start_link():
    return await gen_server.start_link(Till, name="till")


class Till(GenServer[Drawer]):
    """Counts coins."""

    def init(self):
        return Drawer()

    async def take(self, coins):
        self.state.coins += coins
        return self.state
'''
APPUP = """
vsn = "{vsn}"

[[up]]
from = "1"
instructions = [
  {{ add_module = "soak.till" }},
  {{ update = "soak.top", type = "supervisor" }},
  {{ apply = "node_runtime.supervisor:restart_child", args = ["soak_sup", "till"] }},
  {{ update = "soak.counter" }},
]

[[down]]
to = "1"
instructions = [
  {{ update = "soak.counter" }},
  {{ apply = "node_runtime.supervisor:terminate_child", args = ["soak_sup", "till"] }},
  {{ apply = "node_runtime.supervisor:delete_child", args = ["soak_sup", "till"] }},
  {{ update = "soak.top", type = "supervisor" }},
  {{ delete_module = "soak.till" }},
]
"""


def write_project(folder: Path, name: str, vsn: str, *, numpy: bool) -> None:
    """Write the project of one release. With `numpy`, its counter multiplies matrices in a thread pool."""
    app = folder / "apps" / "soak"
    modules = app / "src" / "soak"
    modules.mkdir(parents=True)
    (folder / "config").mkdir()
    till = "" if vsn == "1" else ', ChildSpec("till", start="soak.till:start_link")'
    counter = COUNTER.replace("NUMPY", "import numpy" if numpy else "").replace("POOLED", str(numpy))
    counter = counter.replace("WORK", "return float((numpy.ones((64, 64)) @ numpy.ones((64, 64))).sum())")
    files = {
        modules / "__init__.py": '"""A soak."""\n',
        modules / "top.py": TOP.replace("TILL", till),
        modules / "counter.py": f'{counter}\nVSN = "{vsn}"\n',
        app / "app.toml": f'name = "soak"\nvsn = "{vsn}"\nmod = "soak.top:Soak"\nregistered = ["soak_sup"]\n',
        folder / "release.toml": f'name = "{name}"\nvsn = "{vsn}"\napps = ["soak"]\n'
        + (f'requirements = ["numpy=={version("numpy")}"]\n' if numpy else ""),
        folder / "config" / "node.toml": f'name = "{name}@127.0.0.1"\n',
    }
    if vsn != "1":
        files[modules / "till.py"] = TILL.replace("VSN_HERE", vsn)
        files[app / "appup.toml"] = APPUP.format(vsn=vsn)
    for file, text in files.items():
        file.write_text(textwrap.dedent(text).lstrip("\n"))
