"""A request that waits in one version of its handler during upgrades and downgrades ends in that version."""

from __future__ import annotations

import json
import shutil
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.nodes.fil_node import EXAMPLES, FilNode, build, install, running
from tests.support.waiting import until

HANDLER = '''"""Answers with its own version, when it is told to."""

import asyncio
from pathlib import Path

from node_runtime.web import JSONResponse, PlainTextResponse, Request, Response

VERSION = "{version}"


async def root(request: Request) -> Response:
    return PlainTextResponse(VERSION)


async def which_color(request: Request) -> Response:
    gate = Path(request.query_params["gate"])
    gate.with_suffix(".reached").touch()
    while not gate.exists():
        await asyncio.sleep(0.01)
    return JSONResponse({{"version": await answer()}})


async def answer() -> str:
    """Looked up after the wait: the globals are the old version's, too."""
    return VERSION
'''


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilNode]:
    """fil with a handler that waits, in two versions."""
    folder = tmp_path_factory.mktemp("held")
    for version in ("1986.a", "1986.b"):
        project = folder / version
        shutil.copytree(EXAMPLES / version, project, ignore=shutil.ignore_patterns("_build"))
        handler = project / "apps" / "fil" / "src" / "fil" / "handler.py"
        handler.write_text(HANDLER.format(version=version))
        appup = project / "apps" / "fil" / "appup.toml"
        if appup.exists():
            load = '{ load_module = "fil.root_dtl" }'
            appup.write_text(appup.read_text().replace(load, f'{load}, {{ load_module = "fil.handler" }}'))
        machine = project / "apps" / "fil" / "src" / "fil" / "color_fsm.py"
        machine.write_text(machine.read_text().replace("def red(", "def lime(").replace('"red"', '"lime"'))
    tarballs = {version: build(folder / version, folder) for version in ("1986.a", "1986.b")}
    with running(install(tarballs["1986.a"], folder)) as started:
        started.operate("stage", tarballs["1986.b"])
        yield started


class Held:
    """A pending request; `answer` opens the gate and returns the version that answered."""

    def __init__(self, node: FilNode, gate: Path) -> None:
        self._gate = gate
        self._answer: dict[str, str] = {}
        url = f"{node.url}/which-color.json?gate={gate}"
        self._thread = threading.Thread(target=self._ask, args=(url,))
        self._thread.start()
        until(gate.with_suffix(".reached").exists, "the request's coming to the handler")

    def _ask(self, url: str) -> None:
        with urllib.request.urlopen(url, timeout=60) as answer:
            self._answer = json.loads(answer.read())

    def answer(self) -> str:
        self._gate.touch()
        self._thread.join(60)
        return self._answer["version"]


@contextmanager
def held(node: FilNode, gate: Path) -> Iterator[Held]:
    request = Held(node, gate)
    try:
        yield request
    finally:
        gate.touch()


def draining(node: FilNode) -> list[int]:
    """The processes that run old code of the handler, as reported by the node."""
    modules = json.loads(node.hotdash("modules", node.name, "-o", "json").stdout)
    [handler] = [module for module in modules if module["name"] == "fil.handler"]
    return list(handler["old_pids"])


def test_each_request_is_answered_by_the_version_that_took_it(node: FilNode, tmp_path: Path) -> None:
    with held(node, tmp_path / "first") as first:
        node.operate("upgrade", "--yes", "1986.b")
        assert len(draining(node)) == 1
        with held(node, tmp_path / "second") as second:
            node.operate("downgrade", "--yes", "1986.a")
            assert len(draining(node)) == 1
            with held(node, tmp_path / "third") as third:
                assert second.answer() == "1986.b"
                assert first.answer() == "1986.a"
                assert third.answer() == "1986.a"
    assert draining(node) == []


@pytest.mark.slow  # the test above holds requests through more upgrades
def test_holders_of_an_old_version_are_in_the_plan_for_a_third(node: FilNode, tmp_path: Path) -> None:
    with held(node, tmp_path / "gate") as request:
        node.operate("upgrade", "--yes", "1986.b")
        assert node.hotdash("tree", node.name).stdout
        assert request.answer() == "1986.a"
    node.operate("downgrade", "--yes", "1986.a")
