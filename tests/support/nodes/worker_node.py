"""A node of the tiny project with three workers, which serve one port and say which worker and which code answers."""

from __future__ import annotations

import json
import socket
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.nodes.tiny_node import TinyNode, tarball_of
from tests.support.projects.tiny_project import FILES, appup_both_ways
from tests.support.waiting import until

WORKERS = (1, 2, 3)

SERVER = """
import os, pathlib, time
from node_runtime import GenServer, gen_server, web

VSN = "{vsn}"

async def start_link():
    return await gen_server.start_link(TinyServer, name="tiny_server")

class TinyServer(GenServer):
    def init(self):
        assert web.worker().number < 3 or not pathlib.Path(os.environ["HOME"], "broken").exists(), "worker 3 is broken"
        return 0

    def visit(self):
        self.state += 1
        return {"worker": web.worker().number, "pid": os.getpid(), "vsn": VSN, "visits": self.state}

    @classmethod
    def code_change(cls, old_vsn, state, extra):
        number = web.worker().number
        CODE_CHANGE
        return state
"""
APP = """
from node_runtime import Application, call, supervisor, web
from node_runtime.application import get_env
from tiny.sup import TinySup

async def visit(request):
    from tiny.server import TinyServer
    return web.JSONResponse(await call("tiny_server", TinyServer.visit))

class TinyApp(Application):
    async def start(self, start_type, args):
        top = await supervisor.start_link(TinySup, name="tiny_sup")
        await web.start_http("http", port=get_env("tiny", "http_port"), routes=[web.Route("/", "tiny.app:visit")])
        return top
"""
GATE = 'while number == 2 and not pathlib.Path(os.environ["HOME"], "open").exists(): time.sleep(0.01)'
FAULT = 'assert number < 3, "worker 3 has another kind of state"'
UPDATE = appup_both_ways('{ update = "tiny.server", change = "advanced" }', vsn="{vsn}")


def changes(code_change: str = "") -> dict[str, str | None]:
    """The files of the project with workers; `code_change` is a statement that each migration runs."""
    return {
        "apps/tiny/app.toml": FILES["apps/tiny/app.toml"].replace("mod =", 'applications = ["web"]\nmod ='),
        "apps/tiny/src/tiny/app.py": APP,
        "apps/tiny/src/tiny/server.py": SERVER.replace("CODE_CHANGE", code_change or "pass"),
        "config/node.toml": (
            'name = "tiny@127.0.0.1"\ncode_change = 60\nrehearsal = 120\n[web]\nworkers = 3\n'
            "[probation]\ndeadline = 600\n"
        ),
    }


@pytest.fixture(scope="session")
def worker_tarballs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The tarballs: 1.0, a plain 2.0, 2.1 whose worker 2 waits in code_change, and 2.2 whose worker 3 fails there."""
    folder = tmp_path_factory.mktemp("workers")
    made = {"1.0": tarball_of(folder, "1.0", changes())}
    for vsn, statement in {"2.0": "", "2.1": GATE, "2.2": FAULT}.items():
        made[vsn] = tarball_of(folder, vsn, {**changes(statement), "apps/tiny/appup.toml": UPDATE})
    return made


@dataclass(frozen=True, slots=True)
class WorkerNode:
    """A running node with three workers on `port`."""

    node: TinyNode
    port: int

    def visit(self) -> dict[str, object]:
        """Ask whichever worker gets a new connection."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=60) as answer:
            said: dict[str, object] = json.load(answer)
        return said

    def visit_all(self) -> dict[int, dict[str, object]]:
        """The newest answer of each worker, after each has answered at least once."""
        found: dict[int, dict[str, object]] = {}

        def all_answered() -> bool:
            try:
                said = self.visit()
            except OSError:  # a worker that has just been killed
                return False
            found[int(str(said["worker"]))] = said
            return len(found) == len(WORKERS)

        until(all_answered, "an answer of each worker")
        return found

    def versions(self) -> dict[int, object]:
        """The version of the code with which each worker answers."""
        return {number: said["vsn"] for number, said in sorted(self.visit_all().items())}

    def until_versions(self, *wanted: str) -> None:
        """Wait until workers 1, 2 and 3 answer with these versions."""
        until(lambda: self.versions() == dict(zip(WORKERS, wanted, strict=True)), f"{wanted}", shown=lambda: self.log)

    @property
    def log(self) -> str:
        return self.node.log[-8000:]


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        number: int = probe.getsockname()[1]
    return number
