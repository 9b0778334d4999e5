"""The differences between two releases, by their manifests: applications, libraries, configuration and sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from node_runtime.releases.files.manifest import FileEntry, Manifest
from node_runtime.releases.store.tarball_reader import open_tarball

MAX_PATHS = 12
"""At most this many paths of an application are listed."""
_GENERATED = frozenset({"manifest.json", "sbom.cdx.json"})


def tarball_difference(older: Path, newer: Path) -> list[str]:
    """Return a line for each application, library or file that differs in `newer`, and one about the sizes.

    Raises Refused if one of the tarballs can't be read.
    """
    before, after = _manifest(older), _manifest(newer)
    lines = [*_applications(before, after), *_libraries(before, after), *_configuration(before, after)]
    grown = newer.stat().st_size - older.stat().st_size
    size = f"{newer.stat().st_size:,} bytes, {grown:+,} bytes"
    return [f"Difference to {older.name} ({size}):", *(f"  {line}" for line in lines or ["only the version"])]


def _manifest(tarball: Path) -> Manifest:
    with open_tarball(tarball) as archive:
        return archive.manifest


def _applications(before: Manifest, after: Manifest) -> Iterator[str]:
    known = {app.name: app for app in before.apps}
    for app in after.apps:
        old = known.pop(app.name, None)
        if old is None:
            yield f"application {app.name} {app.vsn}: new"
            continue
        changes = _changes(_below(before, old.directory), _below(after, app.directory))
        if changes or old.vsn != app.vsn:
            shown = [*changes[:MAX_PATHS], *([f"and {len(changes) - MAX_PATHS} more"] if changes[MAX_PATHS:] else [])]
            yield f"application {app.name} {_step(old.vsn, app.vsn)}: {', '.join(shown) or 'the same files'}"
    yield from (f"application {app.name} {app.vsn}: removed" for app in known.values())


def _libraries(before: Manifest, after: Manifest) -> Iterator[str]:
    """Yield the libraries that differ, each with the remark that the difference needs a restart."""
    old, new = (_versions(each) for each in (before, after))
    for name in sorted(old.keys() | new.keys()):
        if name not in old or name not in new:
            yield f"library {name} {old.get(name) or new[name]}: {'removed' if name in old else 'new'}"
        elif old[name] != new[name]:
            yield f"library {name} {_step(old[name], new[name])}: needs a restart"
        elif _below(before, f"lib/{name}-{old[name]}") != _below(after, f"lib/{name}-{new[name]}"):
            yield f"library {name} {new[name]}: other files under the same version; needs a restart"


def _configuration(before: Manifest, after: Manifest) -> Iterator[str]:
    old, new = (_below(each, f"releases/{each.vsn}") for each in (before, after))
    for change in _changes(old, new):
        if change.split()[-1] not in _GENERATED:
            yield change


def _changes(before: Mapping[str, FileEntry], after: Mapping[str, FileEntry]) -> list[str]:
    """Return the paths that differ. A path that only one of the mappings has follows the word "new" or "removed"."""
    differing = [path for path in sorted(before.keys() | after.keys()) if before.get(path) != after.get(path)]
    both, words = before.keys() & after.keys(), {True: "removed", False: "new"}
    return [path if path in both else f"{words[path in before]} {path}" for path in differing]


def _below(manifest: Manifest, folder: str) -> dict[str, FileEntry]:
    prefix = f"{folder}/"
    return {path.removeprefix(prefix): entry for path, entry in manifest.files.items() if path.startswith(prefix)}


def _versions(manifest: Manifest) -> dict[str, str]:
    """Return the versions of the libraries by name, read from folders such as lib/jinja2-3.1.6."""
    folders = (folder.removeprefix("lib/").rpartition("-") for folder in manifest.path)
    return {name: version for name, _, version in folders}


def _step(old: str, new: str) -> str:
    return old if old == new else f"{old} -> {new}"
