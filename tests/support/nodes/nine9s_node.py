"""nine9s, built, installed and running in its own folders, as fil_node does for the first example."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from hotdash.demo.demo_node import free_port
from tests.support.nodes.fil_node import command, environment, install_directory

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "nine9s"
NAME = "nine9s@127.0.0.1"


@dataclass(frozen=True, slots=True)
class Nine9sNode:
    """A node directory with its own run directory and home."""

    directory: Path
    home: Path
    port: int

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which a command finds this node."""
        return environment(self.home) | {"NODE_RUNTIME_RUN_DIR": str(self.home / "run")}

    @property
    def log(self) -> Path:
        """The node's log file."""
        return self.directory / "var" / "log" / "nine9s.log"

    def nine9s(self, *words: object, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run bin/nine9s with these words; its exit code must be `code`, unless that is None."""
        return command(self.directory / "bin" / "nine9s", *words, env=self.environment, code=code)

    def hotdash_json(self, verb: str, *words: object) -> Any:
        """The JSON output of a verb of hotdash."""
        done = command("hotdash", verb, NAME, *words, "-o", "json", env=self.environment)
        return json.loads(done.stdout)

    def get(self, path: str) -> tuple[int, str]:
        """Send one request on its own connection."""
        with contextlib.closing(HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            return ask(connection, path)


def ask(connection: HTTPConnection, path: str) -> tuple[int, str]:
    """Send one request; returns status and body."""
    connection.request("GET", path)
    answer = connection.getresponse()
    assert answer.getheader("content-type", "").startswith("text/plain")
    return answer.status, answer.read().decode()


@contextlib.contextmanager
def running(tarball: Path, folder: Path) -> Iterator[Nine9sNode]:
    """A node that was installed from `tarball` and started; stopped at the end."""
    node = Nine9sNode(folder / "node", folder / "home", free_port())
    (node.home / "run").mkdir(mode=0o700, parents=True)
    install_directory(tarball, node.directory)
    (node.directory / "etc").mkdir(exist_ok=True)
    (node.directory / "etc" / "sys.toml").write_text(f"[nine9s]\nhttp_port = {node.port}\n")
    node.nine9s("start")
    try:
        yield node
    finally:
        node.nine9s("stop")


@dataclass
class Visitor:
    """Requests one path repeatedly until stopped, on one connection that must stay open."""

    node: Nine9sNode
    path: str
    answers: list[tuple[int, str]] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    leaving: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Visitor:
        self._thread = threading.Thread(target=self._visit)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.leaving.set()
        self._thread.join(30)

    def _visit(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.node.port, timeout=60)
        try:
            connection.connect()
            first = connection.sock
            while not self.leaving.is_set():
                self.answers.append(ask(connection, self.path))
                assert connection.sock is first, "the connection was closed"
        except Exception as error:
            self.trouble.append(f"{self.path}: {type(error).__name__}: {error}")
        finally:
            connection.close()
