"""A process that has crashed during the probation is named before the commit and in the results."""

from __future__ import annotations

from pathlib import Path

from tests.support.nodes.tiny_node import NAME, install, stopped_afterwards, tarball_of, tarballs

__all__ = ["tarballs"]

FALLING_ONCE: dict[str, str | None] = {
    "apps/tiny/appup.toml": """
vsn = "5.0"
[[up]]
from = "1.0"
instructions = [{ update = "tiny.server" }, { apply = "tiny.server:fall_soon" }]
[[down]]
to = "1.0"
instructions = [{ load_module = "tiny.server" }]
""",
    "apps/tiny/src/tiny/server.py": """
from node_runtime import GenServer, gen_server, send_after

def fall_soon():
    send_after(0.01, "tiny_server", "fall")

async def start_link():
    return await gen_server.start_link(TinyServer, name="tiny_server")

class TinyServer(GenServer):
    def init(self):
        return 0

    def handle_info(self, message):
        raise RuntimeError("over the edge")
""",
}
"""Its server crashes once."""


def test_a_commit_names_the_processes_that_have_crashed_since_the_install(
    tarballs: dict[str, Path], tmp_path: Path
) -> None:
    with stopped_afterwards(install(tarballs["1.0"], tmp_path / "tiny")) as node:
        node.set("node.toml", "[probation]\nhealthy = 0.2\nlag = 5.0\n")
        node.tiny("start")
        node.operate("stage", tarball_of(tmp_path, "5.0", FALLING_ONCE))
        done = node.operate("upgrade", "--yes", "5.0", "--commit")
        assert "1 crash since the install lost the states of: tiny_server: RuntimeError" in done.stderr
        assert "because of --yes" in done.stderr
        shown = node.hotdash("results", NAME).stdout
        assert "crashed since: tiny_server: RuntimeError" in shown
        assert not [line for line in shown.splitlines() if "tiny_server" in line and " ok " in line]
