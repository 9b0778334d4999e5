"""node.toml chooses the event loop."""

from __future__ import annotations

import asyncio
import importlib.util

import pytest

from node_runtime.cli import loops
from node_runtime.cli.loops import check_loop, loop_factory
from node_runtime.protocol.exits import Refused
from node_runtime.releases.formats import NodeConfig


def test_asyncio_s_own_is_what_a_node_runs_on_by_default() -> None:
    assert loop_factory(NodeConfig(name="fil@127.0.0.1")) is None


@pytest.mark.skipif(importlib.util.find_spec("uvloop") is None, reason="uvloop is not installed")
def test_uvloop_is_used_when_it_is_asked_for() -> None:
    node = NodeConfig(name="fil@127.0.0.1", loop="uvloop")
    check_loop(node, "1986.a")
    make = loop_factory(node)
    assert make is not None
    with asyncio.Runner(loop_factory=make) as runner:
        assert type(runner.get_loop()).__module__ == "uvloop"


def test_a_release_without_the_loop_that_is_asked_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops.importlib.util, "find_spec", lambda name: None)
    node = NodeConfig(name="fil@127.0.0.1", loop="uvloop")
    assert loop_factory(node) is None
    with pytest.raises(Refused, match=r"release 1986\.a has none; add uvloop to its requirements"):
        check_loop(node, "1986.a")
