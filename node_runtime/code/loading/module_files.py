"""The files of the modules that stay loaded when another release becomes current.

Such a module keeps its code and its namespace. The attributes that refer to its files change to those of the current
release: `__file__`, `__path__`, and the spec with its loader, which `importlib.resources` and `pkgutil.get_data` use.
"""

from __future__ import annotations

import itertools
import linecache
import sys
from typing import TYPE_CHECKING, cast

from node_runtime.code.journal import Journal
from node_runtime.code.module_table import with_parents

from .finder import make_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType

    from node_runtime.code.module import Namespace
    from node_runtime.code.module_table import ModuleTable
    from node_runtime.code.version import Source, Version

MAX_EARLIER_PATHS = 8
"""The number of earlier paths that an unchanged module remembers. Its code may have stored an earlier `__file__`.

The files at these paths are kept when their releases are removed.
"""


class SourceChange:
    """Sets the sources that later imports of several applications load, and the paths of their loaded modules.

    `on_change` is called when the sources are set; if it is None, only the paths are set. `undo` restores the previous
    sources and paths exactly.
    """

    def __init__(
        self,
        table: ModuleTable,
        applications: Mapping[str, Sequence[Source]],
        on_change: Callable[[], None] | None,
    ) -> None:
        self._table = table
        self._on_change = on_change
        self._sources = dict(table.sources)
        self._modules = dict(table.modules)
        self._journal = Journal()
        sources = {each.module: each for each in with_parents(itertools.chain(*applications.values()), ())}
        if on_change is not None:
            for name, listed in applications.items():
                table.put_application(name, listed)
            sources = table.sources
            on_change()
        for managed in list(table.modules.values()):
            source = sources.get(managed.name)
            if managed.current is not None and source is not None:
                _follow(managed.current, source, table, self._journal)

    def undo(self) -> None:
        """Restore the sources and the paths."""
        self._journal.undo()
        if self._on_change is None:
            return
        self._table.sources.update(self._sources)
        for name in self._table.sources.keys() - self._sources.keys():
            del self._table.sources[name]
        for name in self._modules.keys() - self._table.modules.keys():  # packages without a body
            managed = self._table.modules[name] = self._modules[name]
            if managed.current is not None:
                sys.modules[name] = cast("ModuleType", managed.module)
        self._on_change()


def _follow(version: Version, source: Source, table: ModuleTable, journal: Journal) -> None:
    """Make `source` the file of a loaded version. Names that the module's body has rebound stay as they are."""
    namespace = version.namespace
    before = namespace.get("__spec__")
    if before is None or before.origin == source.path:
        return
    file = version.unit.file
    shown = linecache.cache[file]
    spec = make_spec(table, source, version.unit)
    shown, linecache.cache[file] = linecache.cache[file], shown
    journal.put(linecache.cache, file, shown)  # the entry's loader has to live as long as the entry
    old_search, search = before.submodule_search_locations, spec.submodule_search_locations
    changes: Namespace = {
        name: new
        for name, old, new in (
            ("__spec__", before, spec),
            ("__loader__", before.loader, spec.loader),
            ("__file__", before.origin, spec.origin),
            ("__cached__", before.cached, spec.cached),
        )
        if name in namespace and namespace[name] == old
    }
    if search and old_search and isinstance(path := namespace.get("__path__"), list):
        changes["__path__"] = spec.submodule_search_locations = [
            search[0] if entry == old_search[0] else entry for entry in path
        ]
    journal.put_all(namespace, changes)
    latest = before.origin, source.path
    version.earlier_paths = (*(one for one in version.earlier_paths if one not in latest), *latest)[-MAX_EARLIER_PATHS:]


def used_paths(table: ModuleTable) -> set[str]:
    """Return the paths that the versions in memory, including dropped versions, have or had as `__file__`.

    For an unchanged module, these are the path from which its body ran and the latest MAX_EARLIER_PATHS paths.
    """
    managed = list(table.modules.values())
    versions = [version for each in managed for version in (each.current, each.old) if version is not None]
    namespaces = [*table.dropped_namespaces(), *(version.namespace for version in versions)]
    paths = {str(namespace["__file__"]) for namespace in namespaces if "__file__" in namespace}
    return paths.union(*({version.path, *version.earlier_paths} for version in versions))
