"""A release as plain data: its applications, modules and appups, for the translation to a relup and for planning."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .appup_instructions import AppupInstruction, ReleaseStartType


@dataclass(frozen=True, slots=True)
class AppupEntry:
    """An entry of an appup: how to upgrade from another version, or how to downgrade to it.

    `vsn` is the other version, or a pattern for several versions.
    """

    vsn: str | re.Pattern[str]
    instructions: tuple[AppupInstruction, ...]

    def matches(self, vsn: str) -> bool:
        """Return whether the entry is for `vsn`.

        As in OTP, a pattern is searched for, and its first match must be the whole version.
        """
        if isinstance(self.vsn, str):
            return self.vsn == vsn
        found = self.vsn.search(vsn)
        return found is not None and found.group() == vsn


@dataclass(frozen=True, slots=True)
class AppView:
    """An application in a release. `modules` maps each module to the SHA-256 of its source, in the manifest's order."""

    name: str
    vsn: str
    modules: Mapping[str, str]
    up: tuple[AppupEntry, ...] = ()
    down: tuple[AppupEntry, ...] = ()
    start: ReleaseStartType = "permanent"


@dataclass(frozen=True, slots=True)
class ReleaseView:
    """A release; `apps` are in start order."""

    vsn: str
    apps: tuple[AppView, ...] = ()

    def app(self, name: str) -> AppView | None:
        """Return the application of that name; None if the release has none."""
        return next((app for app in self.apps if app.name == name), None)

    def owners(self) -> dict[str, AppView]:
        """Return the application of each module, by module name."""
        return {module: app for app in self.apps for module in app.modules}
