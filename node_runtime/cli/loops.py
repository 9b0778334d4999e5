"""Which event loop a node runs on: node.toml says it, and uvloop is there if the release brings it."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable

from node_runtime.protocol.exits import Refused
from node_runtime.releases.formats import NodeConfig


def loop_factory(node: NodeConfig) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the node's event loop; None means asyncio's own, also where the other one is missing."""
    if node.loop == "asyncio" or not _has_uvloop():
        return None
    import uvloop

    return uvloop.new_event_loop


def check_loop(node: NodeConfig, vsn: str) -> None:
    """Raise Refused if the release lacks the event loop that node.toml asks for."""
    if node.loop == "uvloop" and not _has_uvloop():
        raise Refused(f'node.toml says loop = "uvloop", but release {vsn} has none; add uvloop to its requirements.')


def _has_uvloop() -> bool:
    return importlib.util.find_spec("uvloop") is not None
