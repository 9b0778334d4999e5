"""A set of new versions, executed and invisible: it can become current at once, and be undone exactly."""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Literal, cast

from .errors import CodeError
from .import_rebinding import Moves, live_imports, rebind, refresh, vanished
from .journal import Journal
from .loading import typing_overloads
from .loading.module_exec import carried_names
from .module_table import loaded_children

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import ModuleType

    from .classes.class_reuse import Look
    from .classes.dependents import Dependent
    from .loading.load_hazards import Findings
    from .module import Namespace
    from .module_table import ModuleTable
    from .version import Hot, Version


class Batch:
    """What `CodeServer.prepare` returns. `commit` and `revert` switch each module by one assignment, and can't fail
    once they have begun; on the event loop nothing runs in between.
    """

    def __init__(
        self,
        table: ModuleTable,
        versions: list[tuple[Hot, Version]],
        deleted: list[Hot],
        handed: Mapping[str, Namespace],
        findings: Findings,
    ) -> None:
        self._table = table
        self._versions = versions
        self._deleted = deleted
        # Weak, since this may never be committed: nothing else of it keeps the versions that it would replace.
        self._basis = {hot.name: weakref.ref(hot.current) for hot in self._hots() if hot.current is not None}
        names = ((hot.name, carried_names(version.namespace)) for hot, version in versions)
        self._carried = {module: carried for module, carried in names if carried}
        self._handed = handed
        self._findings = findings
        self._journal = Journal()
        self._copies = Journal()
        self._moves: Moves = {}
        self._back = frozenset(hot.name for hot, version in versions if version is hot.old)
        self._looks = list(_looks(version for hot, version in versions if hot.name not in self._back))
        self._as_of = table.changes
        self._remember_imports()
        self._remember_faces()
        self.status: Literal["prepared", "committed", "reverted", "discarded"] = "prepared"

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that get another version, in the order in which they were asked for."""
        return tuple(hot.name for hot, _ in self._versions)

    @property
    def deleted(self) -> tuple[str, ...]:
        """The modules that go."""
        return tuple(hot.name for hot in self._deleted)

    def version(self, module: str) -> Version:
        """The version that the batch has of a module. Raises KeyError."""
        return {hot.name: version for hot, version in self._versions}[module]

    def namespace(self, module: str) -> Namespace:
        """The new version's namespace, before and after the commit. Raises KeyError."""
        return self.version(module).namespace

    def vanished(self) -> list[str]:
        """Names that modules outside the batch import and that won't be there: "m.name imported by importer"."""
        self._expect("prepared")
        new = {hot.name: version.namespace for hot, version in self._versions}
        return vanished(self._table, new, frozenset(self.deleted))

    def warnings(self) -> tuple[str, ...]:
        """What this load can't do or can't undo, each a sentence for people, as seen when it was prepared."""
        return self._findings.warnings

    def dependents(self) -> tuple[Dependent, ...]:
        """Classes of modules outside the batch that are built upon classes that it replaces."""
        return self._findings.dependents

    def commit(self) -> None:
        """Make all versions current. Raises CodeError, before anything is changed, if the batch is stale."""
        self._expect("prepared")
        for name, basis in self._basis.items():
            current = self._table.modules[name].current
            if current is None or current is not basis():
                raise CodeError(f"{name} was loaded anew since this was prepared: prepare it again.")
        self._moves = {
            hot.name: (hot.current.namespace, version.namespace)
            for hot, version in self._versions
            if hot.current is not None
        }
        overtaken = self._table.changes != self._as_of
        if overtaken:
            self._remember_leaving()
        stale = overtaken or self._back
        for hot, version in self._versions:
            self._enter(hot, version)
        self._journal.put_all(self._table.sources, {hot.name: version.unit.source for hot, version in self._versions})
        self._journal.wear(
            [*self._looks, *_looks(version for hot, version in self._versions if hot.name in self._back)]
        )
        for hot in self._deleted:
            self._remove(hot)
        if stale:
            refresh([version for _, version in self._versions], self._table.view, self._copies)
        rebind(self._table, self._moves, self._copies)
        self._bind_children(self._journal)
        self._table.committed(self)
        self._as_of = self._table.changes
        self._handed, self._looks = {}, []
        self.status = "committed"

    def revert(self) -> None:
        """Undo the commit: the versions before it are current and old again, and its own are dropped.

        Raises CodeError, before anything is changed, if a module has got another version since.
        """
        self._expect("committed")
        for hot, version in [*self._versions, *((hot, None) for hot in self._deleted)]:
            if hot.current is not version:
                raise CodeError(f"{hot.name} was loaded anew since this was committed: revert that first.")
        self._journal.undo()
        # Modules that were loaded since the commit have copies of names of the versions that go. They are found by way
        # of the importers between, so these come back before what is left of their copies is undone.
        afterwards = Journal()
        if self._table.changes != self._as_of:
            back = [hot.current for hot in self._hots() if hot.current is not None]
            refresh(back, self._table.view, afterwards)
        rebind(self._table, {name: (new, old) for name, (old, new) in self._moves.items()}, afterwards)
        self._copies.undo()
        self._bind_children(afterwards)
        self._table.changes += 1
        self._drop("reverted")

    def discard(self) -> None:
        """Give up a batch that was not committed."""
        self._expect("prepared")
        self._drop("discarded")

    def references(self) -> Iterator[object]:
        """The objects of versions that it keeps for `revert`, once for each reference to them."""
        for _, version in self._versions:
            yield version
        for namespaces in self._moves.values():
            yield from namespaces
        yield from self._journal.references()
        yield from self._copies.references()

    def _expect(self, status: str) -> None:
        if self.status != status:
            raise CodeError(f"This batch is {self.status}, not {status}: prepare the modules again.")

    def _drop(self, status: Literal["reverted", "discarded"]) -> None:
        self._versions, self._deleted, self._basis, self._moves, self._handed, self._looks = [], [], {}, {}, {}, []
        self.status = status

    def _hots(self) -> Iterator[Hot]:
        yield from (hot for hot, _ in self._versions)
        yield from self._deleted

    # ------------------------------------------------------------ what can be done before the commit

    def _remember_imports(self) -> None:
        """Which names of the new versions, and of those that leave, have to follow what they were imported from."""
        new: dict[str, Namespace | None] = {hot.name: version.namespace for hot, version in self._versions}
        new.update((hot.name, None) for hot in self._deleted)
        for hot, version in self._versions:
            if hot.name not in self._back:  # which have known since they became old
                version.live = live_imports(version, lambda name: new[name] if name in new else self._table.view(name))
        self._remember_leaving()

    def _remember_leaving(self) -> None:
        for hot in self._hots():
            if hot.current is not None:
                hot.current.live = live_imports(hot.current, self._table.view)

    def _remember_faces(self) -> None:
        """A version that leaves keeps the functions of the classes that it shares, for its return."""
        for hot, version in self._versions:
            before = hot.current
            for cls, face in version.faces.items():
                if before is not None and before.namespace.get(cls.__name__) is cls:
                    worn = {name: vars(cls)[name] for name in face}
                    before.faces[cls] = worn | before.faces.get(cls, {})

    # ------------------------------------------------------------ switching

    def _enter(self, hot: Hot, version: Version) -> None:
        before = hot.current
        old = before if before is not None or hot.old is version else hot.old
        typing_overloads.show(hot.name, before, version, self._journal)
        self._journal.versions(hot, version, old, version.namespace)
        if sys.modules.get(hot.name) is not hot.module:
            self._journal.put(sys.modules, hot.name, cast("ModuleType", hot.module))
        if before is not None and (hot.name in self._carried or hot.name in self._handed):
            self._carry(hot.name, version.namespace, before.namespace)

    def _carry(self, module: str, namespace: Namespace, before: Namespace) -> None:
        """What `__carry__` lists may have been bound anew since this was prepared."""
        for name in self._carried.get(module, ()):
            if name in before and namespace.get(name) is not before[name]:
                self._journal.put(namespace, name, before[name])
        for name, value in self._handed.get(module, {}).items():
            self._journal.put(namespace, name, value)

    def _remove(self, hot: Hot) -> None:
        typing_overloads.show(hot.name, hot.current, None, self._journal)
        self._journal.versions(hot, None, hot.current or hot.old, {"__name__": hot.name})
        self._journal.drop(self._table.sources, hot.name)
        if sys.modules.get(hot.name) is hot.module:
            self._journal.drop(sys.modules, hot.name)
        parent, _, child = hot.name.rpartition(".")
        package = sys.modules.get(parent)
        if package is not None and package.__dict__.get(child) is hot.module:
            self._journal.drop(package.__dict__, child)

    def _bind_children(self, journal: Journal) -> None:
        """Submodules that were loaded after a package's version was executed are attributes of it all the same."""
        packages = {hot.name for hot, version in self._versions if version.unit.source.is_package}
        packages |= {hot.name.rpartition(".")[0] for hot, _ in self._versions if hot.name not in self._moves} - {""}
        if not packages:
            return
        for package, child, module in loaded_children(packages):
            if package in sys.modules and child not in sys.modules[package].__dict__:
                journal.put(sys.modules[package].__dict__, child, module)


def _looks(versions: Iterable[Version]) -> Iterator[Look]:
    for version in versions:
        for cls, face in version.faces.items():
            for name, value in face.items():
                yield cls, name, value
