"""The entries of modules in `sys.modules`. The node finds the code of its processes through them."""

from __future__ import annotations

import sys
from collections.abc import Iterable


class ModuleEntries:
    """The entries that the named modules had in `sys.modules` when this object was made."""

    def __init__(self, names: Iterable[str]) -> None:
        self._entries = {name: sys.modules[name] for name in list(names) if name in sys.modules}

    def put_back(self) -> str | None:
        """Restore the entries that code has removed or replaced since.

        Return a clause that names these entries, such as "removes or replaces the entry shop.box in `sys.modules`";
        None if no entry has changed.
        """
        changed = [name for name, module in self._entries.items() if sys.modules.get(name) is not module]
        sys.modules.update((name, self._entries[name]) for name in changed)
        entries = "entry" if len(changed) == 1 else "entries"
        return f"removes or replaces the {entries} {', '.join(changed)} in `sys.modules`" if changed else None
