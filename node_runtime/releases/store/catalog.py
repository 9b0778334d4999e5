"""Reads the releases that are unpacked in a node's directory, and makes the relups between them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node_runtime.code import Source
from node_runtime.code.verified_imports import add_listed_files
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Direction
from node_runtime.releases.files.config import Configuration, application_environment, read_configuration
from node_runtime.releases.files.manifest import AppEntry, Manifest, read_manifest
from node_runtime.releases.files.release_model import AppView, ReleaseView
from node_runtime.releases.files.relup_instructions import RelupInstruction
from node_runtime.releases.files.schemas import App, Appup, read_app, read_appup, read_release
from node_runtime.releases.relup.translation import NoPath, translate

from .commit_record import manifest_sha256
from .verify import verify


@dataclass(frozen=True, slots=True)
class UnpackedRelease:
    """A release on disk. `apps` maps application names to app.toml's content, `sources` maps modules to their files."""

    manifest: Manifest
    view: ReleaseView
    apps: dict[str, App]
    sources: dict[str, Source]

    @property
    def vsn(self) -> str:
        """The release's version."""
        return self.manifest.vsn

    def environment(self, configuration: Configuration) -> dict[str, dict[str, Any]]:
        """Return the parameters that each application of the release has with `configuration`."""
        return {name: application_environment(app, configuration.environment) for name, app in self.apps.items()}


@dataclass(frozen=True, slots=True)
class RelupPath:
    """The direction from one release to another ("up" or "down"), and the relup's script for this direction."""

    direction: Direction
    script: list[RelupInstruction]


class Catalog:
    """Reads releases and translates their appups. Keeps the results until `forget` is called."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._releases: dict[str, UnpackedRelease] = {}
        self._damage: dict[str, str] = {}
        self._directions: dict[tuple[str, str], Direction | None] = {}

    def release(self, vsn: str) -> UnpackedRelease:
        """Return the release `vsn`. Raises `Refused` if it isn't unpacked or can't be read."""
        if vsn not in self._releases:
            self._releases[vsn] = self._read(vsn)
        return self._releases[vsn]

    def damage(self, vsn: str) -> str | None:
        """Return the damage and its remedy in a sentence; None if the last verification found none.

        A release that was neither read nor verified is verified first.
        """
        if vsn not in self._releases and vsn not in self._damage:
            with suppress(Refused):
                self.verify(vsn)
        return self._damage.get(vsn)

    def verify(self, vsn: str) -> None:
        """Verify all files of the release. Blocks; may be called in any thread. Raises `Refused` for a damaged file."""
        try:
            self.release(vsn)
            verify(self.root, self._manifest(vsn))
        except Refused as refused:
            self._damage[vsn] = refused.sentence
            raise
        self._damage.pop(vsn, None)

    def forget(self, vsn: str) -> None:
        """Forget what was read of a release. Called when the release has been removed or staged again."""
        self._releases.pop(vsn, None)
        self._damage.pop(vsn, None)
        self._directions.clear()

    def configuration(self, vsn: str) -> Configuration:
        """Read the configuration that the node would have with this release. Raises `Refused`."""
        return read_configuration(self.root, vsn)

    def relup_path(self, start: str, end: str) -> RelupPath:
        """Return the relup from one release to another.

        Raises `NoPath` if there is no relup, and `Refused` for an invalid appup. As in OTP, the
        upgrades in the appups of `end` are tried first, then the downgrades in the appups of
        `start`.
        """
        left, target = self.release(start).view, self.release(end).view
        try:
            return RelupPath("up", translate(left, target, "up"))
        except NoPath as no_upgrade:
            try:
                return RelupPath("down", translate(target, left, "down"))
            except NoPath as no_downgrade:
                raise NoPath(
                    f"There is no path from {start} to {end}: {no_upgrade.sentence[:-1]}, and {no_downgrade.sentence}"
                ) from None

    def direction(self, start: str, end: str) -> Direction | None:
        """Return the direction from `start` to `end`; None if there is no relup, or if both are the same release."""
        pair = start, end
        if pair not in self._directions:
            try:
                self._directions[pair] = self.relup_path(start, end).direction if start != end else None
            except Refused:
                self._directions[pair] = None
        return self._directions[pair]

    def _read(self, vsn: str) -> UnpackedRelease:
        manifest = self._manifest(vsn)
        add_listed_files({path: entry.sha256 for path, entry in manifest.files.items()})
        starts = read_release(self.root / "releases" / vsn / "release.toml").starts
        apps = {entry.name: read_app(self.root / entry.directory / "app.toml") for entry in manifest.apps}
        views = []
        for entry in manifest.apps:
            appup = self._appup(entry)
            modules = {name: module.sha256 for name, module in entry.modules.items()}
            start = starts.get(entry.name, "permanent")
            views.append(AppView(entry.name, entry.vsn, modules, appup.up, appup.down, start))
        sources = {
            name: Source(name, str(self.root / module.path), entry.name, entry.vsn, module.sha256)
            for entry in manifest.apps
            for name, module in entry.modules.items()
        }
        return UnpackedRelease(manifest, ReleaseView(vsn, tuple(views)), apps, sources)

    def _manifest(self, vsn: str) -> Manifest:
        """Read the manifest, which has to be the one that was staged."""
        return read_manifest(self.root, vsn, manifest_sha256(self.root, vsn))

    def _appup(self, entry: AppEntry) -> Appup:
        path = self.root / entry.directory / "appup.toml"
        return read_appup(path) if path.exists() else Appup(vsn=entry.vsn)
