"""A node that runs a project's release from its sources, in a private directory and without a parent process."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
from asyncio.subprocess import Process
from pathlib import Path
from typing import Final, Self

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.run_directory import is_node_alive, read_record
from node_runtime.releases.build.project import Project
from node_runtime.releases.build.source_release import place_source_release
from node_runtime.releases.files.config import read_configuration
from node_runtime.releases.store import commit_record

_RUN: Final = "import sys; from node_runtime.cli.node import main; main(sys.argv[1:])"
_OVERRIDES: Final = """\
name = {name}
listen = "127.0.0.1:0"

[probation]
deadline = 0

[web]
workers = 1
"""
_MAX_BEATS_BYTES: Final = 65_536
"""The maximum number of bytes of the node's heartbeats that are read, and dropped, at a time."""
POLL_SECONDS: Final = 0.02
"""The time between two checks of whether the node is ready."""
STOP_SECONDS: Final = 20.0
"""The time after which a node that has not stopped its applications is killed."""


class SourceNode:
    """The OS process of the node, and its directory, which is deleted when the node has stopped."""

    def __init__(self, directory: Path, name: str, process: Process, heart: int) -> None:
        self.directory = directory
        self.name = name
        self._process = process
        self._heart = heart

    @classmethod
    async def start(
        cls,
        project: Project,
        working_directory: Path,
        suffix: str = "",
        *,
        log: int | None = None,
        parameters: str = "",
    ) -> Self:
        """Start a node of the release; return when it is ready.

        In the node's name, `suffix` is inserted before the host. `log` is the descriptor for the node's log; None is
        stderr. `parameters` is the text of the node's etc/sys.toml. The node ends when this process ends, even if this
        process is killed. Raises Refused if the node ends before it is ready; its log says why.
        """
        directory = Path(tempfile.mkdtemp(prefix=f"node-runtime-{project.release.name}-"))
        heart, beats = os.pipe()
        try:
            name, vsn = _prepare(project, directory, suffix), project.release.vsn
            (directory / "etc" / "sys.toml").write_text(parameters, encoding="utf-8")
            line = (sys.executable, "-c", _RUN, str(directory), vsn, "--development", "--heart", str(beats))
            process = await asyncio.create_subprocess_exec(
                *line,
                cwd=working_directory,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(beats,),
            )
            node = cls(directory, name, process, heart)
            asyncio.get_running_loop().add_reader(heart, os.read, heart, _MAX_BEATS_BYTES)
            await node._until_ready()
        except BaseException:
            _close(heart)
            shutil.rmtree(directory, ignore_errors=True)
            raise
        finally:
            os.close(beats)
        return node

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.returncode is None

    async def wait(self) -> None:
        """Wait until the process has ended."""
        await self._process.wait()

    async def stop(self) -> None:
        """Stop the node as a signal does, and delete its directory."""
        try:
            if self.is_alive:
                self._process.terminate()
                try:
                    await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
                except TimeoutError:
                    self._process.kill()
                    await self._process.wait()
        finally:
            _close(self._heart)
            shutil.rmtree(self.directory, ignore_errors=True)

    async def _until_ready(self) -> None:
        try:
            while not self._is_ready():
                if not self.is_alive:
                    raise Refused(f"{self.name} did not start; its log says why.")
                await asyncio.sleep(POLL_SECONDS)
        except BaseException:
            if self.is_alive:
                self._process.kill()
                await self._process.wait()
            raise

    def _is_ready(self) -> bool:
        record = read_record(self.name)
        return record is not None and record.os_pid == self._process.pid and is_node_alive(record)


def _close(heart: int) -> None:
    """Close the pipe of the node's heartbeats."""
    asyncio.get_running_loop().remove_reader(heart)
    os.close(heart)


def _prepare(project: Project, directory: Path, suffix: str) -> str:
    """Write the release and its overrides to the directory; return the node's name."""
    vsn = project.release.vsn
    place_source_release(project, directory)
    own, _, host = read_configuration(directory, vsn).node.name.partition("@")
    name = f"{own}{suffix}@{host}"
    (directory / "etc").mkdir()
    (directory / "etc" / "node.toml").write_text(_OVERRIDES.format(name=json.dumps(name)))
    os.chmod(directory, 0o700)
    commit_record.save(directory, commit_record.first_record(vsn))
    return name
