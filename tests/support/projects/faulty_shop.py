"""A shop of three components in two releases, with an install script that can be made to fail at any step.

Each server writes the number of every request into its state and replies with it.
"""

from __future__ import annotations

DESK = """
from node_runtime import GenServer, gen_server
from shop.words import WORD

class Desk(GenServer[dict]):
    def init(self, name):
        return {"name": name, "seen": []}

    def serve(self, number):
        self.state["seen"].append(number)
        return number, self.state["name"], WORD

async def start_link(name):
    return await gen_server.start_link(Desk, name, name=name)
"""

DESK_2 = DESK.replace(
    "async def start",
    """    @classmethod
    def code_change(cls, old_vsn, state, extra):
        return {**state, "seen": list(state["seen"]), "new": True}

async def start""",
)

LAMP = """
from node_runtime import Call, GenStatem, Next, gen_statem, keep

class Lamp(GenStatem[dict]):
    def init(self):
        return "green", {"seen": []}

    def green(self, event):
        match event:
            case Call(number):
                self.data["seen"].append(number)
                return Next(reply=number)
        return keep

async def start_link():
    return await gen_statem.start_link(Lamp, name="lamp")
"""

LAMP_2 = (
    LAMP.replace("def green", "def lime")
    .replace('"green"', '"lime"')
    .replace(
        "async def start",
        """    @classmethod
    def code_change(cls, old_vsn, state, extra):
        name, data = state
        return {"green": "lime"}[name], {**data, "seen": list(data["seen"])}

async def start""",
    )
)
"""A lamp with another state than in the version before."""

TOP = """
from node_runtime import ChildSpec, Supervisor

class Top(Supervisor):
    intensity = 0

    def children(self):
        return [
            ChildSpec("desk", start="shop.desk:start_link", args=("desk",)),
            ChildSpec("helper", start="shop.desk:start_link", args=("helper",)),
            ChildSpec("gone", start="shop.desk:start_link", args=("gone",)),
            ChildSpec("lamp", start="shop.lamp:start_link"),
        ]
"""

TOP_2 = TOP.replace("        ]\n", '            ChildSpec("extra", start="shop.extra:start_link"),\n        ]\n')

MORE = """
from node_runtime import ChildSpec, Supervisor

class More(Supervisor):
    intensity = 0

    def children(self):
        return [ChildSpec("second", start="shop.desk:start_link", args=("second",), modules=("shop.second",))]
"""

APP = """
from node_runtime import Application, ChildSpec, Supervisor, gen_server, supervisor, web
from shop.desk import Desk
from shop.more import More
from shop.top import Top

class Root(Supervisor):
    def children(self):
        return [
            ChildSpec("top", start="shop.app:start_top", type="supervisor"),
            ChildSpec("more", start="shop.app:start_more", type="supervisor"),
        ]

async def start_top():
    return await supervisor.start_link(Top, name="top")

async def start_more():
    return await supervisor.start_link(More, name="more")

class App(Application):
    async def start(self, start_type, args):
        await web.start_http("shop", port=0, routes=[web.Route("/", "shop.app:page")])
        for name in ("loner", "idler"):
            await gen_server.start(Desk, name, name=name)
        return await supervisor.start_link(Root, name="root")

    async def stop(self):
        await web.stop_http("shop")

def page(request):
    return web.PlainTextResponse("old")
"""

ANNEX = """
from node_runtime import Application, ChildSpec, Supervisor, supervisor

heard = []

class Rooms(Supervisor):
    def children(self):
        return [ChildSpec("room", start="shop.desk:start_link", args=("room",))]

class Annex(Application):
    async def start(self, start_type, args):
        return await supervisor.start_link(Rooms, name="rooms")

    async def prep_stop(self):
        heard.append("prep_stop")

    async def stop(self):
        heard.append("stop")
"""

EXTRA = """
from node_runtime import GenServer, gen_server, link, whereis

class Extra(GenServer[str]):
    def init(self):
        link(whereis("desk"))
        return "new"

async def start_link():
    return await gen_server.start_link(Extra, name="extra")
"""

STEPS = """
import asyncio
import os
from node_runtime import application, exit, supervisor, web
from node_runtime.supervisor import ChildSpec

NODE = os.getpid()
notes = []

async def breathe():
    await asyncio.sleep(0.002)

def note(text):
    notes.append(text)

def forget(text):
    notes.remove(text)

def switch_on():
    application.set_env("shop", "switch", "on")

def open_page():
    web.set_routes("shop", [*web.routes("shop"), web.Route("/more", "shop.app:page")])

async def add_third():
    await supervisor.start_child("more", ChildSpec("third", start="shop.desk:start_link", args=("third",)))

def kill_loner():
    exit("loner", "kill")

def fail():
    if os.getpid() == NODE:  # a rehearsal would find it before
        raise RuntimeError("on purpose")
"""

FIRST = {
    "shop.annex": ANNEX,
    "shop.app": APP,
    "shop.desk": DESK,
    "shop.extinct": "number = 1\n",
    "shop.lamp": LAMP,
    "shop.more": MORE,
    "shop.steps": STEPS,
    "shop.top": TOP,
    "shop.words": 'WORD = "one"\n',
}
SECOND = {
    **{name: text for name, text in FIRST.items() if name != "shop.extinct"},
    "shop.desk": DESK_2,
    "shop.extra": EXTRA,
    "shop.lamp": LAMP_2,
    "shop.top": TOP_2,
    "shop.words": 'WORD = "two"\n',
}

BREATHE = '{ apply = "shop.steps:breathe" }'
FAIL = '{ apply = "shop.steps:fail" }'
SCRIPT = (
    '{ suspend = ["shop.desk"] }',
    '{ load = "shop.words" }',
    BREATHE,
    '{ load = "shop.desk" }',
    '{ code_change = [["shop.desk", []]], mode = "up" }',
    '{ resume = ["shop.desk"] }',
    '{ apply = "shop.steps:note", args = ["it was here"], undo = "shop.steps:forget" }',
    '{ apply = "shop.steps:switch_on" }',
    '{ suspend = ["shop.top"] }',
    '{ load = "shop.extra" }',
    '{ load = "shop.top" }',
    '{ code_change = [["shop.top", []]], mode = "up" }',
    '{ apply = "node_runtime.supervisor:restart_child", args = ["top", "extra"] }',
    '{ apply = "node_runtime.supervisor:terminate_child", args = ["top", "helper"] }',
    BREATHE,
    '{ apply = "node_runtime.supervisor:restart_child", args = ["top", "helper"] }',
    BREATHE,
    '{ apply = "node_runtime.supervisor:terminate_child", args = ["top", "gone"] }',
    '{ apply = "node_runtime.supervisor:delete_child", args = ["top", "gone"] }',
    '{ resume = ["shop.top"] }',
    '{ apply = "shop.steps:add_third" }',
    '{ apply = "shop.steps:kill_loner" }',
    '{ apply = "node_runtime.gen_server:stop", args = ["idler"] }',
    '{ apply = "node_runtime.application:stop", args = ["annex"] }',
    BREATHE,
    '{ apply = "node_runtime.application:start", args = ["annex", "permanent"] }',
    '{ apply = "shop.steps:open_page" }',
    '{ stop = ["shop.second"] }',
    BREATHE,
    '{ start = ["shop.second"] }',
    '{ suspend = ["shop.lamp"] }',
    '{ load = "shop.lamp" }',
    '{ code_change = [["shop.lamp", []]], mode = "up" }',
    '{ resume = ["shop.lamp"] }',
    '{ remove = "shop.extinct" }',
    '{ purge = ["shop.extinct"] }',
    BREATHE,
)
"""Three components, the supervisor's in the middle: its children are added, removed, and restored."""


def appup(*steps: str) -> str:
    """An appup from release 1 with exactly these steps."""
    objects = "".join(
        f'{{ load_object_code = "shop", vsn = "VSN", modules = ["{module}"] }}, '
        for module in ("shop.words", "shop.desk", "shop.extra", "shop.top", "shop.lamp")
    )
    lines = "".join(f"      {step},\n" for step in steps)
    return f"""
    [[up]]
    from = "1"
    instructions = [
      {objects}
      {{ point_of_no_return = true }},
{lines}    ]
"""
