"""Finds the classes and functions of the target by the names of the old classes and functions."""

from __future__ import annotations

import enum
import functools
from collections.abc import Mapping
from types import FunctionType
from typing import Any, Final, cast

import msgspec

from node_runtime.behaviours.show.raw_reads import module_of, mro_of, name_of, namespace_of
from node_runtime.code.classes.record_fields import record_fields

from .function_members import function_at_name, resolve_name
from .generic_models import generic_target
from .named_objects import Namespaces, named_objects

GONE: Final = object()
"""The result for a class or function that the target doesn't have."""


class TargetNamespaces(msgspec.Struct, frozen=True):
    """The namespaces of the modules that the target replaces, by module; the namespace of a deleted module is empty.

    `before` has the namespaces of the replaced versions, as far as they are known. They show which classes a module has
    imported from other modules. If the target's version of the module itself defines a class of the same name, the
    imported class has moved into the module.
    """

    modules: Namespaces
    before: Namespaces = msgspec.field(default_factory=dict)


class Targets:
    """The namespaces in which the default migration looks up classes and functions."""

    def __init__(self, namespaces: TargetNamespaces) -> None:
        self._namespaces = namespaces.modules
        self._before = namespaces.before
        self.named: Final = named_objects(namespaces.before, namespaces.modules)
        """The objects that modules make for their identity, by the `id` of the old object."""
        self.packages: Final = frozenset(module.partition(".")[0] for module in namespaces.modules)
        """The top-level packages of the replaced modules."""

    def class_for(self, cls: type) -> Any:
        """Return the target's class for `cls`: `cls` itself if it stays, GONE if the target lacks the class."""
        namespace = self._namespaces.get(module_of(cls) or "")
        if (model := generic_target(cls, self.class_for, GONE)) is not None:
            return model
        if namespace is None:
            return cls
        found = resolve_name(namespace, name_of(cls))
        if isinstance(found, type):
            return found
        if namespace_of_class(cls) is namespace:
            return cls
        moved = self._moved_class(cls)
        return GONE if moved is None else moved

    def _moved_class(self, cls: type) -> type | None:
        """Return the class that replaces `cls` if `cls` moves into a module that imported it until now; else None."""
        for module, before in self._before.items():
            target = self._namespaces.get(module)
            if target is None or module == module_of(cls):
                continue
            for name, value in before.items():
                found = target.get(name) if value is cls else None
                if isinstance(found, type) and module_of(found) == module:
                    return found
        return self._class_of_new_place(cls)

    def _class_of_new_place(self, cls: type) -> type | None:
        """Return the only new class of the target with the name of `cls`, if one of the two has all members of the
        other.
        """
        found = []
        for module, target in self._namespaces.items():
            one = resolve_name(target, name_of(cls))
            was = resolve_name(self._before.get(module, {}), name_of(cls))
            if isinstance(one, type) and module_of(one) == module and was is None:
                found.append(one)
        return found[0] if len(found) == 1 and _is_alike(cls, found[0]) else None

    def function_for(self, function: Any) -> Any:
        """Return the target's function for `function`, which is `function` itself if it isn't replaced.

        If the target lacks the function, return GONE.
        """
        namespace = self._namespaces.get(getattr(function, "__module__", None) or "")
        plain = function if type(function) is FunctionType else getattr(function, "__wrapped__", None)
        own = getattr(plain, "__globals__", {})
        if namespace is None or own is namespace:
            return function
        found = function_at_name(function, own, namespace)
        if found is not None:
            return found
        return GONE if own.get("__name__") == function.__module__ else function

    def function_namespace(self, function: FunctionType) -> dict[str, Any]:
        """Return the globals that the target has for a function of a replaced module."""
        return cast("dict[str, Any]", self._namespaces.get(function.__globals__.get("__name__", ""), {}))

    def namespace(self, cls: type) -> Mapping[str, Any]:
        """Return the namespace in which the annotations of the target's class `cls` are looked up."""
        return self._namespaces.get(module_of(cls) or "") or namespace_of_class(cls) or {}


def cached_as(found: Any, value: Any) -> Any:
    """Return the target's function `found` with an empty cache like that of the cached function `value`.

    A state may hold `lru_cache(function)`, while the module has only the plain function.
    """
    return functools.lru_cache(**value.cache_parameters())(found) if type(found) is FunctionType else found


def namespace_of_class(cls: type) -> Mapping[str, Any] | None:
    """Return the namespace of the module version that made `cls`, found by a function of `cls`; else None."""
    for base in mro_of(cls):
        for value in namespace_of(base).values():
            function = getattr(value, "__func__", value)
            if type(function) is FunctionType and function.__globals__.get("__name__") == module_of(cls):
                return function.__globals__
    return None


def _is_alike(old: type, new: type) -> bool:
    """Return whether one of two classes has all fields, members and methods of the other one."""
    if issubclass(old, enum.Enum) is not issubclass(new, enum.Enum):
        return False
    parts = []
    for cls in (old, new):
        fields = getattr(cls, "__members__", {}) if issubclass(cls, enum.Enum) else record_fields(cls) or {}
        methods = {name for name, value in namespace_of(cls).items() if type(value) is FunctionType}
        parts.append(({*fields}, {name for name in methods if not name.startswith("__")}))
    return all(one <= other or other <= one for one, other in zip(*parts, strict=True))
