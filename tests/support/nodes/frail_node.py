"""A node of a small project that stops at given points, so that a test can kill it exactly there.

The points are places in the application's own code. A file `stop-<point>` in the node's directory makes the code wait
there; the code then writes `at-<point>`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.methods import Method
from node_runtime.protocol.run_directory import locate
from tests.support.nodes.beside_another import install_beside_another
from tests.support.nodes.built_once import directory_once
from tests.support.nodes.fil_node import build, command, environment
from tests.support.projects.tiny_project import FILES, appup_both_ways, write_project
from tests.support.waiting import until

NAME = "tiny@127.0.0.1"
LIMIT = 60.0
P = TypeVar("P", bound=m.WireStruct)
R = TypeVar("R", bound=m.WireStruct)

SERVER = """
import asyncio
from pathlib import Path
from node_runtime import Down, GenServer, gen_server, self_pid, send_after
from tiny.points import stop_at

async def start_link():
    return await gen_server.start_link(TinyServer, name="tiny_server")

class TinyServer(GenServer):
    def init(self):
        send_after(0.02, self_pid(), "look")
        return {"count": 0}

    async def handle_info(self, message):
        send_after(0.02, self_pid(), "look")
        while Path("stop-hold").exists():
            Path("at-hold").touch()
            await asyncio.sleep(0.01)
"""
POINTS = """
import os
import time
from pathlib import Path

NODE = os.getpid()

def stop_at(point):
    if os.getpid() != NODE:  # a rehearsal, which can't write files; that there is one says enough
        point = "rehearsal"
    while Path(f"stop-{point}").exists():
        if os.getpid() == NODE:
            Path(f"at-{point}").touch()
        time.sleep(0.01)
"""
OLDER: dict[str, str | None] = {
    "apps/tiny/src/tiny/server.py": SERVER,
    "apps/tiny/src/tiny/points.py": POINTS,
    "config/node.toml": FILES["config/node.toml"] + "\n[probation]\nlag = 30.0\n",
}
NEWER: dict[str, str | None] = {
    **OLDER,
    "apps/tiny/src/tiny/server.py": f"""{SERVER}
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        stop_at("rollback" if isinstance(old_vsn, Down) else "run")
        return dict(state)

stop_at("body")
""",
    "apps/tiny/appup.toml": appup_both_ways('{ update = "tiny.server", change = "advanced", timeout = 60 }'),
}


@dataclass(frozen=True, slots=True)
class FrailNode:
    """The node, its parent, and their clients. `folder` has all their files."""

    folder: Path

    @property
    def directory(self) -> Path:
        return self.folder / "node"

    @property
    def environment(self) -> dict[str, str]:
        return environment(self.folder) | {"NODE_RUNTIME_RUN_DIR": str(self.folder / "run")}

    def tiny(self, *words: object, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run bin/tiny; its exit code must be `code`, unless that is None."""
        return command(self.directory / "bin/tiny", *words, env=self.environment, code=code)

    def operate(self, verb: str, *words: object, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run a verb of hotdash for this node, as bin/tiny does, but without the release's own libraries."""
        return command("hotdash", verb, NAME, *words, env=self.environment, code=code)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start hotdash without waiting for it."""
        line = [shutil.which("hotdash", path=self.environment["PATH"]) or "hotdash", *words]
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
        return subprocess.Popen(line, env=self.environment, stdin=nothing, stdout=pipe, stderr=pipe, text=True)

    # ------------------------------------------------------------------ asking, without a command's second

    def ask(self, method: Method[P, R], params: P | None = None) -> R:
        """The node's answer."""
        return asyncio.run(self._asked(method, params))

    async def _asked(self, method: Method[P, R], params: P | None) -> R:
        async with Client.connect(locate(NAME), user="test", client_name="test") as client:
            return await client.request(method, params)

    def done(self, method: Method[P, m.OperationStarted], params: P) -> m.Operation:
        """Wait for the requested operation to end; returns it."""
        return asyncio.run(self._followed(method, params))

    async def _followed(self, method: Method[P, m.OperationStarted], params: P) -> m.Operation:
        async with Client.connect(locate(NAME), user="test", client_name="test") as client:
            started = await client.request(method, params)
            return [one async for one in client.follow(started.operation)][-1]

    def operation(self) -> m.Operation:
        """The newest operation."""
        return self.ask(methods.OPERATION, m.GetOperation())

    def holds(self) -> bool:
        """Returns whether the newest operation is holding processes; false if there is none yet."""
        known = self.ask(methods.OPERATIONS, m.ListLimit()).operations
        return bool(known) and known[-1].phase == "holding"

    def statuses(self) -> dict[str, str]:
        """The status of each version, as the node reports it."""
        return {one.vsn: one.status for one in self.ask(methods.RELEASES).releases}

    # ------------------------------------------------------------------ points and kills

    @contextlib.contextmanager
    def stopped_at(self, point: str) -> Iterator[None]:
        """Make the node stop at this point from now on."""
        stop = self.directory / f"stop-{point}"
        stop.touch()
        try:
            yield
        finally:
            stop.unlink(missing_ok=True)

    def reaches(self, point: str) -> None:
        """Wait until the node has stopped at this point."""
        reached = self.directory / f"at-{point}"
        until(reached.exists, f"the stop at {point}")
        reached.unlink()

    def parent(self) -> dict[str, object]:
        """The status file that the parent process writes."""
        said: dict[str, object] = json.loads((self.directory / "var/parent.json").read_text())
        return said

    def kill(self, *whom: str) -> None:
        """SIGKILL these: "pid" is the parent, "node_pid" the node."""
        said = self.parent()
        for who in whom:
            pid = said[who]
            assert isinstance(pid, int)
            os.kill(pid, signal.SIGKILL)

    @contextlib.contextmanager
    def booted_again(self) -> Iterator[None]:
        """By the end of the block the parent has booted the node again, without its usual pause."""
        boots = self.parent()["boots"]
        yield
        until(lambda: self.parent()["boots"] != boots or self.parent()["phase"] == "ended", "the node's end")
        said = self.parent()
        if said["phase"] == "ended":
            assert isinstance(said["pid"], int)
            os.kill(said["pid"], signal.SIGHUP)
        until(lambda: self.parent()["boots"] != boots and self.parent()["phase"] == "running", "the next boot")


@pytest.fixture(scope="session")
def frail_tarballs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The tarball of each version."""
    folder = tmp_path_factory.mktemp("frail")
    made = {"1.0": OLDER, "2.0": NEWER}
    return {vsn: build(write_project(folder / vsn, vsn, changes), folder) for vsn, changes in made.items()}


@pytest.fixture(scope="module")
def frail(frail_tarballs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrailNode]:
    """A node that runs 1.0 and has 2.0 unpacked."""
    node = FrailNode(tmp_path_factory.mktemp("frail-node"))
    (node.folder / "run").mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NODE_RUNTIME_RUN_DIR", str(node.folder / "run"))
        directory_once(frail_tarballs["1.0"], node.directory, install_beside_another)
        node.tiny("start")
        node.operate("stage", frail_tarballs["2.0"])
        yield node
        node.tiny("stop", code=None)
