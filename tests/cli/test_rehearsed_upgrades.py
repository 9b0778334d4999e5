"""What the commands say of a rehearsal, and what has to be said to go all the same."""

from __future__ import annotations

import json
from pathlib import Path

from tiny_node import NAME, install, stopped_at_last, tarball_of

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


def test_a_plan_names_who_would_fail_and_consent_is_asked_for_what_cannot_be_rehearsed(tmp_path: Path) -> None:
    first = tarball_of(tmp_path, changes={"apps/tiny/src/tiny/server.py": SERVER})
    asking = tarball_of(tmp_path, "2.0", files("2.0", 'whereis("tiny_sup")'))
    failing = tarball_of(tmp_path, "3.0", files("3.0", 'raise ValueError("three is right out")'))
    with stopped_at_last(install(first, tmp_path / "tiny")) as node:
        node.tiny("start")
        node.hotdash("stage", NAME, asking)
        node.hotdash("stage", NAME, failing)

        seen = " ".join(node.hotdash("plan", NAME, "3.0", code=1).stdout.split())
        assert "tiny_server (tiny.server): its code_change raised ValueError: three is right out (" in seen
        assert 'code_change: raise ValueError("three is right out")' in seen
        plan = json.loads(node.hotdash("plan", NAME, "3.0", "-o", "json", code=1).stdout)
        (tried,) = plan["rehearsal"]["results"]
        assert (tried["name"], tried["outcome"]) == ("tiny_server", "raised")
        assert "hush" not in json.dumps(plan)
        refused = node.hotdash("upgrade", NAME, "3.0", "--yes", code=1)
        assert "three is right out" in refused.stderr

        assert "calls the runtime" in node.hotdash("plan", NAME, "2.0").stdout
        refused = node.hotdash("upgrade", NAME, "2.0", "--yes", code=1)
        assert refused.stderr == (
            "The code_change of 1 process can't be rehearsed; say --unrehearsed to go all the same.\n"
        )
        done = json.loads(node.hotdash("upgrade", NAME, "2.0", "--yes", "--unrehearsed", "-o", "json").stdout)
        assert done["outcome"] == "installed"
        assert done["rehearsal"]["unrehearsed"] == 1
        assert "rehearsed: 1 of 1 process" in node.hotdash("events", NAME).stdout
        node.hotdash("rollback", NAME, "--yes", code=1)
        node.hotdash("rollback", NAME, "--yes", "--unrehearsed")
