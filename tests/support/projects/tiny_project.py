"""The smallest project that makes a node: one application with a supervisor, a server and a template."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

FILES = {
    "release.toml": 'name = "tiny"\nvsn = "{vsn}"\napps = ["tiny"]\n',
    "config/node.toml": 'name = "tiny@127.0.0.1"\n',
    "config/sys.toml": "[tiny]\ngreeting = 'hello'\n",
    "apps/tiny/app.toml": """
name = "tiny"
vsn = "{vsn}"
mod = "tiny.app:TinyApp"
registered = ["tiny_sup", "tiny_server"]
[env]
greeting = "hi"
[templates]
source = "priv/pages"
package = "tiny"
extension = ".html"
suffix = "_page"
""",
    "apps/tiny/priv/pages/hello.html": "<p>Hello {{ name }}</p>\n",
    "apps/tiny/src/tiny/app.py": """
from node_runtime import Application, supervisor
from tiny.sup import TinySup

class TinyApp(Application):
    async def start(self, start_type, args):
        return await supervisor.start_link(TinySup, name="tiny_sup")
""",
    "apps/tiny/src/tiny/sup.py": """
from node_runtime import ChildSpec, Supervisor

class TinySup(Supervisor):
    strategy, intensity, period = "one_for_one", 1, 60.0

    def children(self):
        return [ChildSpec("server", start="tiny.server:start_link")]
""",
    "apps/tiny/src/tiny/server.py": """
from node_runtime import GenServer, gen_server

async def start_link():
    return await gen_server.start_link(TinyServer, name="tiny_server")

class TinyServer(GenServer):
    def init(self):
        return 0
""",
}


def appup_both_ways(instructions: str, *, vsn: str = "2.0", older: str = "1.0") -> str:
    """The appup of version `vsn`, with the same instructions up from `older` and down to it."""
    return (
        f'vsn = "{vsn}"\n'
        f'[[up]]\nfrom = "{older}"\ninstructions = [{instructions}]\n'
        f'[[down]]\nto = "{older}"\ninstructions = [{instructions}]\n'
    )


def write_project(folder: Path, vsn: str = "1.0", changes: Mapping[str, str | None] | None = None) -> Path:
    """Write the project as version `vsn`; `changes` replaces files, or leaves out those that are None."""
    for path, text in {**FILES, **(changes or {})}.items():
        if text is not None:
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.replace("{vsn}", vsn))
    return folder
