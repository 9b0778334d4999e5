"""The finder and the loader of the applications' modules, for their first import.

A first import is an ordinary import: the module is in `sys.modules` while its body runs, and its import lock is held.
Two things differ from the import of a plain file. The module object is a `HotModule`. The source is compiled from the
bytes that were hashed, without any `__pycache__`.
"""

from __future__ import annotations

import os.path
import sys
import threading
from importlib.machinery import ExtensionFileLoader, ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import decode_source, spec_from_file_location
from typing import TYPE_CHECKING, Any

from node_runtime.code.compiler import load_or_compile
from node_runtime.code.garbage import collect_young
from node_runtime.code.module import HotModule, Namespace, switch_namespace, update_module_type
from node_runtime.code.module_table import loaded_children
from node_runtime.code.verified_imports import resource_reader
from node_runtime.code.version import CompilationUnit, Source, Version, compile_text, read_text

from . import linecache_entries
from .module_exec import execute_body

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType

    from node_runtime.code.module_table import ModuleTable


class Loader(SourceFileLoader):
    """The loader of one version of a module. It keeps the source, so the file may be deleted."""

    def __init__(self, table: ModuleTable, source: Source, unit: CompilationUnit | None = None) -> None:
        # For importlib.resources, the base class takes a package's directory from the path of its `__init__.py`.
        bodiless = not source.path.endswith(".py")
        super().__init__(source.module, os.path.join(source.path, "__init__.py") if bodiless else source.path)
        self._table = table
        self._source = source
        self._unit = unit
        if unit is not None:
            linecache_entries.show_source(unit.file, len(unit.data), self)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        managed = self._table.managed(spec.name)
        if managed.current is not None:
            raise ImportError(f"{spec.name} is already loaded: only the code server can load another version of it")
        if self._table.preparing_thread == threading.get_ident():
            raise ImportError(
                f"{spec.name} can't be imported by importlib.import_module while modules are being prepared: "
                f"import it by an import statement"
            )
        switch_namespace(managed.module, {})
        return managed.module

    def exec_module(self, module: ModuleType) -> None:
        assert isinstance(module, HotModule)
        execution_index = next(self._table.execution_counter)
        self._unit = unit = compile_text(read_text(self._source), compiler=load_or_compile)
        linecache_entries.show_source(unit.file, len(unit.data), self)
        namespace: Namespace = module.__dict__
        with self._table.recorder.record(lambda: [namespace]) as registrations:
            execute_body(unit, namespace, None)
        name = unit.source.module
        managed, present = self._table.managed(name), sys.modules.get(name, module)
        managed.current = Version(
            unit,
            namespace,
            execution_index,
            registrations=[one for one in registrations if one.value is not present or one.key != name],
            replacement=None if present is module else present,
        )
        self._table.remember_namespace(namespace)
        collect_young()
        update_module_type(module)

    def get_code(self, fullname: str) -> CodeType:
        return self._unit.code if self._unit is not None else compile_text(read_text(self._source)).code

    def get_source(self, fullname: str) -> str:
        return decode_source(self._unit.data if self._unit is not None else self._source.read())

    def is_package(self, fullname: str) -> bool:
        return self._source.is_package

    def get_resource_reader(self, name: str | None = None) -> Any:
        """Return the reader for `importlib.resources`. The reader compares the files of a release with the manifest."""
        return resource_reader(self.path) or super().get_resource_reader(name)


class Finder:
    """The entry in `sys.meta_path`. It finds only the modules that the module table lists by name."""

    def __init__(self, table: ModuleTable) -> None:
        self._table = table

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        source = self._table.sources.get(name)
        if source is None:
            return self._unlisted(name, path)
        if target is not None:
            raise ImportError(f"{name} is managed by the code server and can't be reloaded in place: install a release")
        return make_spec(self._table, source)

    def _unlisted(self, name: str, path: Sequence[str] | None) -> ModuleSpec | None:
        """Refuse to import a source file in a managed package if the application does not list its module.

        The file may belong to a deleted module. Extension modules and folders of data files are imported as usual.
        """
        package = self._table.sources.get(name.rpartition(".")[0])
        if package is None:
            self._table.recorder.library_begins()
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is None or spec.loader is None or isinstance(spec.loader, ExtensionFileLoader):
            return spec
        raise ModuleNotFoundError(
            f"No module named {name!r}: application {package.app} {package.app_vsn} does not list it", name=name
        )


def make_spec(table: ModuleTable, source: Source, unit: CompilationUnit | None = None) -> ModuleSpec:
    """Return the spec by which the import system loads a module from `source`."""
    loader = Loader(table, source, unit)
    search = source.search
    spec = spec_from_file_location(source.module, source.path, loader=loader, submodule_search_locations=search)
    assert spec is not None  # the result is None only without a loader
    return spec


def fresh_namespace(table: ModuleTable, unit: CompilationUnit) -> Namespace:
    """Return a namespace with the attributes that the import system sets before a body runs."""
    spec = make_spec(table, unit.source, unit)
    namespace: dict[str, Any] = {
        "__name__": spec.name,
        "__doc__": None,
        "__package__": spec.parent,
        "__loader__": spec.loader,
        "__spec__": spec,
        "__file__": spec.origin,
    }
    if spec.submodule_search_locations is not None:
        namespace["__path__"] = spec.submodule_search_locations
    if unit.source.is_package:
        namespace.update((child, module) for _, child, module in loaded_children({spec.name}))
    return namespace
