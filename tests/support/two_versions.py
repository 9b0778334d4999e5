"""A module whose object in `sys.modules` takes another namespace, as the code server's modules do."""

from __future__ import annotations

import sys
import textwrap
from typing import Any, cast


class SwitchedModule:
    """A plain object with an assignable `__dict__`."""


class TwoVersions:
    """One module by name; `load` makes a source its current version."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.module: Any = SwitchedModule()
        sys.modules[name] = cast("Any", self.module)

    def load(self, source: str) -> dict[str, Any]:
        """Execute `source` in a namespace of its own and switch to it; returns the namespace."""
        namespace = self.prepare(source)
        self.module.__dict__ = namespace
        return namespace

    def prepare(self, source: str) -> dict[str, Any]:
        """A namespace with `source` executed in it, not current yet."""
        namespace: dict[str, Any] = {"__name__": self.name}
        exec(compile(textwrap.dedent(source), f"<{self.name}>", "exec"), namespace)
        return namespace

    def switch(self, namespace: dict[str, Any]) -> None:
        """Make a namespace current."""
        self.module.__dict__ = namespace

    def remove(self) -> None:
        """Forget the module."""
        sys.modules.pop(self.name, None)
