"""What a load of new code can't do, found when it is prepared and said in sentences for the plan.

Each function knows one limit. They look only; what they see, the bodies of the batch have done already, or somebody
did long ago. docs/code-server.md has the list.
"""

from __future__ import annotations

import abc
import inspect
import signal
import sys
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES
from types import FunctionType
from typing import TYPE_CHECKING, Any

from node_runtime.code.classes.dependents import Dependent, find_dependents, own_classes, replaced_classes
from node_runtime.code.module_table import is_foreign

from .containers import code_in, holders
from .module_exec import carried_names
from .patches import added, replaced

if TYPE_CHECKING:
    from collections.abc import Iterator

    from node_runtime.code.module import Namespace
    from node_runtime.code.module_table import ModuleTable
    from node_runtime.code.version import Hot, Source, Version

    from .staging import Staged

_METRICS = ("prometheus_client",)
"""Libraries whose metrics register themselves, under a name that a second one of the kind can't have."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What the plan should tell: `warnings` for people, `dependents` as blockers."""

    warnings: tuple[str, ...] = ()
    dependents: tuple[Dependent, ...] = ()


def refusal(source: Source) -> str | None:
    """Why a source can't be loaded into a running node at all."""
    file = str(getattr(sys.modules.get(source.module), "__file__", source.path))
    if source.module == "__main__":
        return "__main__ is the program that was started: restart the node to run another one."
    if source.path.endswith(tuple(EXTENSION_SUFFIXES)) or (is_foreign(source.module) and not file.endswith(".py")):
        return f"{source.module} is a C extension, of which a process can have only one: restart the node to load it."
    if is_foreign(source.module):
        return (
            f"{source.module} was imported from {file} before the code server managed it: restart the node to load it."
        )
    return None


def advice(namespace: Namespace) -> str:
    """What may help a body that failed, if the version before gives a hint; else nothing."""
    metrics = sorted(name for name, value in list(namespace.items()) if _is_metric(value))
    if not metrics:
        return ""
    return (
        f" It has metrics, which can't be registered twice: name them in `__carry__ = {metrics}`, "
        f"and make each only if its name isn't there yet."
    )


def find(table: ModuleTable, staged: list[Staged], deleted: list[Hot]) -> Findings:
    """Look for all limits that a batch meets."""
    versions = [(each.hot, each.version) for each in staged if each.version is not None]
    look = _Look(table, versions, {*(hot.name for hot, _ in versions), *(hot.name for hot in deleted)})
    warnings = [
        *(warning for each in staged for warning in (*_exit_functions(each), *_log_listeners(each))),
        *look.registrations_of_classes(),
        *look.generic_functions(),
        *look.virtual_bases(),
        *look.signal_handlers(),
        *look.metrics(),
        *look.patches(),
        *look.code_kept_elsewhere(),
        *look.carried_instances(),
        *look.registries(),
        *look.registries_made_anew(),
    ]
    return Findings(tuple(dict.fromkeys(warnings)), tuple(find_dependents(table, look.replaced, look.batch)))


def _exit_functions(staged: Staged) -> Iterator[str]:
    if staged.exit_functions and "atexit" in staged.unit.imports.modules:
        yield f"{staged.hot.name} registers with atexit while its body runs: it stays, even if this is undone."


def _log_listeners(staged: Staged) -> Iterator[str]:
    for name in staged.loggers:
        yield f"{staged.hot.name} adds to the logger {name!r} while its body runs: it stays, even if this is undone."


def _is_metric(value: object) -> bool:
    return type(value).__module__.partition(".")[0] in _METRICS


class _Look:
    """A batch beside all that is loaded. `old` and `new` have the module of each namespace, by its identity."""

    def __init__(self, table: ModuleTable, versions: list[tuple[Hot, Version]], batch: set[str]) -> None:
        self.batch = batch
        self.replaced = replaced_classes(versions)
        self._announced: set[str] = set()
        self._loaded = [(hot, hot.current, version) for hot, version in versions if hot.current is not None]
        self._old = {id(before.namespace): hot.name for hot, before, _ in self._loaded}
        self._new = {id(version.namespace): hot.name for hot, version in versions}
        self._outside = [
            (hot.name, hot.current)
            for hot in list(table.modules.values())
            if hot.current is not None and hot.name not in batch
        ]

    def registrations_of_classes(self) -> Iterator[str]:
        """Metaclasses and `__init_subclass__` that are told of the new class as they were of the old one."""
        for hot, _, version in self._loaded:
            for name, cls in own_classes(hot.name, version.namespace):
                listener = None if cls in version.faces else self._listener(cls)
                if listener is not None:
                    self._announced.add(f"{hot.name}:{name}")
                    yield (
                        f"{hot.name}:{name} is announced to {listener.__module__}:{listener.__qualname__}: "
                        f"what that remembers has the old class and the new one."
                    )

    def _listener(self, cls: type) -> type | None:
        told = [base for base in cls.__mro__[1:] if "__init_subclass__" in vars(base)][:1]
        told += [meta for meta in inspect.getmro(type(cls)) if _runs_python(meta)]
        return next((listener for listener in told if not self._is_remade(listener)), None)

    def _is_remade(self, listener: type) -> bool:
        top = listener.__module__.partition(".")[0]
        return listener.__module__ in self.batch or top == "node_runtime" or top in sys.stdlib_module_names

    def generic_functions(self) -> Iterator[str]:
        """`functools.singledispatch`: what is registered with a function that stays, and what with one that goes."""
        for generic in self._values(FunctionType):
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
                        yield f"{implementation.__module__} has registered with {title}, which is made anew without it."
                elif home in self._new:
                    yield f"{self._new[home]} registers with {title} while its body runs: at once, and for good."
                elif cls in self.replaced and self.replaced[cls][1] not in registry:
                    yield f"{title} has an implementation for {self.replaced[cls][0]}, and not for the new class."

    def virtual_bases(self) -> Iterator[str]:
        """`abc.ABC.register`: an old class that counts as a subclass, and a new one that doesn't."""
        for base in self._values(abc.ABCMeta):
            for cls, (title, after) in self.replaced.items():
                if (
                    after is not None
                    and base not in cls.__mro__
                    and _counts_as(cls, base)
                    and not _counts_as(after, base)
                ):
                    yield f"{title} is registered with {base.__module__}:{base.__qualname__}, and the new class isn't."

    def signal_handlers(self) -> Iterator[str]:
        """Handlers that are functions of a version that goes."""
        for number in sorted(signal.valid_signals()):
            handler = signal.getsignal(number)
            module = self._old.get(id(getattr(handler, "__globals__", None)))
            if module is not None:
                yield f"{signal.Signals(number).name} is handled by {module}, and stays with the version that goes."

    def metrics(self) -> Iterator[str]:
        """Metrics that register themselves and are made again."""
        for hot, before, version in self._loaded:
            for name, value in list(before.namespace.items()):
                if _is_metric(value) and version.namespace.get(name) is not value:
                    yield f"{hot.name}.{name} is a metric and made anew: name it in `__carry__` to go on counting."

    def patches(self) -> Iterator[str]:
        """Attributes of a module that are not what its body made: they are gone with the version."""
        for hot, before, version in self._loaded:
            for name in sorted(replaced(before) - set(carried_names(version.namespace))):
                yield f"{hot.name}.{name} has been replaced from outside, which the new version does not keep."
            for name in sorted(added(before) - version.namespace.keys()):
                yield f"{hot.name}.{name} has been set from outside, and the new version does not have it."

    def code_kept_elsewhere(self) -> Iterator[str]:
        """Functions of a version that goes under a name of a module that stays: patches, and what decorators made."""
        for module, version in self._outside:
            followed = {entry.alias for entry in version.imports.entries if entry.bound}
            for name, value in list(version.namespace.items()):
                origin = self._old.get(id(value.__globals__)) if isinstance(value, FunctionType) else None
                if origin is not None and name not in followed:
                    yield f"{module}.{name} stays with the version of {origin} that goes, until {module} is loaded."

    def carried_instances(self) -> Iterator[str]:
        """Objects that `__carry__` keeps and that keep the old version."""
        for hot, _, version in self._loaded:
            for name in carried_names(version.namespace):
                value = version.namespace.get(name)
                if any(self._goes(thing, version) for thing in (value, type(value), *code_in(value))):
                    yield f"{hot.name}.{name} is carried over, and keeps code of the version that goes."

    def registries(self) -> Iterator[str]:
        """What modules that stay have of the versions that come and of those that go: tables that decorators fill."""
        new = self._new | {
            id(cls): hot.name
            for hot, _, version in self._loaded
            for name, cls in own_classes(hot.name, version.namespace)
            if cls not in version.faces and f"{hot.name}:{name}" not in self._announced
        }
        old = self._old | {
            id(cls): title.partition(":")[0]
            for cls, (title, _) in self.replaced.items()
            if title not in self._announced
        }
        found = [(module, *holder) for module, version in self._outside for holder in holders(version.namespace)]
        named = {id(holder) for _, _, holder in found}
        for module, name, holder in found:
            keys = [_key(thing) for thing in code_in(holder, named)]
            for origin in _known(keys, new):
                yield f"{origin} registers with {module}.{name} while its body runs: at once, and for good."
            for origin in _known(keys, old):
                yield f"{module}.{name} keeps code of the version of {origin} that goes."

    def registries_made_anew(self) -> Iterator[str]:
        """Code of modules that stay in what a module has, and not in what its new version has under that name."""
        outside = {id(version.namespace): module for module, version in self._outside}
        for module, version in self._outside:
            outside.update((id(cls), module) for _, cls in own_classes(module, version.namespace))
        for hot, before, version in self._loaded:
            remade = dict(holders(version.namespace))
            for name, holder in holders(before.namespace):
                if remade.get(name) is not holder:
                    has = {_key(thing) for thing in code_in(remade.get(name))}
                    lost = [key for thing in code_in(holder) if (key := _key(thing)) not in has]
                    for origin in _known(lost, outside):
                        yield f"{origin} has registered with {hot.name}.{name}, which is made anew without it."

    def _goes(self, thing: Any, version: Version) -> bool:
        """A function of a version that goes, or a class that is replaced or was carried over with such functions."""
        if not isinstance(thing, type):
            return _key(thing) in self._old
        return thing in self.replaced or (
            thing not in version.faces and any(_key(part) in self._old for part in vars(thing).values())
        )

    def _values(self, kind: type) -> list[Any]:
        """Everything of a kind that has a name in a loaded module or in a new version, once each."""
        namespaces = [version.namespace for _, version in self._outside]
        for _, before, version in self._loaded:
            namespaces += [before.namespace, version.namespace]
        found = {
            id(value): value for names in namespaces for value in list(names.values()) if issubclass(type(value), kind)
        }
        return list(found.values())


def _key(thing: Any) -> int:
    """What tells where code belongs: a function goes by its namespace."""
    return id(thing.__globals__ if isinstance(thing, FunctionType) else thing)


def _known(keys: list[int], origins: dict[int, str]) -> list[str]:
    return list(dict.fromkeys(origins[key] for key in keys if key in origins))


def _runs_python(meta: type) -> bool:
    return any(isinstance(vars(meta).get(name), (FunctionType, staticmethod)) for name in ("__new__", "__init__"))


def _counts_as(cls: type, base: type) -> bool:
    try:
        return issubclass(cls, base)
    except Exception:  # a base may answer by code of its own
        return False
