"""nine9s, built, installed and running in its own folders, as fil_node does for the first example."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from tests.support.nodes.example_node import ExampleNode, running_example

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "nine9s"
NAME = "nine9s@127.0.0.1"
PAUSE_SECONDS = 0.02
"""The pause between two requests of a visitor. Without it, the visitors would slow the upgrades down."""


class Nine9sNode(ExampleNode):
    """A node that runs nine9s."""

    __slots__ = ()
    application = "nine9s"

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


def running(tarball: Path, folder: Path) -> contextlib.AbstractContextManager[Nine9sNode]:
    """A node that was installed from `tarball` and started; stopped at the end."""
    return running_example(Nine9sNode, tarball, folder)


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
        self._thread.join(60)

    def _visit(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.node.port, timeout=60)
        try:
            connection.connect()
            first = connection.sock
            while not self.leaving.wait(PAUSE_SECONDS):
                self.answers.append(ask(connection, self.path))
                assert connection.sock is first, "the connection was closed"
        except Exception as error:
            self.trouble.append(f"{self.path}: {type(error).__name__}: {error}")
        finally:
            connection.close()
