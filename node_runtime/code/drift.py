"""Compares loaded code with the files that an import would read now, and with a release's manifest.

Follows code:modified_modules/0 and code:module_status/1. The paths are not compared: an upgrade doesn't reload an
unchanged module, whose file may now be in the directory of another release.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .module_table import ModuleTable
    from .version import Source, Version

ModuleStatus = Literal["not_loaded", "loaded", "modified", "removed"]


@dataclass(frozen=True, slots=True)
class Drift:
    """A module whose loaded code differs from its file or from the release. The sums are sha256 in hexadecimal digits.

    `on_disk` is None if the file is gone, `released` is None if the release does not list the module.
    """

    module: str
    path: str
    loaded: str
    on_disk: str | None
    released: str | None

    def __str__(self) -> str:
        if self.released is not None and self.released != self.loaded:
            return f"{self.module} does not run the code of its release ({self.path})."
        if self.on_disk is None:
            return f"{self.module} runs code whose file is gone: {self.path}."
        return f"{self.module} runs other code than its file has: {self.path}."


def module_status(version: Version | None, source: Source | None) -> ModuleStatus:
    """Return whether a module is not loaded, loaded and equal to its file, `modified`, or `removed` with its file."""
    if version is None:
        return "not_loaded"
    on_disk = _sha256(source)
    return "removed" if on_disk is None else "loaded" if on_disk == version.sha256 else "modified"


def find_drift(table: ModuleTable, released: Mapping[str, str]) -> list[Drift]:
    """Return the modules whose loaded code differs from their file or from `released`. Reads every file."""
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
        return None if source is None else hashlib.sha256(source.read()).hexdigest()
    except OSError:
        return None
