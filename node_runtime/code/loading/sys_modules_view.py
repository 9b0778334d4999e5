"""A replacement for `sys.modules` while bodies run. Only the thread that prepares new modules finds these modules.

`dataclasses`, `typing`, `enum` and others read `sys.modules[cls.__module__]`, also for a class of a
new module. Other threads must not find a new module before it is committed. The interpreter itself
always uses the real dict, even while the attribute `sys.modules` is another object.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, MutableMapping
from types import ModuleType


class ModulesView(MutableMapping[str, ModuleType]):
    """A mapping that delegates to the dict `real`. The thread that created it also finds the modules in `added`.

    If the creating thread assigns another object to the name of a module in `added`, the object is stored in
    `replaced`, where only this thread finds it. Code may keep the mapping, so it also works after the bodies have run.
    """

    def __init__(
        self, real: dict[str, ModuleType], added: Mapping[str, ModuleType], replaced: dict[str, ModuleType]
    ) -> None:
        self._real = real
        self._added = added
        self._replaced = replaced
        self._thread = threading.get_ident()

    def __getitem__(self, name: str) -> ModuleType:
        if name in self._replaced and self._thread == threading.get_ident():
            return self._replaced[name]
        if name not in self._real and self._thread == threading.get_ident() and name in self._added:
            return self._added[name]
        return self._real[name]

    def __setitem__(self, name: str, module: ModuleType) -> None:
        if name in self._added and self._thread == threading.get_ident():
            self._replaced[name] = module
        else:
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
