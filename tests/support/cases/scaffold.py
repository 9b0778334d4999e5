"""The project that every version of a case starts from: a server named box, its supervisor, and a page that asks it.

In all files of a case @VSN@ is replaced by the version, @BEFORE@ by the one before it, @FIRST@ by the first one, @PORT@
and @PORT2@ by free ports, and @DATA@ by a private folder. A file with @BEFORE@ or @FIRST@ is left out of the first
version, so that the first version needs no appup.
"""

from __future__ import annotations

from typing import Final

SCAFFOLD: Final[dict[str, str]] = {
    "release.toml": """\
name = "k"
vsn = "@VSN@"
apps = ["k"]
""",
    "config/node.toml": """\
name = "k@127.0.0.1"
""",
    "config/sys.toml": """\
[k]
port = @PORT@
""",
    "apps/k/app.toml": """\
name = "k"
vsn = "@VSN@"
applications = ["web"]
mod = "k.app:App"

[env]
port = @PORT@
""",
    "apps/k/appup.toml": """\
vsn = "@VSN@"

[[up]]
from = "@BEFORE@"
instructions = [ { load_module = "k.box" } ]

[[down]]
to = "@BEFORE@"
instructions = [ { load_module = "k.box" } ]
""",
    "apps/k/src/k/__init__.py": """\
'''The application of a case.'''
""",
    "apps/k/src/k/app.py": """\
from k import sup
from node_runtime import Application, web
from node_runtime.application import get_env
from node_runtime.web import Route


class App(Application):
    async def start(self, start_type, args):
        top = await sup.start_link()
        await web.start_http("http", port=get_env("k", "port"), routes=(Route("/", "k.page:probe"),))
        return top

    async def stop(self):
        await web.stop_http("http")
""",
    "apps/k/src/k/sup.py": """\
from node_runtime import ChildSpec, Supervisor, supervisor


class KSup(Supervisor):
    strategy = "one_for_one"
    intensity = 5
    period = 10.0

    def children(self):
        return [ChildSpec("box", start="k.box:start_link", restart="permanent", shutdown=5.0)]


async def start_link():
    return await supervisor.start_link(KSup, name="k_sup")
""",
    "apps/k/src/k/page.py": """\
import traceback

from k import box
from node_runtime import call
from node_runtime.web import PlainTextResponse


async def probe(request):
    try:
        seen = await call("box", box.Box.probe)
    except BaseException:
        return PlainTextResponse(traceback.format_exc(), status_code=500)
    return PlainTextResponse(f"{seen!r}\\n")
""",
    "apps/k/src/k/box.py": """\
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {"n": 0}

    def probe(self):
        self.state["n"] += 1
        return "@VSN@", self.state["n"]
""",
}
