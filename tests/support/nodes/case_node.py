"""A node in a test whose releases are made from the files of projects with several applications, without a build."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from node_runtime import application
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
from node_runtime.releases.store import commit_record
from node_runtime.releases.store.catalog import Catalog
from tests.support.nodes.small_node import SmallNode


def write_release(root: Path, files: Mapping[str, str], like: Manifest | None = None) -> None:
    """Put a project into a node directory as an unpacked release; the first one is permanent.

    It shares the third-party code and the launcher of the release with the manifest `like`.
    """
    release = tomllib.loads(files["release.toml"])
    vsn = release["vsn"]
    folders = {name: f"lib/{name}-{tomllib.loads(files[f'apps/{name}/app.toml'])['vsn']}" for name in release["apps"]}
    written = {f"releases/{vsn}/{Path(path).name}": files[path] for path in ("release.toml", "config/node.toml")}
    modules: dict[str, dict[str, ModuleEntry]] = {name: {} for name in folders}
    for path, text in files.items():
        if path.startswith("apps/"):
            _, name, inside = path.split("/", 2)
            placed = f"{folders[name]}/{inside}"
            written[placed] = text
            if inside.endswith(".py"):
                module = inside.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
                modules[name][module] = ModuleEntry(path=placed, sha256=sha256(text.encode()))
    for path, text in written.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    entries = {path: FileEntry(size=len(text.encode()), sha256=sha256(text.encode())) for path, text in written.items()}
    shared = () if like is None else (*like.path, "bin")
    if like is not None:
        entries |= {path: entry for path, entry in like.files.items() if path.startswith(shared)}
    manifest = Manifest(
        name=release["name"],
        vsn=vsn,
        python=this_python(),
        platform=this_platform(),
        path=() if like is None else like.path,
        apps=tuple(
            AppEntry(name=name, vsn=folder.rpartition("-")[2], modules=modules[name])
            for name, folder in folders.items()
        ),
        files=entries,
    )
    (root / manifest_path(vsn)).write_bytes(manifest.encoded())
    known = commit_record.load(root)
    commit_record.save(root, known.with_unpacked(vsn) if known else commit_record.first_record(vsn))


class CaseNode(SmallNode):
    """A node directory, and after `start` the node with all its applications except `probe`."""

    async def start(self) -> None:
        """Boot the permanent release as a node does, and start its applications."""
        known = commit_record.load(self.root)
        assert known is not None
        release = Catalog(self.root).release(known.permanent)
        self.code.install()
        register_sources(self.code, release, release)
        for module in release.sources:
            importlib.import_module(module)
        for name in release.apps:
            application.load(application_spec(release, name))
        for name in release.apps.keys() - {"probe"}:
            await application.start(name, "permanent")
        self.new_handler(known.permanent)

    async def observe(self, app: str) -> dict[str, Any]:
        """Return what the application `probe` sees of another one."""
        seen: dict[str, Any] = await importlib.import_module("probe.look").observe(app)
        return seen

    async def end(self) -> None:
        """Stop the node's operation and its applications, and remove its modules."""
        await self.handler.stop()
        for running in reversed(application.which_applications()):
            await application.stop(running.spec.name)
        self.code.uninstall()
