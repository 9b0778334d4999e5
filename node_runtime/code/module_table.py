"""Which modules are managed: where a first import finds each, and what is loaded of it."""

from __future__ import annotations

import itertools
import os
import sys
import weakref
from types import FunctionType
from typing import TYPE_CHECKING

from .module import HotModule
from .version import Hot, Source

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Iterator, Mapping
    from types import ModuleType

    from .batch import Batch
    from .module import Namespace


class ModuleTable:
    """`sources` is what an import would load; `modules` has a `Hot` for each module that was ever wanted.

    `preparing_thread` is the thread that executes new versions now (see `staging`). `changes` counts commits and
    reverts: as long as it stays the same, no imported name has to be looked at again. `beginnings` numbers the modules
    in the order in which their first bodies began.
    """

    def __init__(self) -> None:
        self.sources: dict[str, Source] = {}
        self.modules: dict[str, Hot] = {}
        self.preparing_thread: int | None = None
        self.changes = 0
        self.beginnings = itertools.count(1)
        self._batches: list[weakref.ref[Batch]] = []
        self._executed: list[weakref.ref[FunctionType]] = []

    def executed(self, namespace: Namespace) -> None:
        """Remember a namespace for as long as it lives: by a function, since a dict can't be referred to weakly."""
        own = next((one for one in _functions(namespace) if one.__globals__ is namespace), None)
        if own is not None:
            self._executed.append(weakref.ref(own))
        if len(self._executed) > 100 + 4 * len(self.modules):
            self._executed = [known for known in self._executed if known() is not None]

    def dropped(self) -> list[Namespace]:
        """The namespaces that are alive, though no version that is current or old has them."""
        known = [version for hot in list(self.modules.values()) for version in (hot.current, hot.old)]
        namespaces = {id(version.namespace) for version in known if version is not None}
        found = {id(one.__globals__): one.__globals__ for known in list(self._executed) if (one := known())}
        return [namespace for key, namespace in found.items() if key not in namespaces]

    def committed(self, batch: Batch) -> None:
        """Remember a batch that can be reverted."""
        self.changes += 1
        self._batches = [*(known for known in self._batches if known() is not None), weakref.ref(batch)]

    def living_batches(self) -> list[Batch]:
        """The committed batches that somebody keeps, for a revert."""
        return [batch for known in self._batches if (batch := known()) is not None]

    def hot(self, name: str) -> Hot:
        """The entry of a module. Its stable object is made once and stays the same for ever."""
        entry = self.modules.get(name)
        if entry is None:
            entry = self.modules.setdefault(name, Hot(name, HotModule(name)))
        return entry

    def view(self, module: str) -> Namespace | None:
        """The namespace of a module's current version; None if it isn't loaded."""
        entry = self.modules.get(module)
        return None if entry is None or entry.current is None else entry.current.namespace

    def put_application(self, app: str, vsn: str, paths: Mapping[str, str | os.PathLike[str]]) -> None:
        """Make `paths` the application's modules; what it listed before and doesn't now is no longer found."""
        listed = [Source(module, os.fspath(path), app, vsn) for module, path in paths.items()]
        others = [source for source in self.sources.values() if source.app != app]
        complete = {source.module: source for source in with_parents([*listed, *others], ())}
        self.sources.update(complete)  # other threads may be importing: what stays is there all the time
        for name in self.sources.keys() - complete.keys():
            if not self.sources.pop(name).path.endswith(".py"):
                self._forget_package(name)

    def _forget_package(self, name: str) -> None:
        """Take a package without a body out of the imports, of which no application has a part any more."""
        hot = self.modules.pop(name, None)
        if hot is not None and sys.modules.get(name) is hot.module:
            del sys.modules[name]


def with_parents(sources: Iterable[Source], known: Container[str]) -> list[Source]:
    """`sources` and, first, a package without a body for each parent that is neither listed nor `known` nor foreign."""
    complete = {source.module: source for source in sources}
    for source in list(complete.values()):
        parent, directory = source.module.rpartition(".")[0], _above(source)
        while parent and not (parent in complete or parent in known or is_foreign(parent)):
            complete[parent] = Source(parent, directory, source.app, source.app_vsn)
            parent, directory = parent.rpartition(".")[0], os.path.dirname(directory)
    return sorted(complete.values(), key=lambda source: source.module.count("."))


def _functions(namespace: Namespace) -> Iterator[FunctionType]:
    for value in namespace.values():
        if isinstance(value, FunctionType):
            yield value
        elif isinstance(value, type):
            yield from (method for method in vars(value).values() if isinstance(method, FunctionType))


def is_foreign(name: str) -> bool:
    """Somebody else has loaded a module of that name."""
    return name in sys.modules and not isinstance(sys.modules[name], HotModule)


def loaded_children(packages: Collection[str]) -> Iterator[tuple[str, str, ModuleType]]:
    """The loaded submodules of `packages`: package, name in it, module.

    A new version of a package gets them back from nobody: the import system binds a submodule in its package
    only when it loads it.
    """
    for name, module in list(sys.modules.items()):
        package, _, child = name.rpartition(".")
        if package in packages:
            yield package, child, module


def _above(source: Source) -> str:
    directory = os.path.dirname(source.path)
    return os.path.dirname(directory) if source.is_package else directory
