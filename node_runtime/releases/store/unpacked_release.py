"""A release whose files are on disk: its manifest and the content of its TOML files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from node_runtime.code.version import Source
from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.config import Configuration, application_environment
from node_runtime.releases.files.manifest import AppEntry, Manifest
from node_runtime.releases.files.release_model import AppView, ReleaseView
from node_runtime.releases.files.schemas import (
    BUILT_IN_APPLICATIONS,
    App,
    Appup,
    NodeConfig,
    read_app,
    read_appup,
    read_environment,
    read_release,
)
from node_runtime.releases.files.toml_reading.toml_file import read_toml


class UnpackedRelease(msgspec.Struct, frozen=True):
    """A release in the node directory `root`.

    `apps` maps application names to app.toml's content, `sources` maps modules to their files.
    """

    manifest: Manifest
    view: ReleaseView
    apps: dict[str, App]
    sources: dict[str, Source]
    root: Path

    @property
    def vsn(self) -> str:
        """The release's version."""
        return self.manifest.vsn

    def environment(self, configuration: Configuration) -> dict[str, dict[str, Any]]:
        """Return the parameters that each application of the release has with `configuration`."""
        return {name: application_environment(app, configuration.environment) for name, app in self.apps.items()}


def toml_paths(manifest: Manifest) -> list[str]:
    """Return the paths of the TOML files that the manifest lists and the node reads."""
    config = (f"releases/{manifest.vsn}/{name}" for name in ("release.toml", "node.toml", "sys.toml"))
    apps = (f"{entry.directory}/{name}" for entry in manifest.apps for name in ("app.toml", "appup.toml"))
    return [path for path in (*config, *apps) if path in manifest.files]


def read_unpacked(root: Path, manifest: Manifest, locate: Callable[[str], Path] | None = None) -> UnpackedRelease:
    """Read the release's TOML files. Raises `Refused` for a mistake in one of them.

    `root` is the node directory. If some files are not in `root` yet, `locate(path)` returns where a file is now.
    """
    find = locate or root.joinpath
    starts = read_release(find(f"releases/{manifest.vsn}/release.toml")).starts
    apps = {entry.name: read_app(find(f"{entry.directory}/app.toml")) for entry in manifest.apps}
    views = []
    for entry in manifest.apps:
        appup = _read_appup(entry, find)
        modules = {name: module.sha256 for name, module in entry.modules.items()}
        start = starts.get(entry.name, "permanent")
        views.append(AppView(entry.name, entry.vsn, modules, appup.up, appup.down, start))
    sources = {
        name: Source(name, str(root / module.path), entry.name, entry.vsn, module.sha256)
        for entry in manifest.apps
        for name, module in entry.modules.items()
    }
    return UnpackedRelease(manifest, ReleaseView(manifest.vsn, tuple(views)), apps, sources, root)


def _read_appup(entry: AppEntry, find: Callable[[str], Path]) -> Appup:
    path = find(f"{entry.directory}/appup.toml")
    return read_appup(path) if path.exists() else Appup(vsn=entry.vsn)


def check_whole(manifest: Manifest, locate: Callable[[str], Path]) -> None:
    """Raise `Refused` if a TOML file is missing or unreadable, or if a TOML file or a module contradicts the manifest.

    An application may need only applications that start before it: otherwise a release that is installed without a
    restart could run, but not boot. A node checks this before it accepts a release. node.toml and sys.toml are checked,
    too, although only a boot uses them.
    """
    config = f"releases/{manifest.vsn}"
    for path in (
        f"{config}/release.toml",
        f"{config}/node.toml",
        *(f"{app.directory}/app.toml" for app in manifest.apps),
    ):
        if path not in manifest.files:
            raise Refused(f"Its file {path} is missing.")
    release = read_release(locate(f"{config}/release.toml"))
    if (release.name, release.vsn) != (manifest.name, manifest.vsn):
        raise Refused(
            f"{config}/release.toml belongs to {release.name} {release.vsn}, but the manifest belongs to "
            f"{manifest.name} {manifest.vsn}."
        )
    if set(release.starts) != {app.name for app in manifest.apps}:
        raise Refused(f"{config}/release.toml lists other applications than the manifest.")
    started = set(BUILT_IN_APPLICATIONS)
    for entry in manifest.apps:
        for name, module in entry.modules.items():
            if module.path not in manifest.files or manifest.files[module.path].sha256 != module.sha256:
                raise Refused(f"The hash of the module {name} in the manifest is not that of its file {module.path}.")
        app = read_app(locate(f"{entry.directory}/app.toml"))
        appup = _read_appup(entry, locate)
        for file, found in (("app.toml", (app.name, app.vsn)), ("appup.toml", (entry.name, appup.vsn))):
            if found != (entry.name, entry.vsn):
                raise Refused(
                    f"{entry.directory}/{file} belongs to {' '.join(found)}, but the manifest has {entry.name} "
                    f"{entry.vsn}."
                )
        for needed in app.applications:
            if needed not in started:
                raise Refused(
                    f"{entry.directory}/app.toml says that {entry.name} needs {needed}, but the release does not start "
                    f"{needed} before {entry.name}."
                )
        started.add(entry.name)
    read_toml(locate(f"{config}/node.toml"), NodeConfig)
    if f"{config}/sys.toml" in manifest.files:
        read_environment(locate(f"{config}/sys.toml"))
