"""The node of an example, built, installed and running in its own folders."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from hotdash.demo.demo_node import free_port
from tests.support.nodes.fil_node import command, environment, install_directory


@dataclass(frozen=True, slots=True)
class ExampleNode:
    """A node directory with its own run directory and home. A subclass names the application."""

    application: ClassVar[str]

    directory: Path
    home: Path
    port: int

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which a command finds this node."""
        return environment(self.home) | {"NODE_RUNTIME_RUN_DIR": str(self.home / "run")}

    @property
    def log(self) -> Path:
        """The node's log file."""
        return self.directory / "var" / "log" / f"{self.application}.log"

    def bin(self, *words: object, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run the command of the release with these words; its exit code must be `code`, unless that is None."""
        return command(self.directory / "bin" / self.application, *words, env=self.environment, code=code)

    def hotdash_json(self, verb: str, *words: object) -> Any:
        """The JSON output of a verb of hotdash."""
        done = command("hotdash", verb, f"{self.application}@127.0.0.1", *words, "-o", "json", env=self.environment)
        return json.loads(done.stdout)


Node = TypeVar("Node", bound=ExampleNode)


@contextlib.contextmanager
def running_example(node_class: type[Node], tarball: Path, folder: Path, **overrides: object) -> Iterator[Node]:
    """A node that was installed from `tarball` and started; stopped at the end. `overrides` go into etc/sys.toml."""
    node = node_class(folder / "node", folder / "home", free_port())
    (node.home / "run").mkdir(mode=0o700, parents=True)
    install_directory(tarball, node.directory)
    (node.directory / "etc").mkdir(exist_ok=True)
    lines = [f"{key} = {value}" for key, value in {"http_port": node.port, **overrides}.items()]
    (node.directory / "etc" / "sys.toml").write_text("\n".join((f"[{node.application}]", *lines, "")))
    node.bin("start")
    try:
        yield node
    finally:
        node.bin("stop")
