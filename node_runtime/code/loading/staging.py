"""Executing new versions in full, while everybody else goes on with the current ones.

One rule: *in the preparing thread, and only there, the batch is already the truth.* Two things make it so, both
for the moment that the bodies take to run:

- The stable objects of the batch get the type `StagedModule`, which answers the preparing thread from the new
  namespaces, and all others as ever. So whatever looks a module up, an import statement, `importlib`, `typing`
  or `dataclasses` through `sys.modules[cls.__module__].__dict__`, finds the new version, and what it binds is
  the stable object itself: nothing has to be replaced afterwards, wherever the name was stored. A module runs
  when it is first looked at, which gives the order that imports would give, circular ones included.
- `builtins.__import__` is wrapped, for names that `sys.modules` doesn't have and must not get yet: modules that
  are new, and managed ones that nobody has imported so far. The latter join the batch, for a body that was
  executed against new versions must not become public before they do. For those who ask `sys.modules` itself,
  it is a `ModulesView` meanwhile.

A private `__import__` in each namespace's `__builtins__` was the other way. It would have stayed with the functions
for ever, with a copy of the builtins that misses whatever is later put into the real ones.

Limits: a thread that a body starts sees the current versions, and `importlib.import_module` of a name that
`sys.modules` lacks is refused in a body, unless it has been executed by then.
"""

from __future__ import annotations

import atexit
import builtins
import sys
import threading
from dataclasses import dataclass, field
from importlib.util import resolve_name
from typing import TYPE_CHECKING, Any, Self, cast

from node_runtime.code.errors import CodeError, LoadFailed
from node_runtime.code.module import HotModule, Namespace, conform, retype
from node_runtime.code.old.reachability import collect_young
from node_runtime.code.version import Hot, Source, Unit, Version, compile_unit

from . import typing_overloads
from .finder import fresh_namespace
from .load_hazards import advice
from .log_handlers import log_listeners
from .module_exec import announce, execute, handed_over
from .sys_modules_view import ModulesView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import ModuleType, TracebackType

    from node_runtime.code.module_table import ModuleTable

_one_at_a_time = threading.Lock()
_active: Stage | None = None


class StagedModule(HotModule):
    """The type of a stable object while a new version of it, or of a submodule, is being executed."""

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
class Staged:
    """A version on its way: `version` is there once its body has run; `joined` is true for one nobody asked for.

    `handed` is what a version that is taken back takes over, once it is committed, from the one that is current.
    `exit_functions` says how many functions were registered with atexit meanwhile, `loggers` which ones have got
    handlers or filters.
    """

    hot: Hot
    namespace: Namespace
    unit: Unit
    joined: bool = False
    taken_back: bool = False
    running: bool = False
    done: bool = False
    version: Version | None = None
    handed: Namespace = field(default_factory=dict)
    exit_functions: int = 0
    loggers: tuple[str, ...] = ()
    error: BaseException | None = None


class Stage:
    """A context manager that executes units within the one rule above. Others wait until it has ended."""

    def __init__(self, table: ModuleTable, deleted: Iterable[str]) -> None:
        self.thread = threading.get_ident()
        self.staged: dict[str, Staged] = {}
        self._table = table
        self._deleted = frozenset(deleted)
        self._namespaces: dict[HotModule, Staged] = {}
        self._new_children: dict[HotModule, Namespace] = {}
        self._original: Callable[..., ModuleType] = builtins.__import__
        self._hook = self._import
        self._modules = sys.modules
        self._listeners = log_listeners()
        self._executed: dict[str, ModuleType] = {}

    def __enter__(self) -> Self:
        global _active  # noqa: PLW0603  # the interpreter's import system is one, too
        if _active is not None and _active.thread == self.thread:
            raise CodeError("A module's body can't prepare modules: do it from a process.")
        _one_at_a_time.acquire()
        _active = self
        self._table.preparing_thread = self.thread
        self._original = builtins.__import__
        builtins.__import__ = self._hook
        self._modules = sys.modules
        sys.modules = cast("dict[str, ModuleType]", ModulesView(self._modules, self._executed))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        global _active  # noqa: PLW0603
        if builtins.__import__ is self._hook:
            builtins.__import__ = self._original
        sys.modules = self._modules
        self._executed.clear()
        _active = self._table.preparing_thread = None
        for module in (*self._namespaces, *self._new_children):
            conform(module)
        # Rings, which would keep the bodies' namespaces until the collector comes by.
        del self._hook
        for staged in self.staged.values():
            staged.error = None
        _one_at_a_time.release()

    # ------------------------------------------------------------ what is staged

    def add(self, unit: Unit, *, joined: bool = False) -> Staged:
        """Stage a unit; its body runs when it is first looked at, or by `run`."""
        hot = self._table.hot(unit.source.module)
        namespace = fresh_namespace(self._table, unit)
        for name in self._deleted:
            parent, _, child = name.rpartition(".")
            if parent == hot.name:
                namespace.pop(child, None)
        return self._enter(Staged(hot, namespace, unit, joined=joined))

    def take_back(self, hot: Hot, version: Version) -> Staged:
        """Stage a version that has been executed before."""
        return self._enter(Staged(hot, version.namespace, version.unit, taken_back=True, version=version))

    def _enter(self, staged: Staged) -> Staged:
        self.staged[staged.hot.name] = staged
        self._namespaces[staged.hot.module] = staged
        retype(staged.hot.module, StagedModule)
        return staged

    def run(self, staged: Staged) -> None:
        """Execute the body and its hooks once, after its parents'. Raises what they raised, each time."""
        parent = self.staged.get(staged.hot.name.rpartition(".")[0])
        if parent is not None:
            self.run(parent)
        if staged.error is not None:
            raise staged.error
        if staged.running or staged.done:
            return
        staged.running, registered = True, atexit._ncallbacks()
        try:
            self._run(staged)
        except BaseException as error:
            staged.error = error
            raise
        finally:
            staged.running = False
        staged.done, staged.exit_functions = True, atexit._ncallbacks() - registered
        if "logging" in staged.unit.imports.modules:
            listeners = log_listeners()
            staged.loggers = tuple(sorted({name for key, name in listeners.items() if key not in self._listeners}))
            self._listeners = listeners

    def _run(self, staged: Staged) -> None:
        before = staged.hot.current
        if staged.version is None:
            self._bind(staged)
            self._executed[staged.hot.name] = staged.hot.module
            begun = next(self._table.beginnings) if before is None else before.begun
            with typing_overloads.collected(staged.hot.name) as own:
                faces = execute(staged.unit, staged.namespace, before)
            staged.version = Version(staged.unit, staged.namespace, begun, faces=faces, overloads=own)
            self._table.executed(staged.namespace)
            collect_young()
        else:
            if before is not None:
                staged.handed = handed_over(staged.namespace, before.namespace)
            announce(staged.namespace, before)

    def _bind(self, staged: Staged) -> None:
        """Make a new submodule an attribute of its parent."""
        name, _, child = staged.hot.name.rpartition(".")
        parent = self._modules.get(name)
        if name in self.staged and not self.staged[name].taken_back:
            self.staged[name].namespace[child] = staged.hot.module
        elif isinstance(parent, HotModule):
            self._new_children.setdefault(parent, {})[child] = staged.hot.module
            retype(parent, StagedModule)

    # ------------------------------------------------------------ what the preparing thread sees

    def namespace(self, module: HotModule) -> Namespace:
        """The namespace that the preparing thread writes to."""
        staged = self._namespaces.get(module)
        return staged.namespace if staged is not None else object.__getattribute__(module, "__dict__")

    def get(self, module: HotModule, name: str) -> Any:
        """The value of `module.name` for the preparing thread."""
        added = self._new_children.get(module, {})
        if name in added:
            return added[name]
        staged = self._namespaces.get(module)
        if staged is None or name == "__class__":  # isinstance() looks at it, and is no reason to run a body
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
            raise AttributeError(f"module {staged.hot.name!r} has no attribute {name!r}", name=name, obj=module)
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
            return self._original(name, globals, locals, fromlist, level)
        absolute = name
        if level > 0:
            package = (globals or {}).get("__package__")
            if not package:
                return self._original(name, globals, locals, fromlist, level)
            absolute = resolve_name("." * level + name, package)
        module = self._bring(absolute)
        if module is not None:
            for wanted in self._listed(module, fromlist):
                self._bring_child(module, absolute, wanted)
        if absolute in self._modules or module is None:
            return self._original(name, globals, locals, fromlist, level)
        if fromlist:
            return module
        top = absolute.partition(".")[0]
        return self._modules[top] if top in self._modules else self.staged[top].hot.module

    def _bring(self, name: str) -> ModuleType | None:
        """Have `name` executed, its parents first; None if it is neither staged nor loaded nor managed."""
        parent = name.rpartition(".")[0]
        if parent:
            self._bring(parent)
        if name in self._deleted:
            raise ModuleNotFoundError(f"No module named {name!r}: it is being deleted", name=name)
        if name not in self.staged:
            if name in self._modules:
                return self._modules[name]
            source = self._table.sources.get(name)
            if source is None:
                return None
            self.add(compile_unit(source, source.read()), joined=True)
        staged = self.staged[name]
        try:
            self.run(staged)
        except BaseException:
            if staged.joined:
                self._drop(staged)
            raise
        return staged.hot.module

    def _drop(self, staged: Staged) -> None:
        """Forget a module that joined and failed: the module that imported it may do without."""
        del self.staged[staged.hot.name]
        del self._namespaces[staged.hot.module]
        self._executed.pop(staged.hot.name, None)
        conform(staged.hot.module)

    def _listed(self, module: ModuleType, fromlist: Sequence[str] | None) -> list[str]:
        names = [name for name in fromlist or () if name != "*"]
        if fromlist and "*" in fromlist:
            names += getattr(module, "__all__", ())
        return names

    def _bring_child(self, module: ModuleType, package: str, wanted: str) -> None:
        """Execute the submodule that a from-import means, unless the package has the name anyway."""
        name = f"{package}.{wanted}"
        gone = name in self._deleted and getattr(module, wanted, None) is self._table.hot(name).module
        if gone or (hasattr(module, "__path__") and not hasattr(module, wanted)):
            self._bring(name)

    # ------------------------------------------------------------ failures

    def explain(self, error: BaseException, source: Source) -> LoadFailed:
        """Name the innermost line of the batch that `error` went through."""
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
        before = self._table.hot(source.module).current
        hint = advice(before.namespace) if before is not None and isinstance(error, ValueError) else ""
        return LoadFailed(source.module, source.path, line, error, hint)
