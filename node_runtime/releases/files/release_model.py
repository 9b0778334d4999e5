"""A release as plain data: its applications, modules and appups, for the translation to a relup and for planning."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from .appup_instructions import AppupInstruction, ReleaseStartType
from .version_pattern import matches_version


class AppupEntry(msgspec.Struct, frozen=True):
    """An entry of an appup: the instructions of an upgrade from other versions, or of a downgrade to other versions.

    `versions` describes the other versions: one version, a pattern, or a range.
    """

    versions: str
    instructions: tuple[AppupInstruction, ...]

    def matches(self, vsn: str) -> bool:
        """Return whether the entry is for the version `vsn` of the application."""
        return matches_version(self.versions, vsn)


class AppView(msgspec.Struct, frozen=True):
    """An application in a release. `modules` maps each module to the SHA-256 of its source, in the manifest's order."""

    name: str
    vsn: str
    modules: Mapping[str, str]
    up: tuple[AppupEntry, ...] = ()
    down: tuple[AppupEntry, ...] = ()
    start: ReleaseStartType = "permanent"


class ReleaseView(msgspec.Struct, frozen=True):
    """A release; `apps` are in start order."""

    vsn: str
    apps: tuple[AppView, ...] = ()

    def app(self, name: str) -> AppView | None:
        """Return the application of that name; None if the release has none."""
        return next((app for app in self.apps if app.name == name), None)

    def owners(self) -> dict[str, AppView]:
        """Return the application of each module, by module name."""
        return {module: app for app in self.apps for module in app.modules}
