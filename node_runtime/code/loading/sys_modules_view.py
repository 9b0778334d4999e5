"""A view of `sys.modules` in which the preparing thread also finds the new modules, while bodies are executed.

`dataclasses`, `typing`, `enum` and others read `sys.modules[cls.__module__]`. Other threads must not see a new module
there yet. The interpreter itself uses the real dict, regardless of this attribute of `sys`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, MutableMapping
from types import ModuleType


class ModulesView(MutableMapping[str, ModuleType]):
    """A view that delegates to `real`. The thread that created it also finds the modules in `added`.

    Code that runs meanwhile may keep a reference to it.
    """

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
        """Return a copy of the real dict."""
        return self._real.copy()
