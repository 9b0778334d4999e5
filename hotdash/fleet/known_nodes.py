"""The nodes that can be opened by name, and the status that each reports."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hotdash.config.settings import Settings
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.local_user import local_user
from node_runtime.protocol.run_directory import list_records, locate


@dataclass(frozen=True, slots=True)
class KnownNode:
    """A node that `hotdash connect` can open: its name, and its cookie file unless it is a node of this machine.

    `worker` is the number of the worker in its node.
    """

    name: str
    cookie_file: Path | None = None
    worker: int = 1


@dataclass(frozen=True, slots=True)
class NodeReport:
    """The newest report of a node. `refused` is the sentence that says why the request failed, or empty."""

    node: KnownNode
    summary: m.NodeSummary | None = None
    change: m.Operation | None = None
    refused: str = ""


def known_nodes(settings: Settings) -> list[KnownNode]:
    """Return this user's nodes on this machine, and then the nodes in the settings file."""
    local = [KnownNode(record.name, worker=record.worker) for record in list_records()]
    return [*local, *(KnownNode(name, node.cookie_path()) for name, node in sorted(settings.nodes.items()))]


def known_by_name(names: Sequence[str], settings: Settings) -> list[KnownNode]:
    """Return the nodes with these names, each once. A node has a cookie file if the settings file names one."""
    remote = {name: node.cookie_path() for name, node in settings.nodes.items()}
    return [KnownNode(name, remote.get(name)) for name in dict.fromkeys(names)]


async def ask_node(node: KnownNode) -> NodeReport:
    """Request a node's status and its last change, over a separate connection."""
    try:
        address = locate(node.name, node.cookie_file)
        async with Client.connect(address, user=local_user(), client_name="hotdash") as client:
            summary = await client.request(methods.SUMMARY)
            change = None
            with suppress(Refused):
                listed = await client.request(methods.OPERATIONS, m.ListLimit(limit=1))
                change = listed.operations[-1] if listed.operations else None
            return NodeReport(node, summary, change)
    except Refused as refusal:
        return NodeReport(node, refused=refusal.sentence)
