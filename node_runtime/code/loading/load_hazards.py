"""Finds load hazards, and describes each in a sentence for the plan.

A load hazard is an effect that the code server can't undo, or can't adapt to the new version. Each function looks for
one kind of effect and changes nothing. When the functions are called, the effects have already happened.
docs/load-limits.md has the list.
"""

from __future__ import annotations

import abc
import inspect
import sys
from functools import partial, singledispatchmethod
from importlib.machinery import EXTENSION_SUFFIXES
from types import FunctionType
from typing import TYPE_CHECKING, Any

import msgspec

from node_runtime.behaviours.show.raw_reads import package_of
from node_runtime.code.classes.definitions import names_mentioned
from node_runtime.code.classes.dependents import Dependent, find_dependents, own_classes, replaced_classes
from node_runtime.code.import_rebinding import copied_aliases, is_exported
from node_runtime.code.module_table import is_unmanaged
from node_runtime.code.registrations import REGISTRIES, failures

from .class_data import named_value
from .code_in_containers import code_in, named_containers
from .function_data import CACHE, member_function
from .module_exec import carried_names
from .monkey_patches import added_names, replaced_names
from .stale.cached_results import CachedResults
from .stale.copied_values import CopiedValues
from .stale.lacking_names import LackingNames
from .stale.memo_tables import MemoTables
from .stale.name_origins import NameOrigins
from .stale.process_hooks import kept_hooks, unserved_classes
from .stale.stale_references import StaleReferences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from node_runtime.code.module_table import ModuleTable
    from node_runtime.code.version import ManagedModule, Source, Version

    from .staging import StagedVersion

_METRICS = ("prometheus_client",)
"""Libraries of metrics. A metric's value is lost when a new version creates the metric again."""
_KEEP_NO_CLASSES = frozenset({"node_runtime", "pydantic"})
"""Libraries that don't keep the classes that their metaclasses make."""


class LoadFindings(msgspec.Struct, frozen=True):
    """The results of a search for load hazards: `find_warnings()` returns sentences; each of `dependents` is a blocker.

    Only a plan calls `find_warnings`. An install doesn't, because the search would block the event loop of the node.
    """

    find_warnings: Callable[[], tuple[str, ...]]
    dependents: tuple[Dependent, ...] = ()


def load_refusal(source: Source, table: ModuleTable) -> str | None:
    """Return why a source can't be loaded into a running node; None if it can.

    A module that was imported without the code server can't be loaded. But if the code server has a version of the
    module, the module has replaced itself in `sys.modules` by another object, and can be loaded.
    """
    file = str(getattr(sys.modules.get(source.module), "__file__", source.path))
    if source.module == "__main__":
        return "__main__ is the program that was started: restart the node to run another program."
    unmanaged = is_unmanaged(source.module) and table.namespace(source.module) is None
    if source.path.endswith(tuple(EXTENSION_SUFFIXES)) or (unmanaged and not file.endswith(".py")):
        return (
            f"{source.module} is a C extension, and a process can load only one version of it: "
            f"restart the node to load it."
        )
    if unmanaged:
        return (
            f"{source.module} was imported from {file} before the code server managed it: restart the node to load it."
        )
    return None


def find_hazards(table: ModuleTable, staged: list[StagedVersion], deleted: list[ManagedModule]) -> LoadFindings:
    """Return the findings for a load of the versions in `staged` and a deletion of the modules in `deleted`."""
    versions = [(each.managed, each.version) for each in staged if each.version is not None]
    batch = {*(managed.name for managed, _ in versions), *(managed.name for managed in deleted)}
    dependents = find_dependents(table, replaced_classes(versions), batch)
    return LoadFindings(partial(_find_warnings, table, versions, batch), tuple(dependents))


def _find_warnings(
    table: ModuleTable, versions: list[tuple[ManagedModule, Version]], batch: set[str]
) -> tuple[str, ...]:
    finder, origins = _HazardFinder(table, versions, batch), NameOrigins(table, versions)
    warnings = [
        *(
            f"The registries of {library} can't be read, so a revert does not undo registrations: {error}."
            for library, error in sorted(failures.items())
        ),
        *finder.class_definition_hooks(),
        *finder.listed_subclasses(),
        *finder.generic_functions(),
        *finder.virtual_bases(),
        *finder.process_hooks(),
        *finder.metrics(),
        *finder.patches(),
        *finder.code_kept_elsewhere(),
        *finder.carried_instances(),
        *finder.registries(),
        *finder.recreated_registries(),
        *finder.stale_references(),
        *CopiedValues(origins).sentences(finder.outside),
        *CachedResults(origins).sentences(finder.outside),
        *MemoTables(CachedResults(origins)).sentences(finder.outside),
        *LackingNames(origins).sentences(finder.outside),
    ]
    return tuple(dict.fromkeys(warnings))


def _is_declared(version: Version, name: str) -> bool:
    declared = version.namespace.get(REGISTRIES, ())
    return callable(declared) or name in declared


def _is_metric(value: object) -> bool:
    return package_of(type(value)) in _METRICS


class _HazardFinder:
    """A comparison of the modules of a load, `batch`, with all other modules, `outside`.

    `_old` and `_new` map the `id` of a replaced or new namespace to its module.
    """

    def __init__(self, table: ModuleTable, versions: list[tuple[ManagedModule, Version]], batch: set[str]) -> None:
        self.batch = batch
        self._table = table
        self.replaced = replaced_classes(versions)
        self._reported: set[str] = set()
        self._stale = StaleReferences(table, versions, self.replaced)
        self._loaded = [
            (managed.name, managed.current, version) for managed, version in versions if managed.current is not None
        ]
        self._registered = {
            id(thing)
            for _, before, version in self._loaded
            for one in (*before.registrations, *version.registrations)
            for thing in one.objects()
        }
        self._old = {id(before.namespace): module for module, before, _ in self._loaded}
        self._new = {id(version.namespace): managed.name for managed, version in versions}
        self._versions = {managed.name: version.namespace for managed, version in versions}
        self.outside = [
            (managed.name, managed.current)
            for managed in list(table.modules.values())
            if managed.current is not None and managed.name not in batch
        ]

    def class_definition_hooks(self) -> Iterator[str]:
        """Report metaclasses and `__init_subclass__` methods that have run for both the old and the new class."""
        for module, _, version in self._loaded:
            for name, cls in own_classes(module, version.namespace):
                handed_over = cls in version.reused_classes or id(cls) in self._registered
                hook = None if handed_over else self._definition_hook(cls)
                if hook is not None:
                    self._reported.add(f"{module}:{name}")
                    yield (
                        f"The definition of {module}:{name} calls {hook.__module__}:{hook.__qualname__}: "
                        f"if this code adds each class to a container, the container then has both the old and the new "
                        f"class. To avoid that, list the container in `{REGISTRIES}` of {hook.__module__}."
                    )

    def _definition_hook(self, cls: type) -> type | None:
        hooks = [base for base in cls.__mro__[1:] if "__init_subclass__" in vars(base)][:1]
        hooks += [meta for meta in inspect.getmro(type(cls)) if _has_python_constructor(meta)]
        return next((hook for hook in hooks if not self._is_harmless(hook)), None)

    def _is_harmless(self, hook: type) -> bool:
        top = hook.__module__.partition(".")[0]
        return hook.__module__ in self.batch or top in _KEEP_NO_CLASSES or top in sys.stdlib_module_names

    def listed_subclasses(self) -> Iterator[str]:
        """Report modules that call `__subclasses__`: the result includes old classes until they are collected."""
        bases = {base: title for cls, (title, _) in self.replaced.items() for base in cls.__mro__[1:]}
        listed = [title for base, title in bases.items() if self._table.namespace(base.__module__) is not None]
        for module, version in self.outside if listed else ():
            if "__subclasses__" in names_mentioned(version.unit.code):
                yield f"{module} calls __subclasses__, which also returns the old class {listed[0]} while it exists."

    def generic_functions(self) -> Iterator[str]:
        """Report `functools.singledispatch` registrations that the load adds, loses, or leaves with an old class."""
        for generic in (*self._values(FunctionType), *self._generic_methods()):
            registry = vars(generic).get("registry")
            if registry is None or "dispatch" not in vars(generic):
                continue
            title = f"{generic.__module__}.{generic.__qualname__}"
            for cls, implementation in list(registry.items()):
                home = id(getattr(implementation, "__globals__", None))
                if generic.__module__ in self.batch:
                    if (
                        id(getattr(generic, "__wrapped__", generic).__globals__) in self._old
                        and implementation.__module__ not in self.batch
                    ):
                        origin = implementation.__module__
                        yield (
                            f"The load recreates the generic function {title} without the "
                            f"implementation that {origin} has registered: load {origin} too."
                        )
                elif home in self._new and id(implementation) not in self._registered:
                    origin = self._new[home]
                    yield f"The body of {origin} registers a function with {title}; a revert does not undo this."
                elif home not in self._old and (origin := self._stale.origin(cls)) is not None:
                    new = self._table.namespace(origin) if origin not in self._versions else self._versions[origin]
                    if (new or {}).get(cls.__qualname__) not in registry:
                        yield (
                            f"{title} has an implementation for the old class {origin}:{cls.__qualname__}, but not for "
                            f"the new class: let the appup load {implementation.__module__} too."
                        )

    def virtual_bases(self) -> Iterator[str]:
        """Report abstract classes at which only the old version of a class is registered (`abc.ABC.register`)."""
        for base in self._values(abc.ABCMeta):
            for cls, (title, after) in self.replaced.items():
                if (
                    after is not None
                    and base not in cls.__mro__
                    and _is_subclass(cls, base)
                    and not _is_subclass(after, base)
                ):
                    yield (
                        f"The old class {title} is registered with {base.__module__}:{base.__qualname__}, "
                        f"but the new class isn't."
                    )

    def process_hooks(self) -> Iterator[str]:
        """Report signal handlers and hooks of the OS process that are functions of a replaced version."""
        for hook, sentence in kept_hooks(self._stale.origin):
            if id(hook) not in self._registered:
                yield sentence
        yield from unserved_classes(self.replaced, self.batch)

    def metrics(self) -> Iterator[str]:
        """Report metrics, such as counters of prometheus_client. The load creates them again, which resets them."""
        for module, before, version in self._loaded:
            for name, value in list(before.namespace.items()):
                if _is_metric(value) and version.namespace.get(name) is not value:
                    yield f"The load resets the metric {module}.{name}: list it in `__carry__` to keep its value."

    def patches(self) -> Iterator[str]:
        """Report monkey patches that the new version lacks: attributes that other code has set on a module."""
        for module, before, version in self._loaded:
            for name in sorted(replaced_names(before) - set(carried_names(version.namespace))):
                yield f"{module}.{name} was replaced by other code; the new version does not have the replacement."
            for name in sorted(added_names(before) - version.namespace.keys()):
                yield f"{module}.{name} was set by other code; the new version does not have it."

    def code_kept_elsewhere(self) -> Iterator[str]:
        """Report global names of modules outside the load that refer to functions and classes of a replaced version."""
        for module, version in self.outside:
            followed = copied_aliases(version, self._table)
            starred = [
                self._table.namespace(entry.module) or {} for entry in version.imports.entries if entry.name == "*"
            ]
            for name, value in list(version.namespace.items()):
                origin = self._stale.origin(value) if issubclass(type(value), (FunctionType, type)) else None
                if origin is not None and issubclass(type(value), type) and self._stale.keeps(version, origin):
                    continue
                if any(is_exported(namespace, name) and namespace.get(name) is value for namespace in starred):
                    continue
                if origin is not None and name not in followed:
                    yield f"{module}.{name} uses the replaced version of {origin} until {module} is loaded again."
            for name, cls in own_classes(module, version.namespace):
                for member, value in list(vars(cls).items()):
                    function = member_function(value)
                    origin = None if function is None else self._stale.origin(function)
                    if origin is not None:
                        title = f"{module}.{name}.{member}"
                        yield f"{title} uses the replaced version of {origin} until {module} is loaded again."

    def carried_instances(self) -> Iterator[str]:
        """Report objects in `__carry__` that refer to the old version."""
        for module, _, version in self._loaded:
            for name in carried_names(version.namespace):
                value = named_value(version.namespace, name)
                kept = () if self._new_class(value) is not None else (value, type(value))
                if any(self._is_replaced(thing, version) for thing in (*kept, *code_in(value))):
                    yield f"`__carry__` keeps {module}.{name}, which keeps a replaced version in memory."

    def _new_class(self, value: Any) -> type | None:
        """Return the class that an instance in `__carry__` adopts at the commit; None if it keeps its class."""
        return None if issubclass(type(value), type) else self.replaced.get(type(value), ("", None))[1]

    def registries(self) -> Iterator[str]:
        """Report containers of other modules that have functions or classes of the new or the replaced versions."""
        new = self._new | {
            id(cls): module
            for module, _, version in self._loaded
            for name, cls in own_classes(module, version.namespace)
            if cls not in version.reused_classes and f"{module}:{name}" not in self._reported
        }
        found = [
            (module, name, holder)
            for module, version in self.outside
            for name, holder in named_containers(version.namespace)
            if not _is_declared(version, name)
        ]
        named = {id(holder) for _, _, holder in found}
        outside = dict(self.outside)
        for module, name, holder in found:
            code = list(code_in(holder, named))
            registering = _origins([_origin_key(thing) for thing in code], new)
            declare = f"let `{REGISTRIES}` of {module} list the container"
            for origin in registering:
                yield f"The body of {origin} registers code in {module}.{name}; a revert does not undo this: {declare}."
            for origin in filter(None, dict.fromkeys(map(self._unreported_origin, code))):
                if not self._stale.keeps(outside[module], origin):
                    again = "register the code anew after the upgrade, for example in a code_change"
                    way_out = declare if origin in registering else again
                    if type(holder) is CACHE:
                        way_out = f"after the upgrade, `hotdash purge NODE {origin}` clears the cache"
                    yield f"{module}.{name} keeps the replaced version of {origin}, and still uses it: {way_out}."

    def _unreported_origin(self, thing: Any) -> str | None:
        """Return the module of a replaced function or class; None for a class that another sentence has reported."""
        origin = self._stale.origin(thing)
        is_reported = issubclass(type(thing), type) and f"{origin}:{thing.__qualname__}" in self._reported
        return None if is_reported else origin

    def stale_references(self) -> Iterator[str]:
        """Report modules outside the load whose bodies have kept code of the replaced versions."""
        return self._stale.sentences(self.outside)

    def recreated_registries(self) -> Iterator[str]:
        """Report containers that lose the registrations of other modules, because the load creates them again."""
        outside = {id(version.namespace): module for module, version in self.outside}
        for module, version in self.outside:
            outside.update((id(cls), module) for _, cls in own_classes(module, version.namespace))
        for module, before, version in self._loaded:
            recreated = dict(named_containers(version.namespace))
            for name, holder in named_containers(before.namespace):
                if recreated.get(name) is not holder:
                    has = {_origin_key(thing) for thing in code_in(recreated.get(name))}
                    lost = [key for thing in code_in(holder) if (key := _origin_key(thing)) not in has]
                    for origin in _origins(lost, outside):
                        yield (
                            f"The load makes {module}.{name} anew, without the code that {origin} has registered "
                            f"there: load {origin} too."
                        )

    def _is_replaced(self, thing: Any, version: Version) -> bool:
        """Return whether `thing` is a replaced function or class, or a class with functions of an old version."""
        if not issubclass(type(thing), type):
            return _origin_key(thing) in self._old
        return thing in self.replaced or (
            thing not in version.reused_classes and any(_origin_key(part) in self._old for part in vars(thing).values())
        )

    def _generic_methods(self) -> list[Any]:
        """Return the generic functions in the `singledispatchmethod`s of the classes that the load replaces."""
        members = [member for cls in self.replaced for member in vars(cls).values()]
        return [member.dispatcher for member in members if issubclass(type(member), singledispatchmethod)]

    def _values(self, kind: type) -> list[Any]:
        """Return the global values of type `kind` in all loaded modules and in the new versions, each value once."""
        namespaces = [version.namespace for _, version in self.outside]
        for _, before, version in self._loaded:
            namespaces += [before.namespace, version.namespace]
        found = {
            id(value): value for names in namespaces for value in list(names.values()) if issubclass(type(value), kind)
        }
        return list(found.values())


def _origin_key(thing: Any) -> int:
    """Return the `id` of the namespace of a function, or of a class itself."""
    return id(thing.__globals__ if issubclass(type(thing), FunctionType) else thing)


def _origins(keys: list[int], modules: dict[int, str]) -> list[str]:
    return list(dict.fromkeys(modules[key] for key in keys if key in modules))


def _has_python_constructor(meta: type) -> bool:
    return any(isinstance(vars(meta).get(name), (FunctionType, staticmethod)) for name in ("__new__", "__init__"))


def _is_subclass(cls: type, base: type) -> bool:
    try:
        return issubclass(cls, base)
    except Exception:  # a base may run code of its own
        return False
