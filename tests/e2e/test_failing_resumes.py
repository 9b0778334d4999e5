"""On a real node, an upgrade whose resume fails leaves the service as it was, or restarts the node and says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from tests.support.nodes.beside_another import install_beside_another
from tests.support.nodes.built_once import directory_once
from tests.support.nodes.frail_node import FrailNode
from tests.support.nodes.tiny_node import tarball_of
from tests.support.waiting import until

SERVER = """
import os
from dataclasses import dataclass
from pathlib import Path
from node_runtime import Down, GenServer, gen_server, self_pid, send_after

NODE = os.getpid()

async def start_link():
    return await gen_server.start_link(TinyServer, name="tiny_server")

@dataclass(slots=True)
class State:
    looks: int = 0

class TinyServer(GenServer[State]):
    def init(self):
        send_after(0.02, self_pid(), "look")
        return State()

    def handle_info(self, message):
        send_after(0.02, self_pid(), "look")
        self.state.looks += 1
        Path("looks").write_text(f"{self.state.looks} {State.__slots__}")
"""
NEWER = """
from node_runtime.releases.probation import Probation

class Barrier:
    def __set__(self, instance, state):
        raise SystemExit(3)

def fault():
    return Path("fault").read_text() if os.getpid() == NODE else ""
"""
SHADOWING = """
    if fault() == "shadow":
        @property
        def state(self):
            return State()
"""
CHANGING = """
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        if isinstance(old_vsn, Down):
            return old_vsn.target.State(state.looks)
        if fault() == "barrier":
            type.__setattr__(cls, "state", Barrier())
        if fault() == "probation":
            Probation.begin = None
        return State(state.looks)
"""
SERVERS = {
    "1.0": SERVER,
    "2.0": SERVER.replace("looks: int = 0", "looks: int = 0\n    more: int = 0").replace(
        "class Tiny", NEWER + "\nclass Tiny"
    )
    + SHADOWING
    + CHANGING,
}
"""2.0 fails as the file `fault` in the node's directory says."""


def files(vsn: str) -> dict[str, str | None]:
    way = '"1.0"\ninstructions = [{ update = "tiny.server", change = "advanced" }]\n'
    return {
        "apps/tiny/src/tiny/server.py": SERVERS[vsn],
        "apps/tiny/appup.toml": None if vsn == "1.0" else f'vsn = "{vsn}"\n[[up]]\nfrom = {way}[[down]]\nto = {way}',
    }


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrailNode]:
    """A node that runs 1.0 and has 2.0 unpacked."""
    made = FrailNode(tmp_path_factory.mktemp("failing"))
    (made.folder / "run").mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NODE_RUNTIME_RUN_DIR", str(made.folder / "run"))
        first, second = [tarball_of(made.folder, vsn, files(vsn)) for vsn in SERVERS]
        directory_once(first, made.directory, install_beside_another)
        made.tiny("start")
        made.operate("stage", second)
        yield made
        made.tiny("stop", code=None)


def looks(node: FrailNode) -> int:
    """The number of messages that the server has handled since the node's boot."""
    said = Path(node.directory / "looks").read_text() if (node.directory / "looks").exists() else ""
    return int(said.partition(" ")[0] or 0)


def check_serving(node: FrailNode) -> None:
    """Check that the server handles messages."""
    before = looks(node)
    until(lambda: looks(node) > before, "the next message")


def install(node: FrailNode, fault: str) -> m.Operation:
    """Install 2.0, which then has this fault."""
    (node.directory / "fault").write_text(fault)
    return node.done(methods.INSTALL, m.Install(vsn="2.0", again=True))


@pytest.mark.slow  # install/test_failing_resume.py has it without a real node
def test_a_class_that_shadows_its_state_is_refused_in_the_plan_and_the_service_goes_on(node: FrailNode) -> None:
    sentence = "TinyServer defines state, the attribute that holds the state of its processes; choose another name"
    (node.directory / "fault").write_text("shadow")
    assert sentence in node.ask(methods.PLAN, m.MakePlan(vsn="2.0")).blockers[0].reason
    done = install(node, "shadow")
    assert done.outcome == "aborted"
    assert sentence in (done.error or "")
    check_serving(node)


def test_a_resume_that_fails_is_put_back_and_the_service_goes_on(node: FrailNode) -> None:
    node_pid = node.parent()["node_pid"]
    done = install(node, "barrier")
    assert (done.outcome, done.error) == ("put back", "the resume of tiny_server (tiny.server): SystemExit: 3")
    check_serving(node)
    assert node.statuses() == {"1.0": "permanent", "2.0": "unpacked"}
    assert node.parent()["node_pid"] == node_pid


def test_an_error_behind_the_resume_restarts_the_node_into_its_permanent_release(node: FrailNode) -> None:
    with node.booted_again():
        done = install(node, "probation")
        assert done.outcome == "partly put back"
        assert "not put back: the processes" in (done.error or "")
    until(lambda: node.tiny("ping", code=None).returncode == 0, "the node's answer")
    assert node.parent()["vsn"] == "1.0"
    check_serving(node)


def test_a_changed_dataclass_goes_up_and_down_again(node: FrailNode) -> None:
    (node.directory / "fault").write_text("")
    assert node.ask(methods.PLAN, m.MakePlan(vsn="2.0")).way_back
    assert install(node, "").outcome == "installed"
    check_serving(node)
    assert "'more'" in (node.directory / "looks").read_text()
    before = looks(node)
    assert node.done(methods.ROLLBACK, m.Rollback()).outcome == "reverted"
    check_serving(node)
    assert "'more'" not in (node.directory / "looks").read_text()
    assert looks(node) > before
