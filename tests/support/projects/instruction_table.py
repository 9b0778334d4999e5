"""A table of all instructions of an appup: for each, an application in two versions and what can be seen of both.

The application's name is the placeholder APP, so that a release can contain the same case twice. A project of these
cases also contains the application `probe`, whose `observe` returns what can be seen of an application.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

NAME: Final = "tiny"
"""The name of the releases."""

SERVER: Final = """
from node_runtime import Down, GenServer, gen_server
from APP.words import WORD

VERSION = "1"

async def start_link():
    return await gen_server.start_link(Server, name="APP_server")

class Server(GenServer[list]):
    def init(self):
        return [f"born in {VERSION}"]

    def what(self):
        return [VERSION, WORD, *self.state]

    @classmethod
    def code_change(cls, old_vsn, state, extra):
        return [*state, f"down {extra}"] if isinstance(old_vsn, Down) else [*state, f"up {extra}"]
"""

MACHINE: Final = """
from node_runtime import Down, GenStatem, Next, gen_statem

async def start_link():
    return await gen_statem.start_link(Machine, name="APP_machine")

class Machine(GenStatem[str]):
    def init(self):
        return "one", "data"

    def one(self, event):
        return Next(reply=["one", self.data])

    @classmethod
    def code_change(cls, old_vsn, state, extra):
        return ("one" if isinstance(old_vsn, Down) else "two"), state[1]
"""

MACHINE_2: Final = MACHINE.replace("def one", "def two").replace('reply=["one"', 'reply=["two"')

SUP: Final = """
from node_runtime import ChildSpec, Supervisor

class Sup(Supervisor):
    def children(self):
        return [
            ChildSpec("server", start="APP.server:start_link"),
            ChildSpec("machine", start="APP.machine:start_link"),
        ]
"""

APPLICATION: Final = """
from node_runtime import Application, supervisor
from APP.sup import Sup

class App(Application):
    async def start(self, start_type, args):
        return await supervisor.start_link(Sup, name="APP_sup")
"""

STEPS: Final = """
import asyncio
from node_runtime import application

def note(text):
    application.set_env("APP", "notes", [*application.get_env("APP", "notes", []), text])

def forget(text):
    application.set_env("APP", "notes", application.get_env("APP", "notes")[:-1])

async def later(text):
    await asyncio.sleep(0)
    note(text)
"""

CHILD: Final = """
from node_runtime import GenServer, gen_server

async def start_link():
    return await gen_server.start_link(Child, name="APP_child")

class Child(GenServer[list]):
    def init(self):
        return ["child"]

    def what(self):
        self.state.append("asked")
        return list(self.state)
"""

MORE: Final = {
    "app.py": APPLICATION,
    "sup.py": SUP.replace('            ChildSpec("machine", start="APP.machine:start_link"),\n', "").replace(
        '"server", start="APP.server:', '"child", start="APP.child:'
    ),
    "child.py": CHILD,
}
"""The modules of a second application, whose child counts how often it was asked."""

BASE: Final = {
    "app.py": APPLICATION,
    "sup.py": SUP,
    "server.py": SERVER,
    "machine.py": MACHINE,
    "steps.py": STEPS,
    "words.py": 'WORD = "one"\n',
    "extra.py": 'VERSION = "1"\n',
}

PROBE: Final = """
import importlib

from node_runtime import application, call, gen_statem, supervisor, web, whereis
from node_runtime.application import get_env

class Probe(application.Application):
    async def start(self, start_type, args):
        await web.start_http("probe", port=get_env("probe", "port"), routes=[web.Route("/{app}", "probe.look:page")])
        return await supervisor.start_link(Sup, name="probe_sup")

    async def stop(self):
        await web.stop_http("probe")

class Sup(supervisor.Supervisor):
    def children(self):
        return []

def what(self): ...

async def page(request):
    return web.JSONResponse(await observe(request.path_params["app"]))

async def observe(app):
    running = {one.spec.name: one.spec.vsn for one in application.which_applications()}
    try:
        extra = importlib.import_module(f"{app}.extra").VERSION
    except ModuleNotFoundError:
        extra = None
    return {
        "running": running.get(app),
        "more": running.get(f"{app}more"),
        "server": await ask(f"{app}_server"),
        "machine": await gen_statem.call(f"{app}_machine", "what"),
        "child": await ask(f"{app}_child"),
        "counted": await ask(f"{app}more_child"),
        "children": [child.id for child in supervisor.which_children(f"{app}_sup")],
        "extra": extra,
        "notes": application.get_env(app, "notes", []),
    }

async def ask(name):
    return None if whereis(name) is None else await call(name, what)
"""

FIRST_VIEW: Final[Mapping[str, Any]] = {
    "running": "1",
    "more": None,
    "server": ["1", "one", "born in 1"],
    "machine": ["one", "data"],
    "child": None,
    "counted": None,
    "children": ["server", "machine"],
    "extra": "1",
    "notes": [],
}
"""What is seen of the application in its first version, unless the case differs."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One instruction: the changed files of version 2, the scripts, and what differs from `FIRST_VIEW`.

    `came` and `left` are the files of the application that only the second or only the first version has. `more` are
    the versions of the release that contain the second application. `refused` is part of the reason why an install
    can't carry the script out. The views are: `first` before the upgrade, `upgraded`, and `downgraded`.
    """

    up: str = ""
    down: str = ""
    changed: Mapping[str, str] = field(default_factory=dict)
    came: Mapping[str, str] = field(default_factory=dict)
    left: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    refused: str | None = None
    first: Mapping[str, Any] = field(default_factory=dict)
    upgraded: Mapping[str, Any] = field(default_factory=dict)
    downgraded: Mapping[str, Any] = field(default_factory=dict)

    @property
    def vsn(self) -> str:
        """The application's version in release 2; it stays the same if only the release differs."""
        return "2" if self.up else "1"

    def modules(self, vsn: str) -> dict[str, str]:
        """The files of the application in this version of the release."""
        if vsn == "1":
            return dict(BASE)
        return {file: text for file, text in {**BASE, **self.changed, **self.came}.items() if file not in self.left}

    def views(self) -> list[dict[str, Any]]:
        """What is seen before the upgrade, after it, and after the downgrade."""
        first = {**FIRST_VIEW, **self.first}
        return [first, {**first, "running": self.vsn, **self.upgraded}, {**first, **self.downgraded}]


SERVER_2: Final = {"server.py": SERVER.replace('"1"', '"2"')}
SERVER_2_VIEW: Final = {"server": ["2", "one", "born in 1"]}
LOAD_SERVER: Final = '{ load_module = "APP.server" }'
CHILD_SPEC: Final = '            ChildSpec("child", start="APP.child:start_link"),\n        ]'
SUP_2: Final = SUP.replace("        ]", CHILD_SPEC)


def read(vsn: str, *modules: str) -> str:
    """The instructions up to the point of no return of a low-level script."""
    names = ", ".join(f'"APP.{module}"' for module in modules)
    return f'{{ load_object_code = "APP", vsn = "{vsn}", modules = [{names}] }}, {{ point_of_no_return = true }}, '


def apply(function: str, *args: str, undo: str | None = None) -> str:
    texts = ", ".join(f'"{arg}"' for arg in args)
    more = f', undo = "{undo}"' if undo else ""
    return f'{{ apply = "{function}", args = [{texts}]{more} }}'


def child(verb: str) -> str:
    return apply(f"node_runtime.supervisor:{verb}", "APP_sup", "child")


INSTRUCTIONS: Final[dict[str, Case]] = {
    "load_module": Case(up=LOAD_SERVER, down=LOAD_SERVER, changed=SERVER_2, upgraded=SERVER_2_VIEW),
    "add_module": Case(
        up='{ add_module = "APP.new" }',
        down='{ delete_module = "APP.new" }',
        came={"new.py": 'VERSION = "2"\n'},
    ),
    "delete_module": Case(
        up='{ delete_module = "APP.extra" }',
        down='{ add_module = "APP.extra" }',
        left=("extra.py",),
        upgraded={"extra": None},
    ),
    "update soft": Case(
        up='{ update = "APP.server" }', down='{ update = "APP.server" }', changed=SERVER_2, upgraded=SERVER_2_VIEW
    ),
    "update dynamic": Case(
        up='{ update = "APP.server", change = "advanced", extra = "x" }',
        down='{ update = "APP.server", change = "advanced", extra = "x" }',
        changed=SERVER_2,
        upgraded={"server": ["2", "one", "born in 1", "up x"]},
        downgraded={"server": ["1", "one", "born in 1", "up x", "down x"]},
    ),
    "update static": Case(
        up='{ update = "APP.server", change = "advanced", type = "static", extra = "x" }',
        down='{ update = "APP.server", change = "advanced", type = "static", extra = "x" }',
        changed=SERVER_2,
        upgraded={"server": ["2", "one", "born in 1", "up x"]},
        downgraded={"server": ["1", "one", "born in 1", "up x", "down x"]},
    ),
    "update of a state machine": Case(
        up='{ update = "APP.machine", change = "advanced" }',
        down='{ update = "APP.machine", change = "advanced" }',
        changed={"machine.py": MACHINE_2},
        upgraded={"machine": ["two", "data"]},
    ),
    "update of a supervisor": Case(
        up='{ add_module = "APP.child" }, { update = "APP.sup", type = "supervisor" }, ' + child("restart_child"),
        down=f"{child('terminate_child')}, {child('delete_child')}, "
        '{ update = "APP.sup", type = "supervisor" }, { delete_module = "APP.child" }',
        changed={"sup.py": SUP_2},
        came={"child.py": CHILD},
        upgraded={"children": ["server", "machine", "child"], "child": ["child", "asked"]},
    ),
    "apply": Case(
        up=f"{apply('APP.steps:note', 'up', undo='APP.steps:forget')}, {LOAD_SERVER}, {apply('APP.steps:later', 'up')}",
        down=f"{LOAD_SERVER}, {apply('APP.steps:note', 'down', undo='APP.steps:forget')}",
        changed=SERVER_2,
        upgraded={**SERVER_2_VIEW, "notes": ["up", "up"]},
        downgraded={"notes": ["down"]},
    ),
    "point_of_no_return": Case(
        up=f"{apply('APP.steps:note', 'up')}, {{ point_of_no_return = true }}, {LOAD_SERVER}",
        down=f"{apply('APP.steps:later', 'down')}, {{ point_of_no_return = true }}, {LOAD_SERVER}",
        changed=SERVER_2,
        upgraded={**SERVER_2_VIEW, "notes": ["up"]},
        downgraded={"notes": ["down"]},
    ),
    "add_application": Case(more=("2",), upgraded={"more": "1", "counted": ["child", "asked"]}),
    "remove_application": Case(
        more=("1",),
        first={"more": "1", "counted": ["child", "asked"]},
        upgraded={"more": None, "counted": None},
    ),
    "restart_application": Case(
        up='{ restart_application = "APP" }',
        down='{ restart_application = "APP" }',
        changed={**SERVER_2, "words.py": 'WORD = "two"\n'},
        upgraded={"server": ["2", "two", "born in 2"]},
    ),
    "restart_application into other states": Case(
        up='{ restart_application = "APP" }',
        down='{ restart_application = "APP" }',
        changed={"machine.py": MACHINE_2.replace('return "one"', 'return "two"')},
        upgraded={"machine": ["two", "data"]},
    ),
    "restart_application of another": Case(
        up=LOAD_SERVER + ', { restart_application = "APPmore" }',
        down='{ restart_application = "APPmore" }, ' + LOAD_SERVER,
        changed=SERVER_2,
        more=("1", "2"),
        first={"more": "1", "counted": ["child", "asked"]},
        upgraded=SERVER_2_VIEW,
    ),
    "load_object_code, suspend, load, code_change, resume": Case(
        up=read("2", "server", "words")
        + '{ suspend = [["APP.server", 3]] }, { load = "APP.words" }, { load = "APP.server" }, '
        '{ code_change = [["APP.server", "x"]], mode = "up" }, { resume = ["APP.server"] }',
        down=read("1", "server", "words")
        + '{ suspend = ["APP.server"] }, { code_change = [["APP.server", "x"]], mode = "down" }, '
        '{ load = "APP.server" }, { load = "APP.words" }, { resume = ["APP.server"] }',
        changed={**SERVER_2, "words.py": 'WORD = "two"\n'},
        upgraded={"server": ["2", "two", "born in 1", "up x"]},
        downgraded={"server": ["1", "one", "born in 1", "up x", "down x"]},
    ),
    "remove, purge": Case(
        up='{ remove = "APP.extra" }, { purge = ["APP.extra"] }',
        down=read("1", "extra") + '{ load = "APP.extra" }',
        left=("extra.py",),
        upgraded={"extra": None},
    ),
    "remove and load of one module": Case(
        up=read("2", "extra") + '{ remove = "APP.extra" }, { purge = ["APP.extra"] }, { load = "APP.extra" }',
        down=read("1", "extra") + '{ remove = "APP.extra" }, { purge = ["APP.extra"] }, { load = "APP.extra" }',
        changed={"extra.py": 'VERSION = "2"\n'},
        upgraded={"extra": "2"},
    ),
    "stop, start": Case(
        up=read("2", "server") + '{ stop = ["APP.server"] }, { load = "APP.server" }, { start = ["APP.server"] }',
        down=read("1", "server") + '{ stop = ["APP.server"] }, { load = "APP.server" }, { start = ["APP.server"] }',
        changed=SERVER_2,
        upgraded={"server": ["2", "one", "born in 2"]},
    ),
    "restart_child": Case(
        up='{ restart_child = "server", supervisor = "APP_sup" }, ' + LOAD_SERVER,
        down=LOAD_SERVER + ', { restart_child = "server", supervisor = "APP_sup" }',
        changed=SERVER_2,
        upgraded={"server": ["2", "one", "born in 2"]},
    ),
    "sync_nodes": Case(
        up=LOAD_SERVER + ', { sync_nodes = "together", nodes = ["other@127.0.0.1"] }',
        down=LOAD_SERVER,
        changed=SERVER_2,
        refused="the script waits for other nodes (sync_nodes)",
    ),
    "restart_new_emulator": Case(
        up=LOAD_SERVER + ", { restart_new_emulator = true }",
        down=LOAD_SERVER,
        changed=SERVER_2,
        refused="the script restarts the node (restart_new_emulator)",
    ),
    "restart_emulator": Case(
        up=LOAD_SERVER + ", { restart_emulator = true }",
        down=LOAD_SERVER,
        changed=SERVER_2,
        refused="the script restarts the node (restart_emulator)",
    ),
}


def project(release: str, cases: Mapping[str, Case], newer: Container[str] = ()) -> dict[str, str]:
    """The files of a project with an application for each case; those in `newer` are in version 2."""
    apps = ["probe"]
    files = {"apps/probe/app.toml": 'name = "probe"\nvsn = "1"\nmod = "probe.look:Probe"\napplications = ["web"]\n'}
    files |= {"apps/probe/src/probe/__init__.py": "", "apps/probe/src/probe/look.py": PROBE}
    for name, case in cases.items():
        vsn = "2" if name in newer else "1"
        apps.append(name)
        files |= application(name, case.vsn if vsn == "2" else "1", case.modules(vsn))
        if vsn == "2" and case.up:
            files[f"apps/{name}/appup.toml"] = appup(case).replace("APP", name)
        if vsn in case.more:
            apps.append(f"{name}more")
            files |= application(f"{name}more", "1", MORE)
    listed = ", ".join(f'"{app}"' for app in apps)
    files["release.toml"] = f'name = "{NAME}"\nvsn = "{release}"\napps = [{listed}]\n'
    files["config/node.toml"] = f'name = "{NAME}@127.0.0.1"\n[probation]\ndeadline = 0\n'
    return files


def application(name: str, vsn: str, modules: Mapping[str, str]) -> dict[str, str]:
    """The files of an application in a project."""
    files = {f"apps/{name}/src/{name}/{file}": text.replace("APP", name) for file, text in modules.items()}
    files[f"apps/{name}/src/{name}/__init__.py"] = ""
    files[f"apps/{name}/app.toml"] = f'name = "{name}"\nvsn = "{vsn}"\nmod = "{name}.app:App"\n'
    return files


def appup(case: Case) -> str:
    """The appup of version 2, which also fits the package's other module."""
    return (
        f'vsn = "2"\n[[up]]\nfrom = "1"\ninstructions = [{case.up}]\n[[down]]\nto = "1"\ninstructions = [{case.down}]\n'
    )
