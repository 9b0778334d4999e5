"""Writes new versions into the TOML files of a project and of its applications that differ from older releases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.appups.code.read_code import read_code
from node_runtime.releases.appups.code.release_facts import ReleaseFacts
from node_runtime.releases.appups.code.state_change import apps_with_states, state_changes
from node_runtime.releases.appups.sources.release_argument import git_output
from node_runtime.releases.appups.sources.release_source import ReleaseSource
from node_runtime.releases.files.manifest import sha256
from node_runtime.releases.files.names import VsnString, describe
from node_runtime.releases.files.toml_reading.toml_file import read_text
from node_runtime.releases.files.toml_reading.toml_positions import line_of

HASH_DIGITS = 12
_LAST = re.compile(r"(\d+|[a-yA-Y])(?=[^0-9A-Za-z]*$)")
_VSN = re.compile(r'(vsn\s*=\s*)(".*?"|\'.*?\')')


class BumpedVersion(msgspec.Struct, frozen=True):
    """The present version in a TOML file, and the versions in the older releases, separated by commas.

    `is_written` is whether the file has changed.
    """

    path: Path
    vsn: str
    older: str
    is_written: bool


def bump_versions(folder: Path, older: Sequence[ReleaseSource], newer: ReleaseSource, how: str) -> list[BumpedVersion]:
    """Write new versions to the TOML files of the project in `folder`; return the version of each file that differs.

    If `how` is "next", a version that one of the releases `older` has is incremented. "hash" appends a hash of the
    content to this version. "tag" takes the output of `git describe --tags`. Any other `how` is the version itself. The
    order of `older` has no meaning. Raises `Refused`.
    """
    known: dict[str, list[str]] = {}
    is_changed = False
    for release in older:
        first, second = map(ReleaseFacts, read_code(release, newer))
        with_states = apps_with_states(newer, state_changes(first, second))
        changed = [
            app for app in newer.apps if app in release.apps and (app in with_states or _differs(release, newer, app))
        ]
        for app in changed:
            known.setdefault(app, []).append(release.apps[app].vsn)
        is_changed = is_changed or bool(changed) or release.differs(newer)
    made: list[BumpedVersion] = []
    if is_changed:
        vsns, release_hash = [each.vsn for each in older], _release_hash(newer)
        made.append(_bumped(folder, "release.toml", vsns, newer.vsn, release_hash, how))
    for app in (app for app in newer.apps if app in known):
        path = f"apps/{app}/app.toml"
        made.append(_bumped(folder, path, known[app], newer.apps[app].vsn, newer.contents[app], how))
    for each in made:
        if each.is_written:
            _write_vsn(each.path, each.vsn)
    return made


def _bumped(folder: Path, path: str, older: list[str], present: str, digest: str, how: str) -> BumpedVersion:
    vsn = _new_vsn(folder, how, older, present, digest)
    return BumpedVersion(folder / path, vsn, ", ".join(sorted({*older})), vsn != present)


def _differs(older: ReleaseSource, newer: ReleaseSource, app: str) -> bool:
    first, second = (msgspec.structs.replace(source.apps[app], vsn="0") for source in (older, newer))
    return first != second or older.contents[app] != newer.contents[app]


def _release_hash(newer: ReleaseSource) -> str:
    return sha256("".join(f"{app} {digest}\n" for app, digest in sorted(newer.contents.items())).encode())


def _new_vsn(folder: Path, how: str, older: list[str], present: str, digest: str) -> str:
    match how:
        case "next":
            vsn = present
            while vsn in older:
                vsn = next_vsn(vsn)
            return vsn
        case "hash":
            base = present if present in older or len(older) > 1 else older[0]
            return f"{base.partition('+')[0]}+{digest[:HASH_DIGITS]}"
        case "tag":
            described = git_output(folder, "describe", "--tags")
            if described is None:
                raise Refused(f"git describe finds no tag in {folder}; tag a commit, or pass --bump hash.")
            return _checked(described.decode().strip().removeprefix("v"))
        case _:
            return _checked(how)


def next_vsn(vsn: str) -> str:
    """Return the next version: the last number plus one, or the next letter. 1.0 → 1.1, 1986.a → 1986.b."""
    match = _LAST.search(vsn.partition("+")[0])
    if match is None:
        raise Refused(f"The version {vsn} has no number at its end; pass --bump with a version, such as --bump 2.0.")
    text = match[1]
    following = str(int(text) + 1) if text.isdigit() else chr(ord(text) + 1)
    return _checked(vsn[: match.start()] + following)


def _checked(vsn: str) -> str:
    try:
        return msgspec.convert(vsn, VsnString)
    except msgspec.ValidationError:
        raise Refused(f"{vsn} can't be a version; it must be {describe(VsnString)}.") from None


def _write_vsn(path: Path, vsn: str) -> None:
    """Write a version to a TOML file."""
    text = read_text(path)
    lines = text.split("\n")
    number = line_of(text, ("vsn",)) - 1
    lines[number] = _VSN.sub(lambda match: f'{match[1]}"{vsn}"', lines[number], count=1)
    path.write_text("\n".join(lines), encoding="utf-8")
