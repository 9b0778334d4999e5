"""Compares loaded code with the files that an import would read now, and with a release's manifest.

Follows code:modified_modules/0 and code:module_status/1. Paths are not compared, because an upgrade
doesn't reload an unchanged module. The code of such a module comes from the directory of an earlier
release, but an import would read the file in the directory of the current release.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .module_table import ModuleTable
    from .version import Source, Version

ModuleStatus = Literal["not_loaded", "loaded", "modified", "removed"]


class Drift(msgspec.Struct, frozen=True):
    """A module whose loaded code differs from its file or from the release.

    `loaded`, `on_disk` and `released` are checksums (sha256 in hexadecimal digits) of the loaded code, of the file and
    of the module in the release's manifest. `on_disk` is None if the file is gone. `released` is None if the manifest
    does not list the module.
    """

    module: str
    path: str
    loaded: str
    on_disk: str | None
    released: str | None

    def __str__(self) -> str:
        if self.released is not None and self.released != self.loaded:
            return f"The loaded code of {self.module} differs from the code in its release ({self.path})."
        if self.on_disk is None:
            return f"The file of the loaded module {self.module} is missing: {self.path}."
        return f"The loaded code of {self.module} differs from its file {self.path}."


def module_status(version: Version | None, source: Source | None) -> ModuleStatus:
    """Compare a version with its file: "loaded" if they are equal, "modified" if not, "removed" if the file is gone.

    The result is "not_loaded" if `version` is None.
    """
    if version is None:
        return "not_loaded"
    on_disk = _sha256(source)
    return "removed" if on_disk is None else "loaded" if on_disk == version.sha256 else "modified"


def find_drift(table: ModuleTable, released: Mapping[str, str]) -> list[Drift]:
    """Return the modules whose loaded code differs from their file or from the release. Reads every file.

    `released` has the sha256 of each module in the release's manifest.
    """
    found = []
    for managed in list(table.modules.values()):
        version, source = managed.current, table.sources.get(managed.name)
        if version is None:
            continue
        loaded, on_disk, wanted = version.sha256, _sha256(source), released.get(managed.name)
        if on_disk != loaded or wanted not in (None, loaded):
            path = version.path if source is None else source.path
            found.append(Drift(managed.name, path, loaded, on_disk, wanted))
    return sorted(found, key=lambda drift: drift.module)


def _sha256(source: Source | None) -> str | None:
    try:
        return None if source is None else hashlib.sha256(source.read_unverified()).hexdigest()
    except OSError:
        return None
