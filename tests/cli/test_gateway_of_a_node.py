"""The gateway of a real node, in an OS process of its own beside the node's."""

from __future__ import annotations

import os
import signal

import psutil

from tests.support.nodes.tiny_node import TinyNode, is_gone, node, node_of_the_module, running, shared, tarballs
from tests.support.os_processes import gateway_of, running_gateway
from tests.support.waiting import until

__all__ = ["node", "node_of_the_module", "running", "shared", "tarballs"]


def test_a_gateway_ends_with_its_node_even_if_the_node_is_killed(running: TinyNode) -> None:
    pid = running.pid()
    assert pid is not None
    gateway = running_gateway(pid)
    parent = running.parent["pid"]
    os.kill(parent, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    until(lambda: is_gone(gateway.pid), "the end of the gateway")


def test_a_node_whose_gateway_is_killed_keeps_its_process_and_its_port(running: TinyNode) -> None:
    pid = running.pid()
    assert pid is not None
    before = running_gateway(pid)
    before.kill()
    until(lambda: gateway_of(pid) not in (None, before), "another gateway")
    until(lambda: running.tiny("ping", code=None).returncode == 0, "an answer")
    assert running.pid() == pid
    assert "ended by signal SIGKILL" in running.log
    assert running.hotdash("events", "tiny@127.0.0.1").stdout.count("was started again") == 1


def test_a_gateway_has_no_key_in_its_command_line_and_no_environment_of_the_node(shared: TinyNode) -> None:
    pid = shared.pid()
    assert pid is not None
    gateway = running_gateway(pid)
    secrets = [path.read_text().strip() for path in (shared.directory / "etc/keys").iterdir()]
    shown = " ".join([*gateway.cmdline(), *gateway.environ().values()])
    assert not [secret for secret in secrets if secret in shown]
    assert set(gateway.environ()) <= {"MALLOC_ARENA_MAX", "LD_LIBRARY_PATH", "TZ", "LC_CTYPE"}
    assert gateway.cwd() == "/"
    assert gateway.rlimit(psutil.RLIMIT_CORE) == (0, 0)
    assert gateway.rlimit(psutil.RLIMIT_AS)[0] <= 1 << 30
