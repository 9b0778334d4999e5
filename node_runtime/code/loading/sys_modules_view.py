"""What `sys.modules` is while bodies are executed: the real one, and for the preparing thread the new modules too.

`dataclasses`, `typing`, `enum` and others look for `sys.modules[cls.__module__]`. A module that is new
must not stand there for everybody yet. The interpreter itself goes by the real dict, whatever this attribute says.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, MutableMapping
from types import ModuleType


class ModulesView(MutableMapping[str, ModuleType]):
    """Passes everything on to `real`; the thread that made it also finds what `added` has. Somebody may keep it."""

    def __init__(self, real: dict[str, ModuleType], added: Mapping[str, ModuleType]) -> None:
        self._real = real
        self._added = added
        self._thread = threading.get_ident()

    def __getitem__(self, name: str) -> ModuleType:
        if name not in self._real and self._thread == threading.get_ident() and name in self._added:
            return self._added[name]
        return self._real[name]

    def __setitem__(self, name: str, module: ModuleType) -> None:
        self._real[name] = module

    def __delitem__(self, name: str) -> None:
        del self._real[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._real)

    def __len__(self) -> int:
        return len(self._real)

    def copy(self) -> dict[str, ModuleType]:
        """As a dict's."""
        return self._real.copy()
