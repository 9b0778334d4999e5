"""fil, built, installed and running in its own folders, for every test that needs a real node.

`fil_tarballs` builds the three examples once in a session; `fil_node` is a fresh node that runs 1986.a. A test that
needs another project, version or configuration calls `build`, `install` and `running` itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from hotdash.demo.demo_node import free_port
from node_runtime.protocol.exit_codes import ExitCode
from tests.support.commands.command_server import COMMANDS
from tests.support.commands.forked_command import run_forked
from tests.support.nodes.beside_another import install_beside_another
from tests.support.nodes.built_once import directory_once, tarball_once

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "fil"
CYCLE_SECONDS = 0.3
COMMAND_LIMIT = 120.0


@dataclass(frozen=True, slots=True)
class FilNode:
    """A node directory with its own run directory and home, unknown to the rest of the machine."""

    directory: Path
    run_directory: Path
    home: Path
    port: int
    name: str = "fil@127.0.0.1"

    @property
    def url(self) -> str:
        """The URL of its page."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which a command finds this node, as the user who started it."""
        return environment(self.home) | {"NODE_RUNTIME_RUN_DIR": str(self.run_directory)}

    def fil(self, *words: object, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run bin/fil with these words; its exit code must be `code`, unless that is None."""
        return command(self.directory / "bin" / "fil", *words, env=self.environment, code=code)

    def hotdash(self, *words: object, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run hotdash with these words; its exit code must be `code`, unless that is None."""
        return command("hotdash", *words, env=self.environment, code=code)

    def operate(self, verb: str, *words: object, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run a verb of hotdash for this node, as bin/fil does, but without the release's own libraries."""
        return self.hotdash(verb, self.name, *words, code=code)

    def page(self) -> str:
        """Fetch the page as a browser does."""
        return self._get("/")

    def color(self) -> str:
        """Fetch the current colour as the page's script does."""
        return str(json.loads(self._get("/which-color.json"))["color"])

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return str(answer.read().decode())


def environment(home: Path) -> dict[str, str]:
    """This process's environment, with this project's commands first and no setting that could lead to another node."""
    foreign = ("NODE_RUNTIME_", "HOTDASH_", "XDG_", "PYTHON", "COLUMNS")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}"
    return {**kept, "PATH": path, "HOME": str(home), "TERM": "dumb"}


def command(
    program: Path | str, *words: object, env: Mapping[str, str], code: int | None = 0
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, without a terminal; stdout and stderr are separate.

    A command of this project that is only named, not given by its path, is a fork that need not import its code again.
    """
    if program in COMMANDS:
        line = [str(program), *map(str, words)]
        done = run_forked(line, env, COMMAND_LIMIT)
    else:
        line = [shutil.which(str(program), path=env["PATH"]) or str(program), *map(str, words)]
        done = subprocess.run(
            line, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=COMMAND_LIMIT, check=False
        )
    if code is not None and done.returncode != code:
        pytest.fail(f"{' '.join(line)} ended with {done.returncode}, not {code}\n{done.stdout}\n{done.stderr}")
    return done


def build(project: Path, output: Path) -> Path:
    """Build a project with `node-runtime build`; returns the tarball."""
    return tarball_once(project, output, _build)


def _build(project: Path, output: Path) -> Path:
    done = command("node-runtime", "build", project, "--output", output, env=environment(output))
    return Path(done.stdout.strip())


def install_directory(tarball: Path, directory: Path) -> None:
    """Make a node directory, as `node-runtime install` does, with libraries that were compiled before."""
    directory_once(tarball, directory, install_beside_another)


def install(tarball: Path, folder: Path, *, port: int | None = None, cycle_time: float = CYCLE_SECONDS) -> FilNode:
    """Unpack fil into `folder` without starting it, with a free port and a shorter cycle than the default."""
    node = FilNode(folder / "node", folder / "run", folder / "home", port or free_port())
    for private in (node.run_directory, node.home):
        private.mkdir(mode=0o700, parents=True)
    install_directory(tarball, node.directory)
    overrides = node.directory / "etc" / "sys.toml"
    overrides.parent.mkdir(exist_ok=True)
    overrides.write_text(f"[fil]\nhttp_port = {node.port}\ncycle_time = {cycle_time}\n")
    return node


@contextlib.contextmanager
def running(node: FilNode) -> Iterator[FilNode]:
    """Start the node, and stop it at the end unless the test did."""
    node.fil("start")
    try:
        yield node
    finally:
        stopped = node.fil("stop", code=None)
        if stopped.returncode not in (0, ExitCode.UNREACHABLE):
            pytest.fail(f"the node can't be stopped: {stopped.stderr}")


@pytest.fixture(scope="session")
def fil_tarballs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The tarball of each version of fil."""
    output = tmp_path_factory.mktemp("fil")
    return {project.name: build(project, output) for project in sorted(EXAMPLES.iterdir())}


@pytest.fixture
def fil_node(fil_tarballs: dict[str, Path], tmp_path: Path) -> Iterator[FilNode]:
    """A node that runs 1986.a; each colour stays for `CYCLE_SECONDS`."""
    with running(install(fil_tarballs["1986.a"], tmp_path)) as node:
        yield node
