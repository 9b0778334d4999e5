"""A config_change that fails or never ends changes nothing but the warnings of its operation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.nodes.tiny_node import ANOTHER_PAGE, NAME, TinyNode, install, stopped_afterwards, tarball_of

APP = """
import asyncio
from node_runtime import Application, supervisor
from tiny.sup import TinySup

class TinyApp(Application):
    async def start(self, start_type, args):
        return await supervisor.start_link(TinySup, name="tiny_sup")

"""
ENDLESS = """
    async def config_change(self, changed, new, removed):
        await asyncio.Event().wait()
"""
RAISING = """
    def config_change(self, changed, new, removed):
        raise KeyError("no such colour")
"""
OLDER: dict[str, str | None] = {"apps/tiny/src/tiny/app.py": APP + ENDLESS}
LOAD = '[{ load_module = "tiny.hello_page" }, { load_module = "tiny.app" }]'
NEWER: dict[str, str | None] = {
    **ANOTHER_PAGE,
    "apps/tiny/src/tiny/app.py": APP + RAISING,
    "apps/tiny/appup.toml": str(ANOTHER_PAGE["apps/tiny/appup.toml"]).replace(
        '[{ load_module = "tiny.hello_page" }]', LOAD
    ),
    "config/sys.toml": "[tiny]\ngreeting = 'bye'\n",
}


def newest(node: TinyNode) -> tuple[str, list[str]]:
    told = json.loads(node.hotdash("results", NAME, "-o", "json").stdout)
    return told["outcome"], told["warnings"]


@pytest.mark.slow
def test_a_config_change_that_raises_or_never_ends_is_a_warning_and_ends_nothing(tmp_path: Path) -> None:
    older, newer = tarball_of(tmp_path, changes=OLDER), tarball_of(tmp_path, "2.0", NEWER)
    with stopped_afterwards(install(older, tmp_path / "tiny")) as node:
        node.tiny("start")
        node.operate("stage", newer)
        node.operate("upgrade", "--yes", "2.0")
        after = "; the application may use its old values."
        raised = f"config_change of application tiny failed: KeyError: 'no such colour'{after}"
        assert newest(node) == ("installed", [raised])
        assert raised in " ".join(node.hotdash("results", NAME).stdout.split())
        node.operate("rollback", "--yes")
        never_ended = f"config_change of application tiny did not end within 5 s and was killed{after}"
        assert newest(node) == ("reverted", [never_ended])
        assert node.parent["boots"] == 1
        node.tiny("stop")
    assert "did not stop" not in node.log
