"""A real node with one worker or more whose requests each burn 2 ms of processor time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil

from hotdash.demo.demo_node import free_port

from .server import RunningServer

BIN: Final = Path(sys.executable).parent
LAG_SECONDS: Final = 60.0
SITE: Final = '''
from __future__ import annotations

import time
from typing import Any

BURNT_SECONDS = 0.002
HEADERS = [(b"content-type", b"text/plain"), (b"content-length", b"2")]


async def site(scope: Any, receive: Any, send: Any) -> None:
    """Burn processor time, and answer."""
    until = time.thread_time() + BURNT_SECONDS
    while time.thread_time() < until:
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b"ok"})
'''
APP: Final = '''
from __future__ import annotations

from typing import Any

from node_runtime import Application, ChildSpec, Pid, Supervisor, supervisor, web
from node_runtime.application import get_env


class BurnSup(Supervisor):
    """The supervisor of the listener."""

    strategy, intensity, period = "one_for_one", 0, 1.0

    def children(self) -> list[ChildSpec]:
        return [web.asgi_child("burn", "burn.site:site", port=get_env("burn", "http_port"))]


class BurnApp(Application):
    """The application."""

    async def start(self, start_type: str, args: Any) -> Pid:
        return await supervisor.start_link(BurnSup, name="burn_sup")
'''
FILES: Final = {
    "release.toml": 'name = "burn"\nvsn = "1"\napps = ["burn"]\nrequirements = ["uvicorn", "httptools", "uvloop"]\n',
    "config/node.toml": f'name = "burn@127.0.0.1"\nloop = "uvloop"\n\n[probation]\nlag = {LAG_SECONDS}\n',
    "config/sys.toml": "[burn]\n",
    "apps/burn/app.toml": 'name = "burn"\nvsn = "1"\nmod = "burn.app:BurnApp"\n\n[env]\nhttp_port = 0\n',
    "apps/burn/src/burn/__init__.py": "",
    "apps/burn/src/burn/app.py": APP.lstrip(),
    "apps/burn/src/burn/site.py": SITE.lstrip(),
}


def build(folder: Path) -> Path:
    """Write the project to a folder, and build its release; return the tarball."""
    for name, text in FILES.items():
        file = folder / "project" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    _run([BIN / "node-runtime", "build", folder / "project", "--output", folder / "out"], dict(os.environ))
    return folder / "out" / "burn-1.tar.gz"


@contextmanager
def running_node(tarball: Path, workers: int, folder: Path) -> Iterator[RunningServer]:
    """Install a release in a folder, and run it with this number of workers. The workers run on any core."""
    directory, port = folder / "node", free_port()
    environment = {**os.environ, "NODE_RUNTIME_RUN_DIR": str(folder / "run")}
    (folder / "run").mkdir(mode=0o700, parents=True)
    _run([BIN / "node-runtime", "install", tarball, directory], environment)
    (directory / "etc").mkdir(exist_ok=True)
    (directory / "etc" / "sys.toml").write_text(f"[burn]\nhttp_port = {port}\n")
    (directory / "etc" / "node.toml").write_text(f"[web]\nworkers = {workers}\n")
    command = directory / "bin" / "burn"
    _run([command, "start"], environment)
    try:
        listed = json.loads(_run([BIN / "hotdash", "nodes", "-o", "json"], environment))
        processes = [psutil.Process(node["os_pid"]) for node in listed]
        if len(processes) != workers:
            raise SystemExit(f"{len(processes)} of {workers} workers run: {listed}")
        yield RunningServer(port, processes)
    finally:
        _run([command, "stop"], environment)


def _run(words: list[object], environment: dict[str, str]) -> str:
    """Run a command, and return its output. If the command fails, its output is the error."""
    done = subprocess.run([*map(str, words)], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}: {done.stdout}{done.stderr}")
    return done.stdout
