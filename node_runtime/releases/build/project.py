"""Reads and checks a project on disk: the release, and its applications with their modules and files."""

from __future__ import annotations

from pathlib import Path

import msgspec

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.appup_instructions import ReleaseStartType
from node_runtime.releases.files.manifest import sha256
from node_runtime.releases.files.path_checks import is_safe_path
from node_runtime.releases.files.release_model import AppView, ReleaseView
from node_runtime.releases.files.schemas import (
    BUILT_IN_APPLICATIONS,
    App,
    Appup,
    NodeConfig,
    Release,
    read_app,
    read_appup,
    read_environment,
    read_release,
)
from node_runtime.releases.files.toml_reading.toml_file import read_table, read_toml, refusal_at
from node_runtime.releases.files.trust_settings import refuse_trust_settings

from . import lint
from .source_distribution import PREFIX, check_requirements
from .source_folder import files_below, source_files
from .templates import compile_templates

CONFIG_FILES = ("node.toml", "sys.toml")


class AppSource(msgspec.Struct, frozen=True):
    """An application of the project. `files` maps paths in its folder to contents; `modules` maps modules to paths."""

    app: App
    files: dict[str, bytes]
    modules: dict[str, str]
    appup: Appup | None

    @property
    def directory(self) -> str:
        """The path of the application in the node directory."""
        return f"lib/{self.app.name}-{self.app.vsn}"

    def view(self, start: ReleaseStartType) -> AppView:
        """Return the application in the form that planning uses."""
        modules = {module: sha256(self.files[path]) for module, path in self.modules.items()}
        appup = self.appup or Appup(vsn=self.app.vsn)
        return AppView(self.app.name, self.app.vsn, modules, appup.up, appup.down, start)


class Project(msgspec.Struct, frozen=True):
    """The sources of a release; `apps` are in start order. `config` maps file names in releases/<vsn>/ to contents."""

    release: Release
    apps: tuple[AppSource, ...]
    config: dict[str, bytes]

    def view(self) -> ReleaseView:
        """Return the release in the form that planning uses."""
        starts = self.release.starts
        return ReleaseView(self.release.vsn, tuple(app.view(starts[app.app.name]) for app in self.apps))


def read_project(folder: Path, *, appups: bool = True) -> Project:
    """Read the project in `folder`. Raises `Refused`, with file and line, for a mistake in one of its files.

    With `appups=False`, the appups are not read, so they may contain mistakes.
    """
    release = read_release(folder / "release.toml")
    for number, name in enumerate(release.starts):
        if not (folder / "apps" / name / "app.toml").is_file():
            sentence = f"there is no application {name}: apps/{name}/app.toml is missing"
            if name in BUILT_IN_APPLICATIONS:
                sentence = (
                    f"{name} is built into every node: list it only in the app.toml of the applications that need it"
                )
            raise refusal_at(folder / "release.toml", ("apps", number), sentence)
    sources = {name: _read_app(folder / "apps" / name, name, appups) for name in release.starts}
    for name, source in sources.items():
        if source.app.source is not None and source.app.source.startswith(PREFIX):
            check_requirements(folder / "apps" / name, source.app.source.removeprefix(PREFIX), release.requirements)
    lint.check_owners({name: source.modules for name, source in sources.items()})
    return Project(release, tuple(_in_start_order(folder, sources)), _read_config(folder, release))


def _read_app(folder: Path, name: str, appups: bool) -> AppSource:
    app = read_app(folder / "app.toml")
    if app.name != name:
        raise refusal_at(
            folder / "app.toml", ("name",), f"the name is {app.name}, but the folder is {name}; give both the same name"
        )
    places = {
        path.relative_to(folder).as_posix(): path
        for part in ("app.toml", "appup.toml", "src", "priv")
        for path in files_below(folder / part)
    }
    if app.source is not None:
        outside = source_files(folder, app.source)
        if both := sorted(outside.keys() & places.keys()):
            raise Refused(f"{folder}/{both[0]} and {outside[both[0]]} would get the same path; rename one of them.")
        places |= outside
    files = {path: place.read_bytes() for path, place in places.items()}
    if app.templates:
        for module, source in compile_templates(folder, app.templates).items():
            if files.setdefault(f"src/{module}", source) is not source:
                raise Refused(
                    f"{folder}/src/{module} exists, and a template compiles to the same path; rename one of them."
                )
    for path in files:
        if not is_safe_path(path):
            raise Refused(f"{folder}: {path!r} is not an allowed path for a release's file; rename the file.")
    modules = {_module(path): path for path in sorted(files) if path.startswith("src/") and path.endswith(".py")}
    for path in modules.values():
        lint.check_syntax(places.get(path, folder / path), files[path])
    if app.mod is not None and app.mod.partition(":")[0] not in modules:
        raise refusal_at(
            folder / "app.toml", ("mod",), f"{app.name} has no module {app.mod.partition(':')[0]}; correct the name"
        )
    appup = read_appup(folder / "appup.toml") if appups and "appup.toml" in files else None
    if appup:
        lint.check_appup(folder / "appup.toml", app, appup, modules)
    return AppSource(app, files, modules, appup)


def _module(path: str) -> str:
    """Return the module of a path: src/fil/app.py is fil.app; src/fil/__init__.py is fil."""
    return path.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _read_config(folder: Path, release: Release) -> dict[str, bytes]:
    """Check the files in config/; return their contents and the content of release.toml, by file name.

    node.toml is required, sys.toml is not.
    """
    refuse_trust_settings(folder / "config" / "node.toml", read_table(folder / "config" / "node.toml"))
    read_toml(folder / "config" / "node.toml", NodeConfig)
    known = {*release.starts, *BUILT_IN_APPLICATIONS}
    for name in read_environment(folder / "config" / "sys.toml"):
        if name not in known:
            sentence = f"{name} is not an application of the release; known applications: {', '.join(sorted(known))}"
            raise refusal_at(folder / "config" / "sys.toml", (name,), sentence)
    written = {
        path.name: path.read_bytes() for path in (folder / "config" / name for name in CONFIG_FILES) if path.exists()
    }
    return {**written, "release.toml": (folder / "release.toml").read_bytes()}


def _in_start_order(folder: Path, sources: dict[str, AppSource]) -> list[AppSource]:
    """Return the applications in release.toml's order, but each after those that it depends on."""
    ordered: dict[str, AppSource] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise Refused(
                f"The applications {' → '.join([*path, name])} need each other; remove one of these dependencies."
            )
        for needed in sources[name].app.applications:
            if needed in sources:
                visit(needed, (*path, name))
            elif needed not in BUILT_IN_APPLICATIONS:
                raise refusal_at(
                    folder / "apps" / name / "app.toml",
                    ("applications", sources[name].app.applications.index(needed)),
                    f"{name} needs the application {needed}, which {folder / 'release.toml'} does not list; add it",
                )
        ordered[name] = sources[name]

    for name in sources:
        if name not in ordered:
            visit(name, ())
    return list(ordered.values())
