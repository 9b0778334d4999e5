"""`ReleaseSource`: the files of a release that an appup depends on, read from a project or from a tarball."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from node_runtime.releases.build.lint import check_syntax
from node_runtime.releases.build.project import Project, read_project
from node_runtime.releases.files.config import application_environment
from node_runtime.releases.files.manifest import sha256
from node_runtime.releases.files.release_model import AppView, ReleaseView
from node_runtime.releases.files.schemas import App, Environment, read_environment, read_release
from node_runtime.releases.store.catalog import Catalog
from node_runtime.releases.store.staging_request import ONLY_READ
from node_runtime.releases.store.unpack import unpack


class ModuleFile(msgspec.Struct, frozen=True):
    """The source of a module. `path` is the path that messages show."""

    path: str
    source: bytes
    is_package: bool


class AppupPlace(msgspec.Struct, frozen=True):
    """Where an application's appup.toml is, or would be if it existed. Messages name the file as `shown`."""

    path: Path
    shown: str


class ReleaseSource(msgspec.Struct, frozen=True):
    """A release as files. `view` has no appups: they are read separately, so that every mistake in them is found.

    `environment` has the parameters of each application, `appups` the place of its appup, and `contents` a hash of its
    files without app.toml and appup.toml.
    """

    name: str
    view: ReleaseView
    modules: Mapping[str, ModuleFile]
    apps: Mapping[str, App]
    appups: Mapping[str, AppupPlace]
    requirements: tuple[str, ...]
    environment: Mapping[str, Mapping[str, Any]]
    contents: Mapping[str, str]

    @property
    def vsn(self) -> str:
        """The release's version."""
        return self.view.vsn

    def differs(self, other: ReleaseSource) -> bool:
        """Return whether anything but versions and appups differs: code, data, parameters or requirements."""
        return self._content() != other._content()

    def _content(self) -> object:
        apps = {name: msgspec.structs.replace(app, vsn="0") for name, app in self.apps.items()}
        return apps, self.contents, self.environment, sorted(self.requirements)


def read_project_source(folder: Path, shown: Callable[[str], str] | None = None) -> ReleaseSource:
    """Read the project in `folder`. `shown(path)` returns how messages name a file of the project. Raises `Refused`."""
    environment = read_environment(folder / "config" / "sys.toml")
    return project_source(read_project(folder, appups=False), environment, folder, shown)


def project_source(
    project: Project, environment: Environment, folder: Path, shown: Callable[[str], str] | None = None
) -> ReleaseSource:
    """Return the source of a project in memory. Its appups are read later, from `folder`, and may be missing there.

    `shown(path)` returns how messages name the file `path` of the project; by default, messages name the path with the
    folder.
    """
    name = shown or (lambda path: str(folder / path))
    modules = {
        module: ModuleFile(
            name(f"apps/{app.app.name}/{path}"), app.files[path], path.rpartition("/")[2] == "__init__.py"
        )
        for app in project.apps
        for module, path in app.modules.items()
    }
    paths = {app.app.name: f"apps/{app.app.name}/appup.toml" for app in project.apps}
    return ReleaseSource(
        name=project.release.name,
        view=project.view(),
        modules=modules,
        apps={app.app.name: app.app for app in project.apps},
        appups={app: AppupPlace(folder / path, name(path)) for app, path in paths.items()},
        requirements=project.release.requirements,
        environment={app.app.name: application_environment(app.app, environment) for app in project.apps},
        contents={
            app.app.name: _contents({path: sha256(data) for path, data in app.files.items()}) for app in project.apps
        },
    )


def read_tarball_source(tarball: Path, scratch: Path) -> ReleaseSource:
    """Unpack `tarball` into the empty folder `scratch`, and read the release.

    Raises `Refused`, also for a module with a syntax error: the tarball may be from a stranger, and no build of it.
    """
    release = Catalog(scratch).release(unpack(tarball, scratch, ONLY_READ).vsn)
    directories = {entry.name: entry.directory for entry in release.manifest.apps}
    modules = {
        module: ModuleFile(
            f"{tarball}: {entry.path}", (scratch / entry.path).read_bytes(), entry.path.endswith("/__init__.py")
        )
        for app in release.manifest.apps
        for module, entry in app.modules.items()
    }
    with warnings.catch_warnings(action="ignore"):  # a warning quotes the source
        for file in modules.values():
            check_syntax(Path(file.path), file.source)
    config = scratch / "releases" / release.vsn
    environment = read_environment(config / "sys.toml")
    appups = {app: f"{directory}/appup.toml" for app, directory in directories.items()}
    return ReleaseSource(
        name=release.manifest.name,
        view=ReleaseView(
            release.vsn,
            tuple(AppView(app.name, app.vsn, app.modules, start=app.start) for app in release.view.apps),
        ),
        modules=modules,
        apps=release.apps,
        appups={app: AppupPlace(scratch / path, f"{tarball}: {path}") for app, path in appups.items()},
        requirements=read_release(config / "release.toml").requirements,
        environment={name: application_environment(app, environment) for name, app in release.apps.items()},
        contents={
            app: _contents(
                {
                    path.removeprefix(f"{directory}/"): entry.sha256
                    for path, entry in release.manifest.files.items()
                    if path.startswith(f"{directory}/")
                }
            )
            for app, directory in directories.items()
        },
    )


def _contents(hashes: Mapping[str, str]) -> str:
    """Return one hash for the files of an application, from `hashes`, the hash of each path."""
    lines = (f"{digest}  {path}\n" for path, digest in sorted(hashes.items()) if path not in ("app.toml", "appup.toml"))
    return sha256("".join(lines).encode())
