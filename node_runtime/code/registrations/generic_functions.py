"""The generic functions of `functools.singledispatch` and `singledispatchmethod`, as registries of implementations."""

from __future__ import annotations

import functools
import gc
from collections.abc import Iterable, Iterator, MutableMapping
from types import FunctionType, MappingProxyType
from typing import Any, Final

_MODULES: Final = ("functools", "singledispatch", "singledispatchmethod")
"""A module that defines a generic function has one of these names."""


class Implementations(MutableMapping[type, Any]):
    """The implementations of a generic function, by class. A change clears the function's cache."""

    def __init__(self, function: Any, implementations: dict[type, Any]) -> None:
        self.title = f"{function.__module__}.{function.__qualname__}"
        self.key = id(implementations)
        self._function = function
        self._implementations = implementations

    def __iter__(self) -> Iterator[type]:
        return iter(list(self._implementations))

    def __getitem__(self, cls: type) -> Any:
        return self._implementations[cls]

    def __setitem__(self, cls: type, implementation: Any) -> None:
        self._implementations[cls] = implementation
        self._function._clear_cache()

    def __delitem__(self, cls: type) -> None:
        del self._implementations[cls]
        self._function._clear_cache()

    def __len__(self) -> int:
        return len(self._implementations)


def generic_functions(namespaces: Iterable[dict[str, Any]]) -> Iterator[Implementations]:
    """Yield the implementations of each generic function that these namespaces, or classes in them, define.

    The namespaces are read before and after each body, so most values are passed over without a look at their parts.
    """
    for namespace in namespaces:
        if not any(name in namespace for name in _MODULES):
            continue
        for value in list(namespace.values()):
            if type(value) is FunctionType:
                if hasattr(value, "_clear_cache"):
                    yield from _implementations(value)
            elif isinstance(value, type) and functools.singledispatchmethod in map(type, list(vars(value).values())):
                parts = list(vars(value).values()) if value.__module__ == namespace.get("__name__") else []
                for part in parts:
                    if type(part) is functools.singledispatchmethod:
                        yield from _implementations(part.dispatcher)


def _implementations(function: Any) -> Iterator[Implementations]:
    view = vars(function).get("registry")
    behind = gc.get_referents(view) if type(view) is MappingProxyType else []
    if behind and type(behind[0]) is dict:
        yield Implementations(function, behind[0])
