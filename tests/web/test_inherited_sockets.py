"""Socket activation: a socket that systemd has opened serves every node that the parent boots."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.support.nodes.fil_node import build, install_directory
from tests.support.nodes.nine9s_node import EXAMPLES, Nine9sNode
from tests.support.waiting import until

AS_SYSTEMD = 'exec 3<&$SOCKET; export LISTEN_FDS=1 LISTEN_PID=${RECEIVER:-$$} LISTEN_FDNAMES=web; exec "$@"'
"""Passes a socket as systemd does: as descriptor 3, and for the process with this id."""


@contextmanager
def activated(node: Nine9sNode, opened: socket.socket, receiver: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """The parent of a node, started with an inherited socket; stopped at the end."""
    variables = {"SOCKET": str(opened.fileno()), "RECEIVER": receiver}
    command = ("bash", "-c", AS_SYSTEMD, "bash", node.directory / "bin" / "nine9s", "foreground")
    node.log.parent.mkdir(parents=True, exist_ok=True)
    with node.log.open("ab") as log:
        parent = subprocess.Popen(
            command, env=node.environment | variables, pass_fds=[opened.fileno()], stdout=log, stderr=log
        )
    try:
        yield parent
    finally:
        parent.terminate()
        parent.wait(60)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[tuple[Nine9sNode, socket.socket]]:
    """A node that is not started, and a socket on its port, which listens already."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        node = Nine9sNode(tmp_path / "node", tmp_path / "home", opened.getsockname()[1])
        (node.home / "run").mkdir(mode=0o700, parents=True)
        install_directory(build(EXAMPLES / "0.1.0", tmp_path), node.directory)
        (node.directory / "etc").mkdir(exist_ok=True)
        (node.directory / "etc" / "sys.toml").write_text(f"[nine9s]\nhttp_port = {node.port}\n")
        yield node, opened


def pid_of(node: Nine9sNode) -> int:
    return int(node.bin("pid").stdout)


def test_clients_wait_in_the_socket_until_the_node_has_booted_and_while_it_boots_again(
    node: tuple[Nine9sNode, socket.socket],
) -> None:
    nine9s, opened = node
    with activated(nine9s, opened) as parent:
        assert nine9s.get("/")[0] == 200  # nobody has waited for the boot, but the request
        first = pid_of(nine9s)
        assert psutil.Process(first).environ()["LISTEN_PID"] == str(first) != str(parent.pid)
        assert psutil.Process(first).environ()["LISTEN_FDNAMES"] == "web"
        os.kill(first, signal.SIGKILL)
        assert nine9s.get("/")[0] == 200
        parent.send_signal(signal.SIGHUP)  # an orderly restart
        until(lambda: nine9s.bin("pid", code=None).stdout not in ("", f"{first}\n"), what="another node")
        assert nine9s.get("/")[0] == 200


def test_a_socket_for_another_process_is_not_passed_on(node: tuple[Nine9sNode, socket.socket]) -> None:
    nine9s, opened = node
    with activated(nine9s, opened, receiver="1") as parent:
        assert parent.wait(60) == 1
    assert f"port {nine9s.port} is in use" in nine9s.log.read_text()
