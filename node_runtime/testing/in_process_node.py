"""A node in the test's own process: releases in a node directory, a code server, and a release handler."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType

from node_runtime import Runtime
from node_runtime.cli.running_applications import start_applications, stop_applications
from node_runtime.code import CodeServer
from node_runtime.protocol.messages import Install, Operation, Rollback
from node_runtime.releases.build.project import Project
from node_runtime.releases.build.source_release import place_source_release
from node_runtime.releases.files.config import read_configuration
from node_runtime.releases.planning.app_env import register_sources
from node_runtime.releases.release_handler import ReleaseHandler
from node_runtime.releases.store import commit_record
from node_runtime.releases.store.catalog import Catalog

from .parameters import AppParameters, parameters_toml, with_ports


class InProcessNode:
    """A node that runs the first of its releases. It listens on free ports, without a control plane and a parent."""

    def __init__(self, directory: Path, handler: ReleaseHandler) -> None:
        self._directory = directory
        self.handler = handler

    async def upgrade(self, vsn: str) -> Operation:
        """Install a release that the directory has, and return the ended operation."""
        return await self._ended(self.handler.install(Install(vsn=vsn, unrehearsed=True), "test"))

    async def go_back(self) -> Operation:
        """Roll back to the first release, and return the ended operation."""
        return await self._ended(self.handler.rollback(Rollback(unrehearsed=True), "test"))

    async def _ended(self, operation: str) -> Operation:
        ended = asyncio.Event()
        unsubscribe = self.handler.subscribe(lambda report: ended.set() if report.ended is not None else None)
        try:
            while self.handler.operation(operation).ended is None:
                await ended.wait()
                ended.clear()
        finally:
            unsubscribe()
        return self.handler.operation(operation)


@asynccontextmanager
async def in_process_node(
    directory: Path, releases: tuple[Project, ...], environment: AppParameters
) -> AsyncIterator[InProcessNode]:
    """Boot the first of the releases in an empty directory; yield the node, and stop it at the end.

    While the node runs, sys.modules has the node's modules, not the modules that the test has imported. At the end, the
    test's modules are restored.
    """
    for project in releases:
        _place(project, directory)
    (directory / "etc").mkdir()
    (directory / "etc/node.toml").write_text("[probation]\ndeadline = 0\n")
    (directory / "etc/sys.toml").write_text(parameters_toml(with_ports(releases, lambda: 0), environment))
    first, code = releases[0].release.vsn, CodeServer()
    hidden = _hide({module for project in releases for app in project.apps for module in app.modules})
    try:
        async with Runtime():
            code.install()
            release = Catalog(directory).release(first)
            register_sources(code, release, release)
            handler = ReleaseHandler(directory, first, code)
            try:
                await start_applications(release, read_configuration(directory, first))
                yield InProcessNode(directory, handler)
            finally:
                await handler.stop()
                await stop_applications()
    finally:
        code.uninstall()
        sys.modules.update(hidden)


def _place(project: Project, directory: Path) -> None:
    place_source_release(project, directory)
    known = commit_record.load(directory)
    vsn = project.release.vsn
    commit_record.save(directory, known.with_unpacked(vsn) if known else commit_record.first_record(vsn))


def _hide(names: set[str]) -> dict[str, ModuleType]:
    """Remove the modules `names` from sys.modules, so that the node loads its own. Return the removed modules."""
    return {name: sys.modules.pop(name) for name in names if name in sys.modules}
