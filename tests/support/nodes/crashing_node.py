"""A node whose own application kills it at a given step on the disk: its release contains the injector of faults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.faults import injector
from tests.support.nodes.beside_another import install_beside_another
from tests.support.nodes.built_once import directory_once
from tests.support.nodes.fil_node import build
from tests.support.nodes.frail_node import NEWER, OLDER, FrailNode
from tests.support.projects.tiny_project import write_project
from tests.support.waiting import until

ARMING: Final = """
import json
from pathlib import Path
from tiny.injector import Injector

INJECTORS = []

def obey():
    order, question = Path("fault.json"), Path("count-steps")
    if order.exists():
        told = json.loads(order.read_text())
        order.unlink()
        INJECTORS.append(Injector(tuple(map(Path, told["folders"])), told["fault"], told["at"]))
        INJECTORS[-1].install()
    if question.exists():
        steps = len(INJECTORS[-1].steps)
        question.unlink()
        Path("steps").write_text(f"{steps}.")
"""


def with_faults(project: dict[str, str | None]) -> dict[str, str | None]:
    """The project, with a server that obeys the orders in its node's directory."""
    server = project["apps/tiny/src/tiny/server.py"]
    assert server is not None
    looks = '        send_after(0.02, self_pid(), "look")\n        while'
    assert looks in server
    return {
        **project,
        "apps/tiny/src/tiny/server.py": "from tiny.arming import obey\n"
        + server.replace(looks, looks.replace("        while", "        obey()\n        while")),
        "apps/tiny/src/tiny/arming.py": ARMING,
        "apps/tiny/src/tiny/injector.py": Path(injector.__file__).read_text(),
    }


class CrashingNode(FrailNode):
    """A node that runs 1.0."""

    def arm(self, at: int, fault: str = "kill") -> None:
        """Inject the fault into the node at its step number `at` from now on; 0 only counts the steps."""
        order = self.directory / "fault.json"
        told = {"folders": [str(self.directory), str(self.folder / "run")], "fault": fault, "at": at}
        aside = self.folder / "fault.json"
        aside.write_text(json.dumps(told))
        aside.rename(order)
        until(lambda: not order.exists(), "the order's execution")

    def steps(self) -> int:
        """The number of steps since the order."""
        told = self.directory / "steps"
        (self.directory / "count-steps").touch()
        until(lambda: told.exists() and told.read_text().endswith("."), "the number of steps")
        number = int(told.read_text().rstrip("."))
        told.unlink()
        return number


@pytest.fixture(scope="session")
def crashing_tarballs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The tarball of each version."""
    folder = tmp_path_factory.mktemp("crashing")
    made = {"1.0": with_faults(OLDER), "2.0": with_faults(NEWER)}
    return {vsn: build(write_project(folder / vsn, vsn, changes), folder) for vsn, changes in made.items()}


@pytest.fixture(scope="module")
def crashing(crashing_tarballs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrashingNode]:
    """A node that runs 1.0 and has 2.0 unpacked."""
    node = CrashingNode(tmp_path_factory.mktemp("crashing-node"))
    (node.folder / "run").mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NODE_RUNTIME_RUN_DIR", str(node.folder / "run"))
        directory_once(crashing_tarballs["1.0"], node.directory, install_beside_another)
        node.tiny("start")
        node.operate("stage", crashing_tarballs["2.0"])
        yield node
        node.tiny("stop", code=None)
