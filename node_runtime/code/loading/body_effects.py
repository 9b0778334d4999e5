"""Finds effects of module bodies that a revert can't undo: on settings of the OS process, hooks and other modules."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from operator import is_
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Final

from node_runtime.code.module import HotModule
from node_runtime.code.registrations import OsProcessSettings

_NO_UNDO: Final = "a revert does not undo this"
_FOR_EVER: Final = ((sys, "addaudithook"), (os, "register_at_fork"))
"""Functions that register another function permanently."""
_CODE: Final = (FunctionType, BuiltinFunctionType, MethodType, type, staticmethod, classmethod, property)


class BodyEffects:
    """Observes module bodies while they run. The method `around` makes the context in which a body runs.

    The settings of the OS process are compared before and after each body. The namespaces of all modules are compared
    only once, before the first body and after the last one, because a node has many modules.
    """

    def __init__(self) -> None:
        self._running: list[str] = []
        self._settings = OsProcessSettings()
        self._found: list[str] = []
        self._executed: set[str] = set()
        self._namespaces = {key: dict(namespace) for key, namespace in _namespaces()}

    @contextmanager
    def around(self, module: str) -> Iterator[None]:
        """Report the effects of the `with` body as effects of `module`. Effects of imported bodies are not included."""
        self._compare()
        self._running.append(module)
        self._executed.add(module)
        try:
            with self._listing_hooks():
                yield
        finally:
            self._compare()
            self._running.pop()

    def warnings(self) -> list[str]:
        """Return a sentence for each effect."""
        return [*self._found, *self._replaced()]

    def _compare(self) -> None:
        before, self._settings = self._settings, OsProcessSettings()
        for change in before.changes(self._settings) if self._running else ():
            if not change.registered:
                self._add(f"changes {change.describe()}")

    def _add(self, what: str) -> None:
        self._found.append(f"The body of {self._running[-1]} {what}; {_NO_UNDO}.")

    @contextmanager
    def _listing_hooks(self) -> Iterator[None]:
        """Report each call in the body of `with` that registers a function permanently, such as `sys.addaudithook`."""
        original = {(module, name): getattr(module, name) for module, name in _FOR_EVER if hasattr(module, name)}

        def listed(module: ModuleType, name: str, *args: Any, **kwargs: Any) -> Any:
            self._add(f"calls {module.__name__}.{name}")
            return original[module, name](*args, **kwargs)

        for module, name in original:
            setattr(module, name, partial(listed, module, name))
        try:
            yield
        finally:
            for (module, name), function in original.items():
                setattr(module, name, function)

    def _replaced(self) -> Iterator[str]:
        """Report functions and classes that bodies have replaced in other modules or added to them (monkey patches)."""
        now = dict(_namespaces())
        for (module, owner), namespace in self._namespaces.items():
            if module in self._executed:
                continue  # the body has run again, so its new version replaces what was patched
            namespace_now = now.get((module, owner), {})
            if _are_same(namespace, namespace_now):
                continue
            for name, value in namespace.items():
                new = namespace_now.get(name, value)
                if new is not value and (self._is_made(new) or (_is_a(value, _CODE) and _is_a(new, _CODE))):
                    yield f"{self._maker(new)} replaces {owner}.{name}; {_NO_UNDO}."
            for name in namespace_now.keys() - namespace.keys():
                if self._is_made(namespace_now[name]):
                    yield f"{self._maker(namespace_now[name])} sets {owner}.{name}; {_NO_UNDO}."

    def _is_made(self, value: Any) -> bool:
        """Return whether a value is a function or class of a body that has run, or an instance of such a class."""
        return _home(value) in self._executed

    def _maker(self, value: Any) -> str:
        return f"The body of {_home(value)}" if self._is_made(value) else "A library that a body imports"


def _namespaces() -> Iterator[tuple[tuple[str, str], Mapping[str, Any]]]:
    """Yield the namespace of each loaded module and each of its classes, as ((module, owner), namespace).

    The owner is the module or the class, such as "shop.box.Item". Nothing is copied: in a copy of the node, each new
    reference to a value costs a page.
    """
    for name, module in sys.modules.copy().items():
        if type(module) is not ModuleType and not issubclass(type(module), HotModule):
            continue  # an object by which a module has replaced itself
        namespace = vars(module)
        yield (name, name), namespace
        for cls in [value for value in namespace.values() if _is_a(value, type)]:
            if cls.__module__ == name:
                yield (name, f"{name}.{cls.__qualname__}"), vars(cls)


def _are_same(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Return whether two namespaces have the same names, and the same objects as their values."""
    return before.keys() == after.keys() and all(map(is_, before.values(), map(after.__getitem__, before)))


def _home(value: Any) -> str | None:
    """Return the module of a function or class, or of the class of an instance."""
    if _is_a(value, (staticmethod, classmethod, partial)):
        return _home(value.func if _is_a(value, partial) else value.__func__)
    if _is_a(value, property):
        return _home(value.fget)
    home = getattr(value if _is_a(value, _CODE) else type(value), "__module__", None)
    return home if _is_a(home, str) else None


def _is_a(value: Any, kinds: type | tuple[type, ...]) -> bool:
    """Return whether a value has one of these classes. `isinstance` would run the code of a lazy object."""
    return issubclass(type(value), kinds)
