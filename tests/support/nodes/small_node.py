"""A node in a test: releases written directly into a node directory, and a runtime booted with one of them.

The tests of the release handler load it as a plugin, for its fixtures.
"""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from node_runtime import Runtime, application
from node_runtime.code import CodeServer
from node_runtime.protocol import messages as m
from node_runtime.releases.files.manifest import (
    AppEntry,
    FileEntry,
    Manifest,
    ModuleEntry,
    manifest_path,
    sha256,
    this_platform,
    this_python,
)
from node_runtime.releases.planning.app_env import application_spec, register_sources
from node_runtime.releases.release_handler import ReleaseHandler
from node_runtime.releases.store import commit_record
from node_runtime.releases.store.catalog import Catalog
from tests.support.waiting import eventually


class SmallNode:
    """A node directory, and after `boot` the node. Releases have one application, `shop`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.code = CodeServer()
        self.reports: list[m.Operation] = []
        self.handler: ReleaseHandler
        self.operation: asyncio.Task[m.Operation]

    def write(
        self,
        vsn: str,
        modules: Mapping[str, str],
        appup: str = "",
        *,
        env: str = "",
        mod: str | None = None,
        probation: str = "deadline = 0",
        path: tuple[str, ...] = (),
        shares: tuple[str, ...] = (),
    ) -> None:
        """Put a release into the directory, as unpacking does; the first one is permanent."""
        folder = self.root / f"lib/shop-{vsn}"
        entries = {}
        for module, text in modules.items():
            file = folder / "src" / f"{module.replace('.', '/')}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text))
            entries[module] = ModuleEntry(path=str(file.relative_to(self.root)), sha256=sha256(file.read_bytes()))
        callbacks = f'mod = "{mod}"' if mod else ""
        (folder / "app.toml").write_text(f'name = "shop"\nvsn = "{vsn}"\n{callbacks}\n[env]\n{env}\n')
        if appup:
            (folder / "appup.toml").write_text(f'vsn = "{vsn}"\n{textwrap.dedent(appup)}')
        manifest_files = {}
        for file in sorted(folder.rglob("*.*")):
            content = file.read_bytes()
            manifest_files[str(file.relative_to(self.root))] = FileEntry(size=len(content), sha256=sha256(content))
        for library in (*path, *shares):
            (self.root / library).mkdir(parents=True, exist_ok=library in shares)
            (self.root / library / "library.py").touch()
            manifest_files[f"{library}/library.py"] = FileEntry(size=0, sha256=sha256(b""))
        manifest = Manifest(
            name="shop",
            vsn=vsn,
            python=this_python(),
            platform=this_platform(),
            path=(*path, *shares),
            apps=(AppEntry(name="shop", vsn=vsn, modules=entries),),
            files=manifest_files,
        )
        release = self.root / "releases" / vsn
        release.mkdir(parents=True)
        (self.root / manifest_path(vsn)).write_bytes(manifest.encoded())
        (release / "release.toml").write_text(f'name = "shop"\nvsn = "{vsn}"\napps = ["shop"]\n')
        (release / "node.toml").write_text(f'name = "shop@127.0.0.1"\n[probation]\n{probation}\n')
        known = commit_record.load(self.root)
        commit_record.save(self.root, known.with_unpacked(vsn) if known else commit_record.first_record(vsn))

    def boot(self) -> ReleaseHandler:
        """Boot the permanent release as a node does."""
        known = commit_record.load(self.root)
        assert known is not None
        release = Catalog(self.root).release(known.permanent)
        self.code.install()
        register_sources(self.code, release, release)
        application.load(application_spec(release, "shop"))
        return self.new_handler(known.permanent)

    def new_handler(self, vsn: str) -> ReleaseHandler:
        """A release handler for the running release `vsn`, with all releases written so far."""
        self.handler = ReleaseHandler(self.root, vsn, self.code)
        self.handler.subscribe(self.reports.append)
        return self.handler

    async def reboot(self) -> ReleaseHandler:
        """A release handler as after another boot of the same directory; the test's processes stay."""
        await self.handler.stop()
        self.code.uninstall()
        application.unload("shop")
        self.code = CodeServer()
        return self.boot()

    async def ended(self, operation: str) -> m.Operation:
        """Wait for the operation to end; returns it."""
        await eventually(lambda: self.handler.operation(operation).ended is not None, within=60.0, what="the end")
        await eventually(lambda: self.reports and self.reports[-1].ended is not None, what="the news of the end")
        return self.handler.operation(operation)

    async def install(self, vsn: str, **request: Any) -> m.Operation:
        """Install `vsn` and wait for the verdict."""
        return await self.ended(self.handler.install(m.Install(vsn=vsn, **request), "ann"))

    async def roll_back(self) -> m.Operation:
        """Roll back and wait for the verdict."""
        return await self.ended(self.handler.rollback(m.Rollback(), "ann"))


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[SmallNode]:
    """A node directory without releases, and a running runtime."""
    made = SmallNode(tmp_path)
    async with Runtime():
        yield made
        if hasattr(made, "handler"):
            await made.handler.stop()
    made.code.uninstall()
