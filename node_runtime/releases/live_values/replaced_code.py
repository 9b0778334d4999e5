"""The classes and functions of the module versions that a load replaces or deletes.

In this package, "replaced" means replaced or deleted. A class is replaced if the new version of its module does not
have the same class object under the same name; so a reused class is not replaced. A function is replaced if its globals
are those of a replaced version.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import FrameType, FunctionType
from typing import Any

from node_runtime.behaviours.show.raw_reads import module_of, name_of
from node_runtime.releases.migration.generic_models import classes_in
from node_runtime.releases.migration.named_objects import NamedObject, named_objects
from node_runtime.releases.planning.conditions import class_in


class ReplacedCode:
    """The replaced code. `old` and `new` have the namespaces of the running and of the new versions, by module.

    A module without an entry in `new` is deleted.
    """

    def __init__(self, old: Mapping[str, dict[str, Any]], new: Mapping[str, dict[str, Any]]) -> None:
        self._new = {module: new.get(module) for module in old}
        self._modules = {id(namespace): module for module, namespace in old.items()}
        found = named_objects(old, new)
        self._named = {identity: one for identity, one in found.items() if type(one.value) is object}

    @property
    def modules(self) -> frozenset[str]:
        """The modules whose running versions are replaced or deleted."""
        return frozenset(self._new)

    def has_class(self, cls: type[Any]) -> bool:
        """Return whether the class is replaced."""
        module = module_of(cls)
        if module not in self._new:
            return self._is_made_of_replaced(cls)
        return self.successor(cls) is not cls and (not _is_generic(cls) or self._is_made_of_replaced(cls))

    def successor(self, cls: type[Any]) -> type[Any] | None:
        """Return the class that has the name of `cls` in the new version; None if there is none."""
        module = module_of(cls)
        namespace = None if module is None else self._new.get(module)
        return None if namespace is None else class_in(namespace, name_of(cls))

    def has_function(self, function: FunctionType) -> bool:
        """Return whether the function is replaced."""
        return id(function.__globals__) in self._modules

    def named_object(self, value: object) -> NamedObject | None:
        """Return the global variable in which a replaced module keeps `value`, if `value` is a plain `object()`.

        Return None for any other value.
        """
        return self._named.get(id(value))

    def has_frame(self, frame: FrameType | None) -> bool:
        """Return whether a suspended frame runs replaced code."""
        return frame is not None and id(frame.f_globals) in self._modules

    def _is_made_of_replaced(self, cls: type[Any]) -> bool:
        """Return whether `cls` is a parametrised pydantic model, such as `Page[Item]`, with a replaced part."""
        return any(part is not cls and self.has_class(part) for part in classes_in(cls))


def _is_generic(cls: type[Any]) -> bool:
    return any(True for _ in classes_in(cls))
