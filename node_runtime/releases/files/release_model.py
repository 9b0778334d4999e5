"""What planning needs to know of a release, as plain data: its applications, modules and ways up and down."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .appup_instructions import AppupInstruction, StartType


@dataclass(frozen=True, slots=True)
class Entry:
    """One way of an appup: the other version, or a regular expression for it, and what to do."""

    vsn: str | re.Pattern[str]
    instructions: tuple[AppupInstruction, ...]

    def matches(self, vsn: str) -> bool:
        """OTP's rule: the first match of a regular expression has to be the whole version."""
        if isinstance(self.vsn, str):
            return self.vsn == vsn
        found = self.vsn.search(vsn)
        return found is not None and found.group() == vsn


@dataclass(frozen=True, slots=True)
class AppView:
    """An application in a release. `modules` maps a module to its content's sha256, in the built order."""

    name: str
    vsn: str
    modules: Mapping[str, str]
    up: tuple[Entry, ...] = ()
    down: tuple[Entry, ...] = ()
    start: StartType = "permanent"


@dataclass(frozen=True, slots=True)
class ReleaseView:
    """A release; `apps` stand in their start order."""

    vsn: str
    apps: tuple[AppView, ...] = ()

    def app(self, name: str) -> AppView | None:
        """The application of that name, if the release has it."""
        return next((app for app in self.apps if app.name == name), None)

    def owners(self) -> dict[str, AppView]:
        """Which application each module belongs to."""
        return {module: app for app in self.apps for module in app.modules}
