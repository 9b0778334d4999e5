"""A node of the tiny project in its own folders: built once in a session, installed for each test."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil
import pytest

from node_runtime.releases.build.tarball import build
from tests.support.nodes.beside_another import install_beside_another
from tests.support.nodes.built_once import directory_once, tarball_once
from tests.support.nodes.fil_node import command, environment
from tests.support.os_processes import command_line
from tests.support.projects.tiny_project import appup_both_ways, write_project
from tests.support.waiting import until

NAME = "tiny@127.0.0.1"
LIMIT = 120.0
ANOTHER_PAGE: dict[str, str | None] = {
    "apps/tiny/appup.toml": appup_both_ways('{ load_module = "tiny.hello_page" }'),
    "apps/tiny/priv/pages/hello.html": "<p>Bye {{ name }}</p>\n",
}


@dataclass(frozen=True, slots=True)
class TinyNode:
    """A node directory below `folder`, which is its home, too; the run directory is shared with `neighbour`."""

    folder: Path
    neighbour: Path | None = None

    @property
    def directory(self) -> Path:
        return self.folder / "node"

    @property
    def script(self) -> Path:
        return self.directory / "bin" / "tiny"

    @property
    def environment(self) -> dict[str, str]:
        return environment(self.folder) | {"NODE_RUNTIME_RUN_DIR": str(self.run_directory)}

    @property
    def run_directory(self) -> Path:
        return (self.neighbour or self.folder) / "run"

    @property
    def log(self) -> str:
        return (self.directory / "var/log/tiny.log").read_text()

    @property
    def parent(self) -> dict[str, Any]:
        """The status file that the parent process writes."""
        said: dict[str, Any] = json.loads((self.directory / "var/parent.json").read_text())
        return said

    def tiny(self, *words: object, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run bin/tiny; its exit code must be `code`, unless that is None."""
        return command(self.script, *words, env=self.environment, code=code)

    def tiny_in(self, folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run bin/tiny in a working directory, with more environment variables."""
        line = [str(self.script), *words]
        env = self.environment | variables
        return subprocess.run(line, cwd=folder, env=env, capture_output=True, text=True, timeout=LIMIT, check=False)

    def hotdash(self, *words: object, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run hotdash; its exit code must be `code`, unless that is None."""
        return command("hotdash", *words, env=self.environment, code=code)

    def operate(self, verb: str, *words: object, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run a verb of hotdash for this node, as bin/tiny does, but without the release's own libraries."""
        return self.hotdash(verb, NAME, *words, code=code)

    def pid(self) -> int | None:
        """The pid that bin/tiny prints, without the start of a process; None if no node runs."""
        if not (self.directory / "var/parent.json").exists() or is_gone(self.parent["pid"]):
            return None
        found: int | None = self.parent["node_pid"]
        return found

    def end(self) -> None:
        """End the node, if it runs, by a signal to its parent, which `bin/tiny stop` sends from a process."""
        if (self.directory / "var/parent.json").exists():
            pid = self.parent["pid"]
            if not is_gone(pid) and str(self.script) in command_line(psutil.Process(pid)):
                os.kill(pid, signal.SIGTERM)
                return until(lambda: is_gone(pid), "the end of the parent", within=LIMIT)
        if (self.directory / "var/parent.lock").exists():  # a parent has run in it
            self.tiny("stop", code=None)
        return None

    def set(self, name: str, text: str) -> None:
        """Write a file of etc/."""
        (self.directory / "etc").mkdir(exist_ok=True)
        (self.directory / "etc" / name).write_text(text)


def rewrite_manifest(node: TinyNode, manifest: Mapping[str, Any]) -> None:
    """Replace the manifest of 1.0, and remove its hash from the commit record, as if the release had been built so."""
    (node.directory / "releases/1.0/manifest.json").write_text(json.dumps(manifest))
    path = node.directory / "releases/record.json"
    record = json.loads(path.read_text())
    record["releases"]["1.0"].pop("origin", None)
    path.write_text(json.dumps(record))


def is_gone(pid: int) -> bool:
    """Returns whether the process has ended, also as an unreaped zombie."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def install(tarball: Path, folder: Path) -> TinyNode:
    """A node that is not started."""
    node = TinyNode(folder)
    (folder / "run").mkdir(mode=0o700, parents=True)
    directory_once(tarball, node.directory, install_beside_another)
    return node


@contextlib.contextmanager
def stopped_afterwards(node: TinyNode) -> Iterator[TinyNode]:
    """Stop the node and its parent at the end, however the block ends."""
    try:
        yield node
    finally:
        node.end()


def tarball_of(folder: Path, vsn: str = "1.0", changes: Mapping[str, str | None] | None = None) -> Path:
    """The tarball of the tiny project with changes."""
    return tarball_once(write_project(folder / vsn, vsn, changes), folder, build)


@pytest.fixture(scope="session")
def tarballs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The tarball of each version: the tiny project, and one with another page."""
    folder = tmp_path_factory.mktemp("tiny")
    return {"1.0": tarball_of(folder), "2.0": tarball_of(folder, "2.0", ANOTHER_PAGE)}


@pytest.fixture
def node(tarballs: dict[str, Path], tmp_path: Path) -> Iterator[TinyNode]:
    """A node that is not started."""
    with stopped_afterwards(install(tarballs["1.0"], tmp_path / "tiny")) as made:
        yield made


@pytest.fixture
def running(node: TinyNode) -> TinyNode:
    """A node that is started."""
    node.tiny("start")
    return node


@pytest.fixture(scope="module")
def node_of_the_module(tarballs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyNode]:
    """A node for all tests of a module that only look at it, or leave it running as it was."""
    with stopped_afterwards(install(tarballs["1.0"], tmp_path_factory.mktemp("shared") / "tiny")) as made:
        yield made


@pytest.fixture
def shared(node_of_the_module: TinyNode) -> TinyNode:
    """The node of the module, which runs. It is started again if the previous test has failed while it was down."""
    if node_of_the_module.pid() is None:
        node_of_the_module.tiny("start")
    return node_of_the_module


def copy_of(node: TinyNode, folder: Path, *, run_directory: Literal["shared", "own"] = "shared") -> TinyNode:
    """A second directory with the same node."""
    shutil.copytree(node.directory, folder / "node", ignore=shutil.ignore_patterns("var"))
    if run_directory == "shared":
        return TinyNode(folder, neighbour=node.folder)
    (folder / "run").mkdir(mode=0o700)
    return TinyNode(folder)
