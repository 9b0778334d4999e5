"""A release as plain data for the translation and for planning: its applications, modules and appups."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .appup_instructions import AppupInstruction, ReleaseStartType


@dataclass(frozen=True, slots=True)
class AppupEntry:
    """One entry of an appup: the other version, or a regular expression for it, and the instructions."""

    vsn: str | re.Pattern[str]
    instructions: tuple[AppupInstruction, ...]

    def matches(self, vsn: str) -> bool:
        """Return whether the entry is for `vsn`: as in OTP, a pattern's first match must be the whole version."""
        if isinstance(self.vsn, str):
            return self.vsn == vsn
        found = self.vsn.search(vsn)
        return found is not None and found.group() == vsn


@dataclass(frozen=True, slots=True)
class AppView:
    """An application in a release. `modules` maps each module to the sha256 of its content, in build order."""

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
        """Return the application of each module."""
        return {module: app for app in self.apps for module in app.modules}
