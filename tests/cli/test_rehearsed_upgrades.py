"""Rehearsals on the command line: their output, and the option that proceeds anyway."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.nodes.fil_node import command
from tests.support.nodes.tiny_node import NAME, install, stopped_afterwards, tarball_of
from tests.support.terminal.typed import typed

SERVER = """
from node_runtime import GenServer, gen_server, whereis

async def start_link():
    return await gen_server.start_link(TinyServer, name="tiny_server")

class TinyServer(GenServer[dict]):
    def init(self):
        return {"count": 0, "password": "hush"}
"""
CHANGING = """
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        BODY
        return {**state, "new": 1}
"""


def files(vsn: str, body: str) -> dict[str, str | None]:
    way = '"1.0"\ninstructions = [{ update = "tiny.server", change = "advanced" }]\n'
    return {
        "apps/tiny/appup.toml": f'vsn = "{vsn}"\n[[up]]\nfrom = {way}[[down]]\nto = {way}',
        "apps/tiny/src/tiny/server.py": SERVER + CHANGING.replace("BODY", body),
    }


@pytest.mark.slow
def test_a_plan_names_processes_that_would_fail_and_asks_for_consent_to_what_cannot_be_rehearsed(
    tmp_path: Path,
) -> None:
    first = tarball_of(tmp_path, changes={"apps/tiny/src/tiny/server.py": SERVER})
    asking = tarball_of(tmp_path, "2.0", files("2.0", 'whereis("tiny_sup")'))
    failing = tarball_of(tmp_path, "3.0", files("3.0", 'raise ValueError("three is right out")'))
    with stopped_afterwards(install(first, tmp_path / "tiny")) as node:
        node.tiny("start")
        node.hotdash("stage", NAME, asking)
        node.hotdash("stage", NAME, failing)

        unbounded = {name: value for name, value in node.environment.items() if name != "COLUMNS"}
        seen = command("hotdash", "plan", NAME, "3.0", env=unbounded, code=1).stdout
        (reason,) = [line for line in seen.splitlines() if "three is right out (" in line]
        assert reason.startswith(
            "  ✖ tiny_server (tiny.server): its code_change raised ValueError: three is right out ("
        )
        assert "server.py:" in reason
        assert 'code_change: raise ValueError("three is right out")' in seen
        plan = json.loads(node.hotdash("plan", NAME, "3.0", "-o", "json", code=1).stdout)
        (tried,) = plan["rehearsal"]["results"]
        assert (tried["name"], tried["outcome"]) == ("tiny_server", "raised")
        assert "hush" not in json.dumps(plan)
        refused = node.hotdash("upgrade", NAME, "3.0", "--yes", code=1)
        assert "three is right out" in refused.stderr

        assert "calls the runtime" in node.hotdash("plan", NAME, "2.0").stdout
        refused = node.hotdash("upgrade", NAME, "2.0", "--yes", code=1)
        assert refused.stderr.splitlines()[-1] == (  # after lines about the progress, on a busy machine
            "The code_change of 1 process can't be rehearsed; pass --unrehearsed to proceed anyway."
        )
        done = json.loads(node.hotdash("upgrade", NAME, "2.0", "--yes", "--unrehearsed", "-o", "json").stdout)
        assert done["outcome"] == "installed"
        assert done["rehearsal"]["unrehearsed"] == 1
        assert "rehearsal for release 2.0: 1 of 1 process" in node.hotdash("events", NAME).stdout
        node.hotdash("rollback", NAME, "--yes", code=1)
        node.hotdash("rollback", NAME, "--yes", "--unrehearsed")

        said, code = typed(node.environment, "yes", "hotdash", "upgrade", NAME, "2.0")
        assert "upgrade tiny@127.0.0.1 from 1.0 to 2.0: type 2.0 to proceed: yes" in said
        assert said.endswith("Nothing was done.")
        assert code == 2
        said, code = typed(node.environment, "2.0", "hotdash", "upgrade", NAME, "2.0")
        assert "2.0 running, on probation" in said
        assert code == 0


@pytest.mark.slow
def test_a_long_rehearsal_reports_its_progress(tmp_path: Path) -> None:
    first = tarball_of(tmp_path, changes={"apps/tiny/src/tiny/server.py": SERVER})
    slow = tarball_of(tmp_path, "2.0", files("2.0", "import time; time.sleep(0.4)"))
    with stopped_afterwards(install(first, tmp_path / "tiny")) as node:
        node.tiny("start")
        node.hotdash("stage", NAME, slow)
        plan = node.hotdash("plan", NAME, "2.0")
        assert plan.stderr == "rehearsal for release 2.0: 1 of 1 process\n"
        bar = next(line for line in plan.stdout.splitlines() if "point of no return" in line)
        assert bar.endswith("failure before: aborted · after: restored")
