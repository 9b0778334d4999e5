"""Finds caches of `functools` in modules outside the load that keep results of changed code.

A cache keeps the results of its function. If this function uses another function or a plain value, and the load changes
that, the results computed with the older version stay in the cache for ever.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

from node_runtime.code.classes.definition_equality import same_code
from node_runtime.code.classes.dependents import own_classes
from node_runtime.code.imports import reads_of_functions
from node_runtime.code.loading.function_data import CACHE, UNWRAPPED

from .copied_values import is_plain
from .name_origins import NameOrigins

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from node_runtime.code.module import Namespace
    from node_runtime.code.version import Version

MAX_NAMED: Final = 3
"""A sentence names at most this many changed values."""


class CachedResults:
    """The code and plain values that a load changes, and the caches of other modules that use them."""

    def __init__(self, origins: NameOrigins) -> None:
        self._origins = origins

    def sentences(self, outside: Iterable[tuple[str, Version]]) -> Iterator[str]:
        """Yield a sentence for each cache of a module outside the load that has results of changed code."""
        for module, version in outside:
            for name, cache in _caches(module, version.namespace):
                changed = self._changed(version, cache) if cache.cache_info().currsize else []
                if changed:
                    more = f" and {len(changed) - MAX_NAMED} more" if len(changed) > MAX_NAMED else ""
                    yield (
                        f"The cache {module}.{name} keeps results that were computed with the replaced "
                        f"{', '.join(changed[:MAX_NAMED])}{more}: call its cache_clear() after the upgrade, or let "
                        f"the appup load {module} too."
                    )

    def _changed(self, version: Version, cache: Any) -> list[str]:
        function = getattr(cache, "__wrapped__", None)
        return self.changed_uses(version, function) if isinstance(function, FunctionType) else []

    def changed_uses(self, version: Version, function: FunctionType) -> list[str]:
        """Return the names of what a function of `version` uses and the load changes."""
        origins = (self._origins.of(version, read.name) for read in reads_of_functions(function.__code__))
        return [*dict.fromkeys(f"{one.module}.{one.name}" for one in origins if one and self._is_changed(*one[:2]))]

    def _is_changed(self, module: str, name: str) -> bool:
        before, after = (namespace.get(name) for namespace in self._origins.namespaces(module))
        if type(before) is FunctionType and type(after) is FunctionType:
            return not same_code(before.__code__, after.__code__)
        return is_plain(before) and is_plain(after) and (type(before) is not type(after) or before != after)


def _caches(module: str, namespace: Namespace) -> Iterator[tuple[str, Any]]:
    for name, value in list(namespace.items()):
        if type(value) is CACHE and value.__module__ == module:
            yield name, value
    for name, cls in own_classes(module, namespace):
        for member, value in list(vars(cls).items()):
            function = getattr(value, UNWRAPPED[type(value)]) if type(value) in UNWRAPPED else value
            if type(function) is CACHE:
                yield f"{name}.{member}", function
