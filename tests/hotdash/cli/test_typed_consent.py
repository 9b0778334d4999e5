"""Commands ask at a terminal before data is lost or a way back is given up, and refuse without a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.nodes.tiny_node import NAME, TinyNode, install, stopped_afterwards, tarball_of
from tests.support.projects.tiny_project import appup_both_ways
from tests.support.terminal.typed import typed

SERVER = """
import time
from dataclasses import dataclass, field
from node_runtime import Down, GenServer, gen_server

async def start_link():
    return await gen_server.start_link(TinyServer, name="tiny_server")

@dataclass
class State:
    count: int
    FIELD

class TinyServer(GenServer[State]):
    def init(self):
        return State(INIT)
"""
FIRST = SERVER.replace("FIELD", 'note: str = ""').replace("INIT", '4, "no sugar"')
LOSING = SERVER.replace("FIELD", "at: float = field(default_factory=time.time)").replace("INIT", "4")
ONE_WAY = FIRST.replace("count: int", "count: int\n    total: int = 0") + (
    """
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        if isinstance(old_vsn, Down):
            raise RuntimeError("on purpose")
        return State(state.count, note=state.note)
"""
)
UPDATE = '{ update = "tiny.server", change = "advanced" }'


def release(folder: Path, vsn: str, server: str) -> Path:
    appup = appup_both_ways(UPDATE, vsn=vsn)
    return tarball_of(folder, vsn, {"apps/tiny/src/tiny/server.py": server, "apps/tiny/appup.toml": appup})


@pytest.mark.slow
def test_data_that_would_be_lost_and_a_missing_way_back_need_the_typed_version(tmp_path: Path) -> None:
    first = tarball_of(tmp_path, changes={"apps/tiny/src/tiny/server.py": FIRST})
    later = release(tmp_path, "2.0", LOSING), release(tmp_path, "3.0", ONE_WAY)
    with stopped_afterwards(install(first, tmp_path / "tiny")) as node:
        node.tiny("start")
        for tarball in later:
            node.tiny("unpack", tarball)
        refused = node.tiny("upgrade", "2.0", code=2)
        assert "release 2.0 has no tiny.server:State.note" in refused.stdout
        assert "There is no terminal to confirm on; pass --yes" in refused.stderr

        said, code = typed(node.environment, "yes", node.script, "upgrade", "2.0")
        assert "release 2.0 has no tiny.server:State.note" in said
        assert f"upgrade {NAME} from 1.0 to 2.0: type 2.0 to proceed: yes" in said
        assert (said.endswith("Nothing was done."), code) == (True, 2)
        said, code = typed(node.environment, "2.0", "hotdash", "upgrade", NAME, "2.0")
        assert ("release 2.0 has no tiny.server:State.note" in said, code) == (True, 0), said
        assert running(node) == "2.0"

        assert "There is no terminal" in node.tiny("rollback", code=2).stderr
        said, code = typed(node.environment, "n", node.script, "rollback")
        assert "release 1.0 has no tiny.server:State.at, so this field is lost; it holds data in 1 of 1" in said
        assert (said.endswith("Nothing was done."), code) == (True, 2), said
        said, code = typed(node.environment, "y", node.script, "rollback")
        assert (running(node), code) == ("1.0", 0), said

        said, code = typed(node.environment, "y", "hotdash", "upgrade", NAME, "3.0")
        assert "The way back fails for 1 process" in said
        assert (said.endswith("Nothing was done."), code) == (True, 2)
        said, code = typed(node.environment, "3.0", node.script, "upgrade", "3.0")
        assert (running(node), code) == ("3.0", 0), said
        the_other_verbs(node)


def running(node: TinyNode) -> str:
    """The release that the node runs."""
    vsn: str = json.loads(node.tiny("status", "-o", "json").stdout)["info"]["vsn"]
    return vsn


def the_other_verbs(node: TinyNode) -> None:
    """The verbs that a terminal beside the node needs, after an upgrade of the server."""
    assert "1.0 → 3.0" in node.tiny("results").stdout
    assert "tiny.server" in node.tiny("modules").stdout
    assert "There is no terminal" in node.tiny("kill", "tiny_server", code=2).stderr
    assert "has no old version" in node.tiny("purge", "tiny.page", "--yes", code=1).stderr
    assert "no operation" in node.tiny("abort", code=1).stderr.lower()
