"""The fixture `node`: a real node of a project, upgraded by a test."""

from __future__ import annotations

import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from node_runtime.cli import main
from node_runtime.protocol.exit_codes import Refused
from node_runtime.testing import PrivateNode
from node_runtime.testing.plugin import node

__all__ = ["node"]

HANDLER = "apps/ice_cream/src/ice_cream/handler.py"


def page(running: PrivateNode) -> str:
    port = running.parameters["ice_cream"]["http_port"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
        return str(answer.read().decode())


@pytest.mark.slow  # a real node; its parts have quicker tests
async def test_a_node_is_upgraded_and_keeps_its_state(
    node: Callable[[Path], Awaitable[PrivateNode]],  # the fixture
    tmp_path: Path,
) -> None:
    project = tmp_path / "ice_cream"
    main(["new", str(project), "--web"])
    running = await node(project)
    assert page(running) == "Hello, visitor 1!\n"
    handler = project / HANDLER
    handler.write_text(handler.read_text().replace("Hello", "Welcome"))
    done = await running.upgrade(project)
    assert done.modules == ("ice_cream.handler",)
    assert page(running) == "Welcome, visitor 2!\n"
    assert await running.state("ice_cream_server") == {"count": "2"}
    with pytest.raises(Refused, match="has no process nobody"):
        await running.state("nobody")
