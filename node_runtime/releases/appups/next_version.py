"""Makes the next version of a project whose author has not written a new version or an appup yet."""

from __future__ import annotations

import re
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.build.project import AppSource, Project
from node_runtime.releases.files.appup_instructions import QUESTION, parse_instruction
from node_runtime.releases.files.release_model import AppupEntry
from node_runtime.releases.files.schemas import Appup
from node_runtime.releases.files.version_pattern import matches_version

from .generation.generate import GeneratedAppup, generate_appups
from .sources.release_source import project_source

MAX_VERSION_CHARACTERS = 64
_VSN_LINE = re.compile(rb"^\"?vsn\"?[ \t]*=.*$", re.MULTILINE)


class NextVersion(msgspec.Struct, frozen=True):
    """The project as the next version.

    `questions` are the generator's questions to the author, which the appups omit.
    """

    project: Project
    questions: tuple[str, ...] = ()


def next_version(before: Project, project: Project, suffix: str) -> NextVersion:
    """Return `project` as the version after `before`; return `before` itself if both have the same contents.

    The release and the applications get versions that end with `suffix`, such as "+dev.2", and generated appups. If the
    author has already written a new version of an application, and an appup from the version in `before`, this version
    and this appup stay as they are. Raises Refused if no appup can be generated, or if a version would be too long.
    """
    known = {app.app.name: app for app in before.apps}
    written = {app.app.name for app in project.apps if has_appup(known.get(app.app.name), app)}
    if not written and _contents(before) == _contents(project):
        return NextVersion(before)
    kept = {name for name in project.release.starts if name in written or name not in known}
    apps = tuple(app if app.app.name in kept else _relabelled(app, suffix) for app in project.apps)
    labelled = with_release_vsn(msgspec.structs.replace(project, apps=apps), f"{project.release.vsn}{suffix}")
    made = [each for each in _generate(before, labelled) if each.app not in kept]
    texts = {each.app: each.text for each in made}
    apps = tuple(_with_appup(app, texts[app.app.name]) if app.app.name in texts else app for app in apps)
    return NextVersion(
        msgspec.structs.replace(labelled, apps=apps), tuple(text for each in made for text in each.questions)
    )


def with_release_vsn(project: Project, vsn: str) -> Project:
    """Return the project as release `vsn`, with the same applications."""
    config = project.config | {"release.toml": _with_vsn(project.config["release.toml"], vsn)}
    return msgspec.structs.replace(project, release=msgspec.structs.replace(project.release, vsn=vsn), config=config)


def has_appup(before: AppSource | None, app: AppSource) -> bool:
    """Return whether `app` has another version than `before`, and an upgrade entry for the version of `before`."""
    if before is None or before.app.vsn == app.app.vsn:
        return False
    entries = app.appup.up if app.appup is not None else ()
    return any(matches_version(each.versions, before.app.vsn) for each in entries)


def _generate(before: Project, project: Project) -> tuple[GeneratedAppup, ...]:
    """Generate the appups, as if the author had written none."""
    with tempfile.TemporaryDirectory(prefix="node-runtime-appup-") as nowhere:
        older, newer = (
            project_source(each, tomllib.loads(each.config.get("sys.toml", b"").decode()), Path(nowhere), str)
            for each in (before, project)
        )
        return generate_appups(older, newer).appups


def _relabelled(app: AppSource, suffix: str) -> AppSource:
    """Return the application with another version and no appup."""
    vsn = f"{app.app.vsn}{suffix}"
    files = {path: data for path, data in app.files.items() if path != "appup.toml"}
    files["app.toml"] = _with_vsn(app.files["app.toml"], vsn)
    return msgspec.structs.replace(app, app=msgspec.structs.replace(app.app, vsn=vsn), files=files, appup=None)


def _with_appup(app: AppSource, text: str) -> AppSource:
    """Return the application with a generated appup. The questions in the appup are left out."""
    lines = [line for line in text.splitlines(keepends=True) if not line.lstrip().startswith(f"{{ {QUESTION} = ")]
    table = tomllib.loads("".join(lines))
    up, down = (_entries(table.get(key, []), other) for key, other in (("up", "from"), ("down", "to")))
    appup = Appup(vsn=app.app.vsn, up=up, down=down)
    return msgspec.structs.replace(app, appup=appup, files=app.files | {"appup.toml": "".join(lines).encode()})


def _entries(tables: list[dict[str, Any]], other: str) -> tuple[AppupEntry, ...]:
    return tuple(AppupEntry(each[other], tuple(map(parse_instruction, each["instructions"]))) for each in tables)


def _contents(project: Project) -> object:
    """Return the contents of a project without versions and appups, for a comparison."""
    config = project.config | {"release.toml": _with_vsn(project.config["release.toml"], "")}
    apps = {
        app.app.name: {path: data for path, data in app.files.items() if path != "appup.toml"}
        | {"app.toml": _with_vsn(app.files["app.toml"], "")}
        for app in project.apps
    }
    return config, apps


def _with_vsn(toml: bytes, vsn: str) -> bytes:
    """Return app.toml or release.toml with another version in its first line with `vsn`.

    Raises Refused if the version is too long.
    """
    if len(vsn) > MAX_VERSION_CHARACTERS:
        raise Refused(f"The version {vsn} has more than {MAX_VERSION_CHARACTERS} characters; shorten it.")
    return _VSN_LINE.sub(f'vsn = "{vsn}"'.encode(), toml, count=1)
