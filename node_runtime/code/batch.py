"""The batch of one load. Its new versions become current together, and the change can be reverted exactly."""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec

from .errors import CodeError
from .import_rebinding import (
    NamespaceChanges,
    add_live_imports,
    find_live_imports,
    missing_imports,
    rebind_importers,
    rebind_module_objects,
    refresh_imports,
)
from .imports import modules_used_by_body
from .journal import Journal
from .loading.annotation_rebinding import rebind_annotations
from .loading.class_adoption import ClassAdoption
from .loading.class_data import carried_attributes, named_value
from .loading.data_folders import folders_below
from .loading.kept_code import KeptCode
from .loading.module_data.module_state import ModuleValue, module_values
from .loading.module_data.repeated_bodies import repeat_bodies
from .loading.module_exec import carried_names
from .module_table import loaded_children
from .registrations import typing_overloads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import ModuleType

    from .classes.class_reuse import ClassAttribute
    from .classes.dependents import Dependent
    from .loading.load_hazards import LoadFindings
    from .module import HotModule, Namespace
    from .module_table import ModuleTable
    from .version import ManagedModule, Version


class Batch:
    """The result of `CodeServer.prepare`: new versions of modules, and the modules to delete.

    `commit` and `revert` switch each module by one assignment. From the first assignment to the last, no other code of
    the event loop runs, and nothing can fail.
    """

    def __init__(
        self,
        table: ModuleTable,
        versions: list[tuple[ManagedModule, Version]],
        deleted: list[ManagedModule],
        carry_values: Mapping[str, Namespace],
        findings: LoadFindings,
    ) -> None:
        self._table = table
        self._versions = versions
        self._deleted = deleted
        # These references are weak: the batch may never be committed, so it must not keep alive the
        # versions that it would replace.
        self._replaced = {
            managed.name: weakref.ref(managed.current) for managed in self._managed() if managed.current is not None
        }
        names = ((managed.name, carried_names(version.namespace)) for managed, version in versions)
        self._carry_names = {module: carried for module, carried in names if carried}
        self._carry_values = carry_values
        self._findings = findings
        self._journal = Journal()
        self._import_journal = Journal()
        self._namespace_changes: NamespaceChanges = {}
        self._rebound: list[weakref.ref[Version]] = []
        self._restored = frozenset(managed.name for managed, version in versions if version is managed.old)
        self._reused_attributes = list(
            _attributes_of(version for managed, version in versions if managed.name not in self._restored)
        )
        self._change_count = table.change_count
        self._record_live_imports()
        self._record_reused_attributes()
        self.status: Literal["prepared", "committed", "reverted", "discarded"] = "prepared"

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that get another current version.

        The requested modules are first, packages before their submodules. The modules that are loaded only because a
        body imports them are last.
        """
        return tuple(managed.name for managed, _ in self._versions)

    @property
    def taken_back(self) -> frozenset[str]:
        """The modules whose old version becomes current again at the commit, in place of a newly executed version."""
        return self._restored

    @property
    def deleted(self) -> tuple[str, ...]:
        """The modules that the batch deletes."""
        return tuple(managed.name for managed in self._deleted)

    def version(self, module: str) -> Version:
        """Return the new version of a module. Raises KeyError."""
        return {managed.name: version for managed, version in self._versions}[module]

    def namespace(self, module: str) -> Namespace:
        """Return the new version's namespace, before or after the commit. Raises KeyError."""
        return self.version(module).namespace

    def replaced_namespaces(self) -> dict[str, Namespace]:
        """Return the namespaces of the versions that were current when the batch was made, if they still exist."""
        return {name: version.namespace for name, found in self._replaced.items() if (version := found()) is not None}

    def vanished(self) -> list[str]:
        """Return the names that other modules import, and that no longer exist after the commit.

        The form is "m.name imported by m2", or "m imported by m2" for a deleted module.
        """
        self._expect("prepared")
        new = {managed.name: version.namespace for managed, version in self._versions}
        return missing_imports(self._table, new, frozenset(self.deleted))

    def warnings(self) -> tuple[str, ...]:
        """Return the load hazards as sentences: effects of the load that the code server can't adapt or undo."""
        self._expect("prepared")
        return self._findings.find_warnings()

    def carried_obstacles(self) -> list[str]:
        """Return a clause for each variable whose instance can't adopt the new version of the instance's class.

        The variables are the names in `__carry__`, and the global variables of modules outside the load.
        """
        self._expect("prepared")
        return ClassAdoption(self._table, self._versions).obstacles()

    def adopted_instances(self) -> list[Any]:
        """Return the instances in global variables to which the commit would give the new versions of their classes."""
        self._expect("prepared")
        return ClassAdoption(self._table, self._versions).adopted()

    def imports_of(self, module: str) -> list[str]:
        """Return the modules from which the current version of `module` imports. Raises KeyError."""
        current = self._table.modules[module].current
        return [] if current is None else [entry.module for entry in current.imports.entries]

    def kept_code(self) -> KeptCode:
        """Return a search for objects outside of the batch that refer to replaced code."""
        self._expect("prepared")
        return KeptCode(self._table, self._versions)

    def module_values(self, repeated: Callable[[], Mapping[str, Namespace]]) -> list[ModuleValue]:
        """Return the objects of the replaced and deleted versions that may hold data.

        `repeated` returns the namespaces of `repeat_bodies`.
        """
        kept = self.kept_code()
        pairs = [*self._versions, *((managed, None) for managed in self._deleted)]
        return [
            value
            for managed, version in pairs
            if managed.current is not None
            for value in module_values(managed.name, managed.current, version, repeated, kept)
        ]

    def repeat_bodies(self) -> Iterator[tuple[str, Namespace]]:
        """Execute the bodies of the replaced and deleted versions once more; yield the new namespace of each module.

        To be called in a copy of the node.
        """
        return repeat_bodies(self._table, [one.current for one in self._managed() if one.current is not None])

    def dependents(self) -> tuple[Dependent, ...]:
        """Return the classes in other modules that depend on a class that this batch replaces."""
        return self._findings.dependents

    def commit(self) -> None:
        """Make all new versions current.

        Raises CodeError, before any change, if one of the modules was loaded again or deleted after `prepare`.
        """
        self._expect("prepared")
        for name, replaced in self._replaced.items():
            current = self._table.modules[name].current
            if current is None or current is not replaced():
                raise CodeError(
                    f"The prepared versions can't be committed, because {name} was loaded again or "
                    f"deleted after they were prepared: prepare them again."
                )
        self._namespace_changes = {
            managed.name: (managed.current.namespace, version.namespace)
            for managed, version in self._versions
            if managed.current is not None
        }
        others_loaded = self._table.change_count != self._change_count
        if others_loaded:
            self._record_leaving_imports()
        stale = others_loaded or self._restored
        ClassAdoption(self._table, self._versions).adopt(self._journal)
        present = {managed.name: sys.modules.get(managed.name) for managed in self._managed()}
        leaving = [managed.current for managed in self._managed() if managed.current is not None]
        for version in leaving:
            version.made_with = self._table.current_versions(modules_used_by_body(version.unit.code, version.imports))
        for managed, version in self._versions:
            self._make_current(managed, version)
        self._journal.put_all(
            self._table.sources, {managed.name: version.unit.source for managed, version in self._versions}
        )
        self._journal.set_class_attributes(
            [
                *self._reused_attributes,
                *_attributes_of(version for managed, version in self._versions if managed.name in self._restored),
            ]
        )
        for managed in self._deleted:
            self._remove(managed)
        self._journal.switch_registrations(leaving, [version for _, version in self._versions])
        if stale:
            refresh_imports([version for _, version in self._versions], self._table.namespace, self._import_journal)
        rebound = rebind_importers(self._table, self._namespace_changes, self._import_journal)
        restored = [version for managed, version in self._versions if managed.name in self._restored]
        self._rebound = [weakref.ref(version) for version in (*rebound, *restored)]
        objects = [(before, now) for name, before in present.items() if (now := sys.modules.get(name)) is not before]
        rebind_module_objects(self._table, objects, self._import_journal)
        rebind_annotations(self._table, self._namespace_changes)
        self._bind_children(self._journal)
        self._table.remember_batch(self)
        self._change_count = self._table.change_count
        self._carry_values, self._reused_attributes = {}, []
        self.status = "committed"

    def revert(self) -> None:
        """Undo the commit: restore the previous current and old versions, and drop the new versions.

        Raises CodeError, before any change, if one of the modules was loaded again or deleted after the commit.
        """
        self._expect("committed")
        for managed, version in [*self._versions, *((managed, None) for managed in self._deleted)]:
            if managed.current is not version:
                raise CodeError(
                    f"The load can't be reverted, because {managed.name} was loaded again or deleted afterwards: "
                    f"revert the later change first."
                )
        self._journal.undo()
        # A module that was loaded after the commit may have imported an object of a dropped version
        # from another importer. `rebind_importers` finds the object only while the other importer
        # still has it. So `_import_journal` is undone later.
        afterwards = Journal()
        if self._table.change_count != self._change_count:
            back = [managed.current for managed in self._managed() if managed.current is not None]
            refresh_imports(back, self._table.namespace, afterwards)
        back_changes = {name: (new, old) for name, (old, new) in self._namespace_changes.items()}
        rebind_importers(self._table, back_changes, afterwards)
        self._import_journal.undo()
        rebind_annotations(self._table, back_changes)
        for version in filter(None, (rebound() for rebound in self._rebound)):
            add_live_imports(version, self._table.namespace)
        self._bind_children(afterwards)
        self._table.change_count += 1
        self._drop("reverted")

    def discard(self) -> None:
        """Drop the new versions of a batch that was not committed."""
        self._expect("prepared")
        self._drop("discarded")

    def references(self) -> Iterator[object]:
        """Yield each object that the batch keeps for `revert`: once for each reference of the batch to the object."""
        for _, version in self._versions:
            yield version
        for namespaces in self._namespace_changes.values():
            yield from namespaces
        yield from self._journal.references()
        yield from self._import_journal.references()

    def _expect(self, status: str) -> None:
        if self.status != status:
            remedy = "commit it first" if self.status == "prepared" else "prepare the modules again"
            raise CodeError(f"The batch is {self.status}, and this call needs a {status} batch: {remedy}.")

    def _drop(self, status: Literal["reverted", "discarded"]) -> None:
        (
            self._versions,
            self._deleted,
            self._replaced,
            self._namespace_changes,
            self._carry_values,
            self._reused_attributes,
        ) = [], [], {}, {}, {}, []
        self._findings = msgspec.structs.replace(self._findings, find_warnings=tuple)  # which refers to all versions
        self.status = status

    def _managed(self) -> Iterator[ManagedModule]:
        yield from (managed for managed, _ in self._versions)
        yield from self._deleted

    # ------------------------------------------------------------ prepared before the commit

    def _record_live_imports(self) -> None:
        """Record which imported names of each new and each replaced version still refer to the imported objects."""
        new: dict[str, Namespace | None] = {managed.name: version.namespace for managed, version in self._versions}
        new.update((managed.name, None) for managed in self._deleted)
        for managed, version in self._versions:
            # The names of a restored version were recorded when it became old.
            if managed.name not in self._restored:
                version.live_imports = find_live_imports(
                    version, lambda name: new[name] if name in new else self._table.namespace(name)
                )
        self._record_leaving_imports()

    def _record_leaving_imports(self) -> None:
        for managed in self._managed():
            if managed.current is not None:
                managed.current.live_imports = find_live_imports(managed.current, self._table.namespace)

    def _record_reused_attributes(self) -> None:
        """Record the present attributes of reused classes; a revert to the replaced version restores them."""
        for managed, version in self._versions:
            before = managed.current
            for cls, attributes in version.reused_classes.items():
                if before is not None and before.namespace.get(cls.__name__) is cls:
                    shown = {name: vars(cls)[name] for name in attributes}
                    before.reused_classes[cls] = shown | before.reused_classes.get(cls, {})

    # ------------------------------------------------------------ switching

    def _make_current(self, managed: ManagedModule, version: Version) -> None:
        before = managed.current
        old = before if before is not None or managed.old is version else managed.old
        typing_overloads.switch_overloads(managed.name, before, version, self._journal)
        self._journal.set_versions(managed, version, old, version.namespace)
        module = managed.module if version.replacement is None else version.replacement
        if sys.modules.get(managed.name) is not module:
            self._journal.put(sys.modules, managed.name, cast("ModuleType", module))
        if before is not None and (managed.name in self._carry_names or managed.name in self._carry_values):
            self._carry(managed.name, version.namespace, before.namespace)

    def _carry(self, module: str, namespace: Namespace, before: Namespace) -> None:
        """Give the new version the present values of the names in `__carry__`.

        If an old version becomes current again, it also gets the values that its `__carry__` function has made.
        """
        for name in self._carry_names.get(module, ()):
            if name in before and namespace.get(name) is not before[name]:
                self._journal.put(namespace, name, before[name])
        changed = [
            (cls, name.rpartition(".")[2], value)
            for cls, name, value in carried_attributes(self._carry_names.get(module, ()), before, namespace)
            if named_value(namespace, name) is not value
        ]
        self._journal.set_class_attributes(changed)
        for name, value in self._carry_values.get(module, {}).items():
            self._journal.put(namespace, name, value)

    def _remove(self, managed: ManagedModule) -> None:
        typing_overloads.switch_overloads(managed.name, managed.current, None, self._journal)
        self._journal.set_versions(managed, None, managed.current or managed.old, {"__name__": managed.name})
        self._journal.remove(self._table.sources, managed.name)
        module = managed.module
        if managed.old is not None and managed.old.replacement is not None:  # it was current until now
            module = cast("HotModule", managed.old.replacement)
        if sys.modules.get(managed.name) is module:
            self._journal.remove(sys.modules, managed.name)
        for folder in folders_below(managed.name, frozenset(self.deleted)):
            self._journal.remove(sys.modules, folder)
        parent, _, child = managed.name.rpartition(".")
        package = sys.modules.get(parent)
        if package is not None and package.__dict__.get(child) is module:
            self._journal.remove(package.__dict__, child)

    def _bind_children(self, journal: Journal) -> None:
        """Make each loaded submodule an attribute of its package, unless the package already has such an attribute."""
        packages = {managed.name for managed, version in self._versions if version.unit.source.is_package}
        packages |= {
            managed.name.rpartition(".")[0]
            for managed, _ in self._versions
            if managed.name not in self._namespace_changes
        } - {""}
        if not packages:
            return
        for package, child, module in loaded_children(packages):
            if package in sys.modules and child not in sys.modules[package].__dict__:
                journal.put(sys.modules[package].__dict__, child, module)


def _attributes_of(versions: Iterable[Version]) -> Iterator[ClassAttribute]:
    for version in versions:
        for cls, attributes in version.reused_classes.items():
            for name, value in attributes.items():
                yield cls, name, value
