"""Executes new versions in full, while all other code continues with the current versions.

Invariant: *the thread that executes the new versions, and only that thread, sees them as if they were current.* Two
mechanisms ensure this. Both are in place only while the bodies run:

- The module objects of the new versions get the type `StagedModule`. It looks names up in the new namespaces for the
  preparing thread, and in the current namespaces for all other threads. So the preparing thread finds the new version
  in every way: by an import statement, by `importlib`, and through `sys.modules[cls.__module__].__dict__`. The module
  object stays the same, so the names that imports bind need no change afterwards. A body runs at the first access to
  its module. So the bodies run in the same order as in ordinary imports, also if imports are circular.
- `builtins.__import__` is wrapped, and `sys.modules` is replaced by a `ModulesView`, for modules that must not be in
  the real `sys.modules` before the commit. These are new modules, and managed modules that a body is the first to
  import. A module of the second kind becomes part of the load: its body was executed against new versions, so the
  module must not become visible before the new versions.

Rejected: a private `__import__` in each namespace's `__builtins__`. The functions would permanently keep a copy of the
builtins, and this copy would lack names that are added to the real builtins later.

Limits: a thread that a body starts sees the current versions. In a body, `importlib.import_module` refuses a module
that is not in `sys.modules`, unless an import statement has executed the module before.
"""

from __future__ import annotations

import builtins
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from importlib.util import resolve_name
from typing import TYPE_CHECKING, Any, Self, cast

from node_runtime.code.errors import CodeError, LoadFailed
from node_runtime.code.garbage import collect_young
from node_runtime.code.module import HotModule, Namespace, set_module_type, update_module_type
from node_runtime.code.registrations import (
    Registration,
    carry_registrations,
    find_registries,
    switch_registrations,
    typing_overloads,
)
from node_runtime.code.version import CompilationUnit, ManagedModule, Source, Version, compile_text, read_text

from .finder import fresh_namespace
from .module_exec import ExecutedBody, call_carry_function, call_on_load, execute_body
from .sys_modules_view import ModulesView

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import ModuleType, TracebackType

    from node_runtime.code.module_table import ModuleTable

AroundBody = Callable[[str], AbstractContextManager[None]]
"""Makes the context in which the body of a module runs. The argument is the module."""

_one_at_a_time = threading.Lock()
_active: Stage | None = None


def without_context(module: str) -> AbstractContextManager[None]:
    """The `AroundBody` that does nothing: return a context without an effect."""
    return nullcontext()


class StagedModule(HotModule):
    """The type of a module object while a new version of the module, or a new submodule of it, is being executed."""

    def __getattribute__(self, name: str) -> Any:
        stage = _active
        if stage is None or stage.thread != threading.get_ident():
            return object.__getattribute__(self, name)
        return stage.get(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        stage = _active
        if stage is None or stage.thread != threading.get_ident():
            object.__setattr__(self, name, value)
        else:
            stage.namespace(self)[name] = value

    def __delattr__(self, name: str) -> None:
        stage = _active
        if stage is None or stage.thread != threading.get_ident():
            object.__delattr__(self, name)
        elif stage.namespace(self).pop(name, stage) is stage:
            raise AttributeError(f"module {self!r} has no attribute {name!r}")


@dataclass(slots=True, eq=False)
class StagedVersion:
    """A version that is being prepared; `version` is set once its body has run.

    `implicit` is true if nobody requested the version, but another body has imported its module. `taken_back` is true
    for an old version that becomes current again. `carried_values` are the values that the `__carry__` function of a
    taken-back version has made; the version gets them at the commit. `registrations` are the body's registrations, even
    if the body has failed.
    """

    managed: ManagedModule
    namespace: Namespace
    unit: CompilationUnit
    implicit: bool = False
    taken_back: bool = False
    running: bool = False
    done: bool = False
    version: Version | None = None
    carried_values: Namespace = field(default_factory=dict)
    registrations: list[Registration] = field(default_factory=list)
    error: BaseException | None = None


class Stage:
    """A context manager in which new versions are executed under the invariant of this module.

    Only one thread at a time can be in a stage; other threads wait.
    """

    def __init__(self, table: ModuleTable, deleted: Iterable[str], around_body: AroundBody = without_context) -> None:
        self.thread = threading.get_ident()
        self.staged: dict[str, StagedVersion] = {}
        self._table = table
        self._deleted = frozenset(deleted)
        self._around_body = around_body
        self._namespaces: dict[HotModule, StagedVersion] = {}
        self._new_children: dict[HotModule, Namespace] = {}
        self._original_import: Callable[..., ModuleType] = builtins.__import__
        self._wrapper = self._import
        self._real_modules = sys.modules
        self._executed: dict[str, ModuleType] = {}
        self._replaced: dict[str, ModuleType] = {}

    def __enter__(self) -> Self:
        global _active  # noqa: PLW0603  # the interpreter's import system is global, too
        if _active is not None and _active.thread == self.thread:
            raise CodeError("A module's body can't prepare modules: call prepare from a process.")
        _one_at_a_time.acquire()
        _active = self
        self._table.preparing_thread = self.thread
        self._original_import = builtins.__import__
        builtins.__import__ = self._wrapper
        self._real_modules = sys.modules
        sys.modules = cast("dict[str, ModuleType]", ModulesView(self._real_modules, self._executed, self._replaced))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        global _active  # noqa: PLW0603
        if builtins.__import__ is self._wrapper:
            builtins.__import__ = self._original_import
        sys.modules = self._real_modules
        self._executed.clear()
        self._replaced.clear()
        _active = self._table.preparing_thread = None
        for module in (*self._namespaces, *self._new_children):
            update_module_type(module)
        # Break reference cycles, which would keep the bodies' namespaces until the next garbage collection.
        del self._wrapper, self._around_body
        for staged in self.staged.values():
            staged.error = None
        _one_at_a_time.release()

    # ------------------------------------------------------------ staging

    def add(self, unit: CompilationUnit, *, implicit: bool = False) -> StagedVersion:
        """Add a compiled source; its body runs at the first access to the module, or when `run` is called."""
        managed = self._table.managed(unit.source.module)
        namespace = fresh_namespace(self._table, unit)
        for name in self._deleted:
            parent, _, child = name.rpartition(".")
            if parent == managed.name:
                namespace.pop(child, None)
        return self._stage(StagedVersion(managed, namespace, unit, implicit=implicit))

    def add_executed(self, managed: ManagedModule, version: Version) -> StagedVersion:
        """Add an old version that becomes current again; its body is not executed a second time."""
        if version.replacement is not None:
            self._replaced[managed.name] = cast("ModuleType", version.replacement)
        return self._stage(StagedVersion(managed, version.namespace, version.unit, taken_back=True, version=version))

    def _stage(self, staged: StagedVersion) -> StagedVersion:
        self.staged[staged.managed.name] = staged
        self._namespaces[staged.managed.module] = staged
        set_module_type(staged.managed.module, StagedModule)
        return staged

    def leaving_registrations(self, deleted: Iterable[ManagedModule]) -> list[Registration]:
        """Return the registrations of the versions that the load replaces or deletes."""
        replaced = [*(staged.managed.current for staged in self.staged.values()), *(each.current for each in deleted)]
        return [one for version in replaced if version is not None for one in version.registrations]

    def namespaces(self) -> list[Namespace]:
        """Return the namespaces of the staged versions."""
        return [staged.namespace for staged in self.staged.values()]

    def new_registrations(self) -> list[Registration]:
        """Return the registrations that the bodies have made so far in registries that other code sees."""
        visible = {registry.key for registry in find_registries(self._table)}
        made = [one for staged in self.staged.values() if not staged.taken_back for one in staged.registrations]
        return [one for one in made if one.registry.key in visible]

    def run(self, staged: StagedVersion) -> None:
        """Execute the body of a version and its hooks, after the bodies of its parent packages.

        A body is executed only once. If it raises an exception, each further call raises the same
        exception.
        """
        parent = self.staged.get(staged.managed.name.rpartition(".")[0])
        if parent is not None:
            self.run(parent)
        if staged.error is not None:
            raise staged.error
        if staged.running or staged.done:
            return
        staged.running = True
        try:
            self._run(staged)
        except BaseException as error:
            staged.error = error
            raise
        finally:
            staged.running = False
        staged.done = True

    def _run(self, staged: StagedVersion) -> None:
        before = staged.managed.current
        self._bind(staged)
        self._executed[staged.managed.name] = staged.managed.module
        if staged.version is None:
            execution_index = next(self._table.execution_counter) if before is None else before.execution_index
            name = staged.managed.name
            with typing_overloads.collect_overloads(name) as own, self._around_body(name):
                executed = self._execute(staged, before)
            staged.version = Version(
                staged.unit,
                staged.namespace,
                execution_index,
                reused_classes=executed.reused_classes,
                overloads=own,
                registrations=staged.registrations,
                carried=frozenset(executed.carried),
                replacement=self._replaced.get(name),
            )
            if name in self._replaced:
                self._bind(staged)
            self._table.remember_namespace(staged.namespace)
            collect_young()
        else:
            if before is not None:
                staged.carried_values = call_carry_function(staged.namespace, before.namespace)
            call_on_load(staged.namespace, before)

    def _execute(self, staged: StagedVersion, before: Version | None) -> ExecutedBody:
        with self._table.recorder.record(self.namespaces) as staged.registrations:
            executed = execute_body(staged.unit, staged.namespace, before)
        if before is not None and before.registrations:
            staged.registrations[:] = carry_registrations(
                before.registrations, staged.registrations, executed.carried.values(), executed.discarded
            )
        return executed

    def _bind(self, staged: StagedVersion) -> None:
        """Make a new submodule, or the object that has replaced it in `sys.modules`, an attribute of its package."""
        name, _, child = staged.managed.name.rpartition(".")
        parent = self._real_modules.get(name)
        module = self._replaced.get(staged.managed.name, staged.managed.module)
        if name in self.staged and not self.staged[name].taken_back:
            self.staged[name].namespace[child] = module
        elif isinstance(parent, HotModule):
            self._new_children.setdefault(parent, {})[child] = module
            set_module_type(parent, StagedModule)

    # ------------------------------------------------------------ the preparing thread's view

    def namespace(self, module: HotModule) -> Namespace:
        """Return the namespace in which the thread that prepares the new versions sets the attributes of `module`."""
        staged = self._namespaces.get(module)
        return staged.namespace if staged is not None else object.__getattribute__(module, "__dict__")

    def get(self, module: HotModule, name: str) -> Any:
        """Return the value of `module.name` for the thread that prepares the new versions."""
        added = self._new_children.get(module, {})
        if name in added:
            return added[name]
        staged = self._namespaces.get(module)
        if staged is None or name == "__class__":  # isinstance() reads `__class__`, and must not run a body
            return object.__getattribute__(module, name)
        self.run(staged)
        namespace = staged.namespace
        if name == "__dict__":
            return namespace
        if name in namespace:
            return namespace[name]
        if hasattr(HotModule, name):
            return object.__getattribute__(module, name)
        hook = namespace.get("__getattr__")
        if hook is None:
            raise AttributeError(f"module {staged.managed.name!r} has no attribute {name!r}", name=name, obj=module)
        return hook(name)

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if threading.get_ident() != self.thread:
            return self._original_import(name, globals, locals, fromlist, level)
        absolute = name
        if level > 0:
            package = (globals or {}).get("__package__")
            if not package:
                return self._original_import(name, globals, locals, fromlist, level)
            absolute = resolve_name("." * level + name, package)
        module = self._import_absolute(absolute)
        if module is not None:
            for wanted in self._names_in(module, fromlist):
                self._import_child(module, absolute, wanted)
        if absolute in self._replaced and (fromlist or "." not in absolute):
            return self._replaced[absolute]
        if absolute in self._real_modules or module is None:
            return self._original_import(name, globals, locals, fromlist, level)
        if fromlist:
            return module
        top = absolute.partition(".")[0]
        return self._real_modules[top] if top in self._real_modules else self.staged[top].managed.module

    def _import_absolute(self, name: str) -> ModuleType | None:
        """Execute a module and its parents if needed, and return the module; None if the stage doesn't have it.

        Raises ModuleNotFoundError if the load deletes the module.
        """
        parent = name.rpartition(".")[0]
        if parent:
            self._import_absolute(parent)
        if name in self._deleted:
            raise ModuleNotFoundError(f"No module named {name!r}: it is being deleted", name=name)
        if name not in self.staged:
            if name in self._real_modules:
                return self._real_modules[name]
            source = self._table.sources.get(name)
            if source is None:
                return None
            self.add(compile_text(read_text(source)), implicit=True)
        staged = self.staged[name]
        try:
            self.run(staged)
        except BaseException:
            if staged.implicit:
                self._drop(staged)
            raise
        return self._replaced.get(name, staged.managed.module)

    def _drop(self, staged: StagedVersion) -> None:
        """Remove a module that failed to load, if it was added only because a body imports it."""
        switch_registrations(staged.registrations, [])
        del self.staged[staged.managed.name]
        del self._namespaces[staged.managed.module]
        self._executed.pop(staged.managed.name, None)
        update_module_type(staged.managed.module)

    def _names_in(self, module: ModuleType, fromlist: Sequence[str] | None) -> list[str]:
        names = [name for name in fromlist or () if name != "*"]
        if fromlist and "*" in fromlist:
            names += getattr(module, "__all__", ())
        return names

    def _import_child(self, module: ModuleType, package: str, wanted: str) -> None:
        """Execute the submodule that a from-import names, unless the package already has an attribute of this name."""
        name = f"{package}.{wanted}"
        gone = name in self._deleted and getattr(module, wanted, None) is self._table.managed(name).module
        if gone or (hasattr(module, "__path__") and not hasattr(module, wanted)):
            self._import_absolute(name)

    # ------------------------------------------------------------ failures

    def explain(self, error: BaseException, source: Source) -> LoadFailed:
        """Return a LoadFailed that names the innermost line of a new version in the traceback of `error`."""
        owners = {id(staged.namespace): staged.unit.source for staged in self.staged.values()}
        line, step = 0, error.__traceback__
        while step is not None:
            owner = owners.get(id(step.tb_frame.f_globals))
            if owner is not None:
                source, line = owner, step.tb_lineno
            step = step.tb_next
        if isinstance(error, SyntaxError) and error.filename is not None:
            files = {known.path: known for known in (source, *self._table.sources.values())}
            source, line = files.get(error.filename.partition("@")[0], source), error.lineno or line
        return LoadFailed(source.module, source.path, line, error)
