"""A real node in a real release, for attacks: started once in a session, and compared with itself after each of them.

Its folder lies where every user of the machine can reach it, so that only its own modes protect it. Release 2.0 is
staged; a module of it leaves a mark when it is executed.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import psutil
import pytest

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.cookie import cookie_path, read_cookie
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.methods import Method
from node_runtime.protocol.run_directory import NodeAddress, NodeRecord
from tests.support.nodes.fil_node import command
from tests.support.nodes.left_nodes import start_killer
from tests.support.nodes.tiny_node import NAME, TinyNode, install, tarball_of
from tests.support.projects.tiny_project import appup_both_ways
from tests.support.waiting import until

P = TypeVar("P", bound=m.WireStruct)
R = TypeVar("R", bound=m.WireStruct)
MARK: Final = "staged-code-was-executed"
"""The file in the node's directory that the code of release 2.0 writes."""
SECRETS: Final = {
    "password": "correct-horse-battery",
    "url": "https://ana:staple-in-url@example.org/path",
    "authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzdGFwbGUifQ.c3RhcGxl",
    "api_key": "sk-staple0123456789abcdef",
}
"""Parts of the state of a process."""
HIDDEN: Final = ("correct-horse", "staple-in-url", "eyJzdWIi", "sk-staple0123")
"""What nobody may see of them."""
SERVER: Final = f"""
import logging
from node_runtime import GenServer, gen_server

async def start_link():
    return await gen_server.start_link(TinyServer, name="tiny_server")

class TinyServer(GenServer):
    def init(self):
        logging.getLogger("tiny").warning("connecting to %s", {SECRETS["url"]!r})
        return {SECRETS!r}
"""
CHANGED: Final = f"{SERVER}\nopen({MARK!r}, 'w').close()\n"
APPUP: Final = appup_both_ways('{ load_module = "tiny.server" }')
VERB_SECONDS: Final = 90.0
"""The longest time for a start or a stop of the node, also while it is attacked."""


@dataclass
class AttackedNode:
    """The node with its folders and clients of its owner."""

    tiny: TinyNode
    last_picture: dict[str, object] | None = None
    """What the previous attack was found to have left unchanged; None if nobody has looked since then."""

    @property
    def directory(self) -> Path:
        return self.tiny.directory

    @property
    def record(self) -> NodeRecord:
        """The node's record in the run directory."""
        return msgspec.json.decode((self.tiny.run_directory / f"{NAME}.json").read_bytes(), type=NodeRecord)

    def address(self, role: m.Role = "operator") -> NodeAddress:
        """The node's address with the cookie of a role."""
        record = self.record
        cookie = read_cookie(cookie_path(self.directory, role))
        return NodeAddress(NAME, record.host, record.port, cookie, record)

    def ask(self, method: Method[P, R], params: P | None = None) -> R:
        """The node's answer to its owner."""
        return asyncio.run(self._asked(method, params))

    async def _asked(self, method: Method[P, R], params: P | None) -> R:
        async with Client.connect(self.address(), user="owner", client_name="test") as client:
            return await client.request(method, params)

    def picture(self) -> dict[str, object]:
        """Everything that no attack may change."""
        snapshot = self.ask(methods.SNAPSHOT)
        return {
            "boot": snapshot.info.boot_id,
            "vsn": snapshot.info.vsn,
            "generation": snapshot.info.generation,
            "permanent": snapshot.info.permanent,
            "releases": sorted((one.vsn, one.status, one.failed, one.damaged) for one in snapshot.releases),
            "operations": [one.id for one in self.ask(methods.OPERATIONS, m.ListLimit()).operations],
            "processes": sorted((one.pid, one.name) for one in snapshot.processes if one.name),
            "executed": (self.directory / MARK).exists(),
            "uploads": sorted(path.name for path in (self.directory / "var/staging").glob("*")),
            "cookies": sorted(path.read_bytes() for path in (self.directory / "etc/cookies").iterdir()),
        }

    def settled_picture(self) -> dict[str, object]:
        """The picture when an attack is over; the node may first have to answer what the attack has left."""
        until(self.is_up, "the node's answer to its owner", within=VERB_SECONDS)
        pictures: list[dict[str, object]] = []

        def taken() -> bool:
            with suppress(Refused):
                pictures.append(self.picture())
            return bool(pictures)

        until(taken, "the node's snapshot for its owner", within=VERB_SECONDS)
        return pictures[-1]

    @property
    def processes(self) -> list[psutil.Process]:
        """The OS processes of the node: the parent, the node itself, and what it has started."""
        parent = psutil.Process(int(str(self.tiny.parent["pid"])))
        return [parent, *parent.children(recursive=True)]

    def memory(self) -> int:
        """The resident memory of all these processes in bytes."""
        total = 0
        for process in self.processes:
            with suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total

    def is_up(self) -> bool:
        """Returns whether the node answers its owner."""
        try:
            self.ask(methods.PING)
        except (Refused, OSError):
            return False
        return True

    def run(self, verb: str) -> subprocess.CompletedProcess[str]:
        """Run a verb of bin/tiny with a limit of time; one that hangs is ended."""
        self.last_picture = None
        line = [str(self.tiny.script), verb]
        env, pipe, nothing = self.tiny.environment, subprocess.PIPE, subprocess.DEVNULL
        process = subprocess.Popen(line, env=env, stdin=nothing, stdout=pipe, stderr=pipe, text=True)
        try:
            said, error = process.communicate(timeout=VERB_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            said, error = process.communicate()
            error = f"no answer within {VERB_SECONDS} s\n{error}"
        return subprocess.CompletedProcess(line, process.returncode, said, error)

    def start(self) -> subprocess.CompletedProcess[str]:
        """Start the node as its owner does."""
        return self.run("start")

    def stop(self) -> None:
        """Stop the node, whatever state it is in."""
        self.run("stop")

    def ensure_up(self) -> None:
        """Start the node again if an attack has ended it."""
        self.last_picture = None
        if not self.is_up():
            self.stop()
            done = self.start()
            assert done.returncode == 0, done.stderr
        until(self.is_up, "the node's answer")

    def log(self) -> str:
        """The node's log file."""
        return self.tiny.log

    def audit_lines(self) -> list[bytes]:
        """The lines of the audit log."""
        path = self.directory / "var/audit.jsonl"
        return path.read_bytes().splitlines() if path.exists() else []


@pytest.fixture(scope="session")
def node_under_attack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AttackedNode]:
    """The node, for the whole session."""
    project = {"apps/tiny/src/tiny/server.py": SERVER}
    newer = {"apps/tiny/src/tiny/server.py": CHANGED, "apps/tiny/appup.toml": APPUP}
    built = tmp_path_factory.mktemp("attacked")
    folder = Path(tempfile.mkdtemp(prefix="attacked-node-"))
    folder.chmod(0o755)
    with start_killer(folder, delete=True):
        node = AttackedNode(install(tarball_of(built, "1.0", project), folder / "home"))
        (folder / "home").chmod(0o755)
        try:
            node.ensure_up()
            command("hotdash", "stage", NAME, tarball_of(built, "2.0", newer), env=node.tiny.environment)
            yield node
        finally:
            node.stop()


@pytest.fixture
def attacked(node_under_attack: AttackedNode) -> Iterator[AttackedNode]:
    """The node, running; after the attack it must be the same run of the same node, unharmed."""
    before, node_under_attack.last_picture = node_under_attack.last_picture, None
    if before is None:
        node_under_attack.ensure_up()
        before = node_under_attack.settled_picture()
    yield node_under_attack
    after = node_under_attack.settled_picture()
    assert after == before
    node_under_attack.last_picture = after


@pytest.fixture
def stopped(node_under_attack: AttackedNode) -> Iterator[AttackedNode]:
    """The node, stopped."""
    node_under_attack.ensure_up()
    node_under_attack.stop()
    yield node_under_attack
    node_under_attack.ensure_up()


def grown_by(node: AttackedNode, attack: Callable[[], object]) -> int:
    """The bytes of memory that the node has more after an attack, while the attacker is still connected."""
    before = node.memory()
    attack()
    return node.memory() - before


def json_lines(lines: list[bytes]) -> list[dict[str, Any]]:
    """The lines as JSON objects."""
    return [json.loads(line) for line in lines]
