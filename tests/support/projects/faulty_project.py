"""A project of which one release carries out one instruction, and strikes with a fault before and after the bar.

The bar is the instruction `point_of_no_return`. Release 1.0 is the base. `tiny.fault:strike` does what a file in the
node's directory orders: `strike-before` and `strike-after` in the node, `strike-rehearsal` in a rehearsal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.support.faults import injector
from tests.support.projects.tiny_project import FILES, write_project

SERVER: Final = """
import errno
import os
from pathlib import Path
from node_runtime import GenServer, gen_server, self_pid, send_after

FORK = os.fork

async def start_link():
    return await gen_server.start_link(TinyServer, name="tiny_server")

def refuse():
    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

class TinyServer(GenServer):
    def init(self):
        send_after(0.02, self_pid(), "look")
        return {"count": 0}

    def handle_info(self, message):
        send_after(0.02, self_pid(), "look")
        os.fork = refuse if Path("refuse-fork").exists() else FORK
        if Path("count").exists():
            self.state["count"] += 1
            Path("count").unlink()
"""
MIGRATION: Final = """
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        return dict(state)
"""
FAULT: Final = """
import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from tiny.injector import Injector

NODE = os.getpid()

def strike(place):
    in_node = os.getpid() == NODE
    order = Path(f"strike-{place if in_node else 'rehearsal'}")
    if not order.exists():
        return None
    fault = order.read_text()
    if in_node:
        order.unlink()
    match fault:
        case "raise":
            raise RuntimeError("struck")
        case "hang":
            return asyncio.Event().wait()
        case "block":
            while True:
                signal.pause()
        case "exit":
            sys.exit(3)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "freeze":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "full" | "fail":
            Injector((Path.cwd(), Path(os.environ["NODE_RUNTIME_RUN_DIR"])), fault, 1).install()
    return None
"""
EXTRA: Final[dict[str, str | None]] = {
    "apps/extra/app.toml": """
name = "extra"
vsn = "1.0"
mod = "extra.app:ExtraApp"
registered = ["extra_sup"]
""",
    "apps/extra/src/extra/app.py": """
from node_runtime import Application, Supervisor, supervisor

class ExtraApp(Application):
    async def start(self, start_type, args):
        return await supervisor.start_link(ExtraSup, name="extra_sup")

class ExtraSup(Supervisor):
    strategy, intensity, period = "one_for_one", 1, 60.0

    def children(self):
        return []
""",
}
BASE: Final[dict[str, str | None]] = {
    "config/node.toml": FILES["config/node.toml"]
    + "heart = 10\nrehearsal = 3\n[probation]\nlag = 30.0\nerrors = 1000\n",
    "apps/tiny/src/tiny/server.py": SERVER,
    "apps/tiny/src/tiny/fault.py": FAULT,
    "apps/tiny/src/tiny/injector.py": Path(injector.__file__).read_text(),
    "apps/tiny/src/tiny/words.py": "GREETING = 'hello'\n",
}


@dataclass(frozen=True)
class Row:
    """The instructions of one release, upwards and downwards, and the files that differ from the base."""

    up: str
    down: str
    files: Mapping[str, str | None] = field(default_factory=dict)
    loses_states: bool = False

    def project(self, folder: Path, vsn: str) -> Path:
        """Write the project of this row's release."""
        changes = {**BASE, **self.files, "apps/tiny/appup.toml": self._appup(vsn)}
        return write_project(folder, vsn, changes)

    def _appup(self, vsn: str) -> str:
        return (
            f'vsn = "{vsn}"\n'
            f'[[up]]\nfrom = "1.0"\ninstructions = [\n{_struck(self.up)}]\n'
            f'[[down]]\nto = "1.0"\ninstructions = [\n{_struck(self.down)}]\n'
        )


def _struck(instructions: str) -> str:
    """Return the instructions with the bar before them, and a strike on each side of it."""
    strikes = [f'{{ apply = "tiny.fault:strike", args = ["{place}"] }}' for place in ("before", "after")]
    lines = [strikes[0] + ",", "{ point_of_no_return = true },", instructions, strikes[1] + ","]
    return "".join(f"  {line}\n" for line in lines if line)


_CHANGED_SERVER: Final[dict[str, str | None]] = {"apps/tiny/src/tiny/server.py": SERVER + MIGRATION}
ROWS: Final = {
    "apply": Row("", ""),
    "load_module": Row(
        '{ load_module = "tiny.words" },',
        '{ load_module = "tiny.words" },',
        {"apps/tiny/src/tiny/words.py": "GREETING = 'hi'\n"},
    ),
    "update": Row('{ update = "tiny.server" },', '{ update = "tiny.server" },', _CHANGED_SERVER),
    "code_change": Row(
        '{ update = "tiny.server", change = "advanced" },',
        '{ update = "tiny.server", change = "advanced" },',
        _CHANGED_SERVER,
    ),
    "supervisor": Row(
        '{ update = "tiny.sup", type = "supervisor" },',
        '{ update = "tiny.sup", type = "supervisor" },',
        {"apps/tiny/src/tiny/sup.py": (FILES["apps/tiny/src/tiny/sup.py"] or "").replace("1, 60.0", "2, 60.0")},
    ),
    "add_module": Row(
        '{ add_module = "tiny.more" },', '{ delete_module = "tiny.more" },', {"apps/tiny/src/tiny/more.py": "X = 1\n"}
    ),
    "delete_module": Row(
        '{ delete_module = "tiny.words" },', '{ add_module = "tiny.words" },', {"apps/tiny/src/tiny/words.py": None}
    ),
    "add_application": Row(
        "",
        "",
        {**EXTRA, "release.toml": 'name = "tiny"\nvsn = "{vsn}"\napps = ["tiny", "extra"]\n'},
    ),
    "restart_application": Row(
        '{ restart_application = "tiny" },', '{ restart_application = "tiny" },', _CHANGED_SERVER, loses_states=True
    ),
    "stop and start": Row(
        '{ stop = ["tiny.server"] }, { load_module = "tiny.server" }, { start = ["tiny.server"] },',
        '{ stop = ["tiny.server"] }, { load_module = "tiny.server" }, { start = ["tiny.server"] },',
        _CHANGED_SERVER,
        loses_states=True,
    ),
}
"""The table: each release's instructions. `_struck` adds the bar and the strikes."""
