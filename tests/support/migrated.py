"""Two versions of a module, and values of the first one that go to the second by the default migration."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from node_runtime.releases.migration import Conversion, TargetNamespaces, migration_obstacles
from tests.support.two_versions import TwoVersions

NAME = "migrated_module"


class Versions:
    """The module's versions by name. `old` and `new` evaluate an expression in one of them."""

    def __init__(self, module: TwoVersions, before: str, after: str) -> None:
        self._module = module
        self.a, self.b = self._execute(before), self._execute(after)
        module.switch(self.a)

    def _execute(self, source: str) -> dict[str, Any]:
        """Execute a version while it is current: dataclasses look up their annotations in `sys.modules`."""
        namespace: dict[str, Any] = {"__name__": NAME}
        self._module.switch(namespace)
        exec("from __future__ import annotations\n" + textwrap.dedent(source), namespace)
        return namespace

    def old(self, expression: str) -> Any:
        """The value of an expression in the first version."""
        return eval(expression, self.a)

    def up(self, value: Any) -> Conversion:
        """Migrate a value to the second version."""
        self._module.switch(self.b)
        return migration_obstacles(value, TargetNamespaces({NAME: self.b}, {NAME: self.a}))

    def down(self, value: Any) -> Conversion:
        """Migrate a value to the first version."""
        self._module.switch(self.a)
        return migration_obstacles(value, TargetNamespaces({NAME: self.a}, {NAME: self.b}))

    def migrated(self, expression: str) -> Any:
        """The new value of an expression of the first version; nothing may be lost or in the way."""
        done = self.up(self.old(expression))
        assert not done.obstacles, str(done.obstacles[0])
        assert not done.lost
        return done.value


@contextmanager
def versions(before: str, after: str) -> Iterator[Versions]:
    """Two versions of one module."""
    module = TwoVersions(NAME)
    try:
        yield Versions(module, before, after)
    finally:
        module.remove()
