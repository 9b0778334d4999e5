"""Bodies of modules that hang or end their process, and a fork handler that waits, on a real node."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from tests.support.nodes.beside_another import install_beside_another
from tests.support.nodes.built_once import directory_once
from tests.support.nodes.fil_node import build, command
from tests.support.nodes.frail_node import NAME, FrailNode
from tests.support.projects.tiny_project import FILES, write_project
from tests.support.waiting import until

UPDATE = '[{ update = "tiny.server", change = "advanced", timeout = 600 }]'
SERVER = """
import asyncio
from pathlib import Path
from node_runtime import GenServer, gen_server, self_pid, send_after

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

    @classmethod
    def code_change(cls, old_vsn, state, extra):
        return dict(state)
"""
OPENBLAS = """
import ctypes

libc = ctypes.CDLL(None)
libc["__register_atfork"](libc.pause, None, None, None)
"""
"""A handler of a C library that waits, as the one of OpenBLAS waits for its threads."""
WAITING = """
import ctypes, signal

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
ctypes.PyDLL(None).pause()
"""
BODIES = {
    "2.0": "",
    "3.0": "while True:\n    pass",
    "4.0": "import os\nos._exit(1)",
    "5.0": "import os\nos.abort()",
    "6.0": WAITING,
}


def project(folder: Path, vsn: str, body: str) -> Path:
    changes: dict[str, str | None] = {
        "apps/tiny/src/tiny/server.py": f"{SERVER}\n{body}\n",
        "apps/tiny/src/tiny/blas.py": OPENBLAS,
        "config/node.toml": FILES["config/node.toml"] + "prepare = 0.5\n\n[probation]\nlag = 30.0\n",
    }
    if vsn != "1.0":
        entries = f'[[up]]\nfrom = "1.0"\ninstructions = {UPDATE}\n[[down]]\nto = "1.0"\ninstructions = {UPDATE}\n'
        changes["apps/tiny/appup.toml"] = f'vsn = "{vsn}"\n{entries}'
    return write_project(folder / vsn, vsn, changes)


def stage(node: FrailNode, vsn: str, folder: Path) -> None:
    node.operate("stage", build(project(folder, vsn, BODIES[vsn]), folder))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrailNode]:
    """A node that runs 1.0, with 2.0 unpacked."""
    folder = tmp_path_factory.mktemp("hostile")
    node = FrailNode(folder)
    (folder / "run").mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NODE_RUNTIME_RUN_DIR", str(folder / "run"))
        first = build(project(folder, "1.0", ""), folder)
        directory_once(first, node.directory, install_beside_another)
        node.tiny("start")
        stage(node, "2.0", folder)
        yield node
        node.tiny("stop", code=None)


def test_a_fork_handler_that_waits_does_not_freeze_the_node(node: FrailNode) -> None:
    plan = node.ask(methods.PLAN, m.MakePlan(vsn="2.0"))
    assert plan.blockers == ()
    assert plan.rehearsal is not None
    assert (plan.rehearsal.reached, plan.rehearsal.error) == (1, None)


@pytest.mark.parametrize(
    ("vsn", "reason"),
    [
        # tests/releases/rehearsal/test_bodies.py has a body that hangs and one that ends its process.
        pytest.param("3.0", "tiny.server: its body has not ended within 0.5 s", marks=pytest.mark.slow),
        pytest.param("4.0", "tiny.server: its body ended the copy of the node that it ran in", marks=pytest.mark.slow),
        ("5.0", "tiny.server: its body ended the copy of the node that it ran in"),
        ("6.0", "tiny.server: its body has not ended within 0.5 s, and can't be interrupted"),
    ],
)
def test_a_plan_and_an_install_survive_such_a_body(node: FrailNode, tmp_path: Path, vsn: str, reason: str) -> None:
    stage(node, vsn, tmp_path)
    boot = node.ask(methods.SNAPSHOT).info.boot_id
    plan = node.ask(methods.PLAN, m.MakePlan(vsn=vsn))
    assert [blocker.reason for blocker in plan.blockers] == [reason]
    ended = node.done(methods.INSTALL, m.Install(vsn=vsn))
    assert (ended.outcome, ended.error) == ("aborted", f"{reason}.")
    assert node.ask(methods.SNAPSHOT).info.boot_id == boot


def test_the_command_aborts_an_operation_and_the_audit_log_has_it(node: FrailNode) -> None:
    with node.stopped_at("hold"):
        node.reaches("hold")
        started = node.ask(methods.INSTALL, m.Install(vsn="2.0"))
        until(node.holds, "the hold")
        done = command("hotdash", "abort", NAME, "--reason", "too slow", "-o", "json", env=node.environment)
        ended = json.loads(done.stdout)
        assert (ended["id"], ended["outcome"]) == (started.operation, "aborted")
        assert ended["error"].endswith("aborted it: too slow.")
    entries = [one for one in node.ask(methods.AUDIT, m.ListLimit()).entries if one.method == "abort"]
    assert [(one.phase, one.reason) for one in entries] == [("intent", "too slow"), ("outcome", "too slow")]
    refused = command("hotdash", "abort", NAME, env=node.environment, code=1)
    assert refused.stderr == "No operation is running, so there is nothing to abort.\n"
    assert node.done(methods.INSTALL, m.Install(vsn="2.0")).outcome == "installed"
