"""A real node in an OS process of its own, in a private directory and run directory."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from node_runtime.cli.dev.live_upgrade import LiveUpgrade, upgrade_live
from node_runtime.cli.dev.source_node import SourceNode
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.local_user import local_user
from node_runtime.protocol.run_directory import locate
from node_runtime.releases.appups.next_version import next_version
from node_runtime.releases.build.project import Project, read_project

from .parameters import AppParameters, parameters_toml, with_ports


class PrivateNode:
    """A running node. `name` is its name; `client` is connected to it, with an operator's rights.

    `parameters` has the parameters that the applications got. Each parameter for a port has the number of a free port.
    """

    def __init__(self, node: SourceNode, client: Client, project: Project, parameters: AppParameters) -> None:
        self.name = node.name
        self.client = client
        self.parameters = parameters
        self._project = project
        self._number = 0

    async def upgrade(self, project: Path | str) -> LiveUpgrade:
        """Upgrade the node to the project in a folder, as `node-runtime dev` does. Raises Refused."""
        following = next_version(self._project, read_project(Path(project)), f"+test.{self._number + 1}").project
        self._number += 1
        with tempfile.TemporaryDirectory(prefix="node-runtime-test-") as folder:
            done = await upgrade_live(self.client, following, Path(folder))
        self._project = following
        return done

    async def state(self, process: str) -> dict[str, str]:
        """Return the fields of a process's state as texts. Raises Refused if no process has this name."""
        listed = (await self.client.request(methods.SNAPSHOT)).processes
        pid = next((each.pid for each in listed if each.name == process), None)
        if pid is None:
            raise Refused(f"{self.name} has no process {process}.", ExitCode.REFUSED)
        state = (await self.client.request(methods.STATE, m.GetState(pid=pid))).state
        return {label: term.text for label, term in state.items}


@asynccontextmanager
async def private_node(project: Path | str, env: AppParameters | None = None) -> AsyncIterator[PrivateNode]:
    """Start a node of the project in a folder; stop it at the end.

    NODE_RUNTIME_RUN_DIR must name a directory of this test. Raises Refused if the node does not start.
    """
    folder = Path(project)
    read = read_project(folder)
    parameters = with_ports((read,), _free_port)
    merged = {name: {**table, **(env or {}).get(name, {})} for name, table in parameters.items()}
    node = await SourceNode.start(read, folder, parameters=parameters_toml(merged, {}))
    try:
        async with Client.connect(locate(node.name), user=local_user(), client_name="test") as client:
            yield PrivateNode(node, client, read, merged)
    finally:
        await node.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
