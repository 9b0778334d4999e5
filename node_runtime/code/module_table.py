"""The table of the code server's modules: the source for the first import of each, and the loaded versions."""

from __future__ import annotations

import itertools
import os
import sys
import weakref
from types import FunctionType
from typing import TYPE_CHECKING

from .module import HotModule
from .registrations import Recorder
from .version import ManagedModule, Source

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Iterator, Sequence
    from types import ModuleType

    from .batch import Batch
    from .module import Namespace
    from .version import Version


class ModuleTable:
    """The managed modules of a node.

    `sources` maps each module to the source that its first import loads. `modules` has an entry for each module that
    was ever requested. `preparing_thread` is the thread that is executing new versions (see `staging`), or None.
    `change_count` counts commits and reverts. While this count stays the same, imported names need no new check.
    `execution_counter` numbers the modules in the order of their first execution. `recorder` records what the modules'
    bodies register.
    """

    def __init__(self) -> None:
        self.sources: dict[str, Source] = {}
        self.modules: dict[str, ManagedModule] = {}
        self.preparing_thread: int | None = None
        self.change_count = 0
        self.execution_counter = itertools.count(1)
        self.recorder = Recorder(self)
        self._batches: list[weakref.ref[Batch]] = []
        self._executed: list[weakref.ref[FunctionType]] = []

    def remember_namespace(self, namespace: Namespace) -> None:
        """Remember a namespace without keeping it alive.

        The table keeps weak references to functions of the namespace, because a dict doesn't support weak references.
        """
        self._executed += map(weakref.ref, _lasting_functions(namespace))
        if len(self._executed) > 100 + 4 * len(self.modules):
            self._executed = [ref for ref in self._executed if ref() is not None]

    def dropped_namespaces(self) -> list[Namespace]:
        """Return the remembered namespaces that still exist although they belong to no current or old version."""
        known = [version for managed in list(self.modules.values()) for version in (managed.current, managed.old)]
        namespaces = {id(version.namespace) for version in known if version is not None}
        found = {id(each.__globals__): each.__globals__ for ref in list(self._executed) if (each := ref())}
        return [namespace for key, namespace in found.items() if key not in namespaces]

    def remember_batch(self, batch: Batch) -> None:
        """Count the commit of a batch, and keep a weak reference to the batch."""
        self.change_count += 1
        self._batches = [*(ref for ref in self._batches if ref() is not None), weakref.ref(batch)]

    def living_batches(self) -> list[Batch]:
        """Return the committed batches that still exist; they may be reverted."""
        return [batch for ref in self._batches if (batch := ref()) is not None]

    def managed(self, name: str) -> ManagedModule:
        """Return the entry of a module; create it if it is missing. An entry keeps the same module object for ever."""
        managed = self.modules.get(name)
        if managed is None:
            managed = self.modules.setdefault(name, ManagedModule(name, HotModule(name)))
        return managed

    def current_versions(self, modules: Iterable[str]) -> dict[str, weakref.ref[Version]]:
        """Return weak references to the current versions of those `modules` that are loaded, by module."""
        found = {name: self.modules[name].current for name in modules if name in self.modules}
        return {name: weakref.ref(version) for name, version in found.items() if version is not None}

    def namespace(self, module: str) -> Namespace | None:
        """Return the namespace of a module's current version; None if the module isn't loaded."""
        managed = self.modules.get(module)
        return None if managed is None or managed.current is None else managed.current.namespace

    def put_application(self, app: str, listed: Sequence[Source]) -> None:
        """Set the sources of an application's modules to `listed`.

        If `listed` lacks a module of the previous list, imports no longer find this module.
        """
        others = [source for source in self.sources.values() if source.app != app]
        complete = {source.module: source for source in with_parents([*listed, *others], ())}
        self.sources.update(complete)  # before removals, because another thread may be importing a module
        for name in self.sources.keys() - complete.keys():
            if not self.sources.pop(name).path.endswith(".py"):
                self._forget_package(name)

    def _forget_package(self, name: str) -> None:
        """Remove the entry of a package without a body, after its last module was removed."""
        managed = self.modules.pop(name, None)
        if managed is not None and sys.modules.get(name) is managed.module:
            del sys.modules[name]


def with_parents(sources: Iterable[Source], known: Container[str]) -> list[Source]:
    """Return `sources` and their missing parents, sorted by depth.

    A parent is missing if it is neither in `sources` nor in `known`, and no other importer has loaded it. Each missing
    parent becomes a package without a body, like a folder without `__init__.py`.
    """
    complete = {source.module: source for source in sources}
    for source in list(complete.values()):
        parent, directory = source.module.rpartition(".")[0], _parent_directory(source)
        while parent and not (parent in complete or parent in known or is_unmanaged(parent)):
            complete[parent] = Source(parent, directory, source.app, source.app_vsn)
            parent, directory = parent.rpartition(".")[0], os.path.dirname(directory)
    return sorted(complete.values(), key=lambda source: source.module.count("."))


def _lasting_functions(namespace: Namespace) -> list[FunctionType]:
    """Return functions of which at least one lives as long as the namespace.

    The result is one function of the module. If the module has no function, the result is one method of each class,
    because a reused class gets new methods.
    """

    def own(things: Iterable[object]) -> list[FunctionType]:
        return [each for each in things if type(each) is FunctionType and each.__globals__ is namespace]

    methods = (own(vars(each).values()) for each in namespace.values() if issubclass(type(each), type))
    return own(namespace.values())[:1] or [each[0] for each in methods if each]


def is_unmanaged(name: str) -> bool:
    """Return whether the module `name` is loaded, but not managed by the code server."""
    return name in sys.modules and not isinstance(sys.modules[name], HotModule)


def loaded_children(packages: Collection[str]) -> Iterator[tuple[str, str, ModuleType]]:
    """Yield the loaded submodules of `packages`, each as (package, name in the package, module object).

    The import system makes a submodule an attribute of its package only when it loads the submodule. So a new version
    of the package lacks these attributes, and the caller has to set them again.
    """
    for name, module in list(sys.modules.items()):
        package, _, child = name.rpartition(".")
        if package in packages:
            yield package, child, module


def _parent_directory(source: Source) -> str:
    directory = os.path.dirname(source.path)
    return os.path.dirname(directory) if source.is_package else directory
