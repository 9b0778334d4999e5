"""Loaded code beside the files that an import would read now, and beside what a release says.

Follows code:modified_modules/0 and code:module_status/1. An upgrade doesn't load an unchanged module anew, so its
file may since stand in another release's directory: where it was loaded from says nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .module_table import ModuleTable
    from .version import Source, Version

Status = Literal["not_loaded", "loaded", "modified", "removed"]


@dataclass(frozen=True, slots=True)
class Drift:
    """A module whose loaded code isn't what a file or a release has. The sums are sha256 in hexadecimal digits.

    `on_disk` is None if the file is gone, `released` if nothing was said of the module.
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
        return f"{self.module} runs code that its file no longer has: {self.path}."


def status(version: Version | None, source: Source | None) -> Status:
    """Loaded and as the file has it, `modified`, or `removed` with its file."""
    if version is None:
        return "not_loaded"
    on_disk = _sum(source)
    return "removed" if on_disk is None else "loaded" if on_disk == version.sha256 else "modified"


def find_drift(table: ModuleTable, released: Mapping[str, str]) -> list[Drift]:
    """The modules that run other code than their file has, or than `released` says. Reads every file."""
    found = []
    for hot in list(table.modules.values()):
        version, source = hot.current, table.sources.get(hot.name)
        if version is None:
            continue
        loaded, on_disk, wanted = version.sha256, _sum(source), released.get(hot.name)
        if on_disk != loaded or wanted not in (None, loaded):
            path = version.path if source is None else source.path
            found.append(Drift(hot.name, path, loaded, on_disk, wanted))
    return sorted(found, key=lambda drift: drift.module)


def _sum(source: Source | None) -> str | None:
    try:
        return None if source is None else hashlib.sha256(source.read()).hexdigest()
    except OSError:
        return None
