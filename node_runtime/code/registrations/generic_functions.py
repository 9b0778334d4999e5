"""The generic functions of `functools.singledispatch` and `singledispatchmethod`, as registries of implementations."""

from __future__ import annotations

import functools
import gc
from collections.abc import Iterable, Iterator
from types import FunctionType, MappingProxyType
from typing import Any, Final

from .forwarded_dict import ForwardedDict
from .registry import Registry

_MODULES: Final = ("functools", "singledispatch", "singledispatchmethod")
"""A module with a generic function uses one of these names."""


def generic_functions(module: Any, namespaces: Iterable[dict[str, Any]]) -> Iterator[Registry]:
    """Yield the implementations of each generic function in these namespaces, or in their classes.

    A change of the implementations clears the cache of the generic function. The namespaces are read before and after
    each body, so this function must be fast: it skips most values without looking at their parts.
    """
    for namespace in namespaces:
        if not any(name in namespace for name in _MODULES):
            continue
        for value in list(namespace.values()):
            if type(value) is FunctionType:
                if hasattr(value, "_clear_cache"):
                    yield from _implementations(value)
            elif issubclass(type(value), type):
                parts = list(vars(value).values())
                if functools.singledispatchmethod not in map(type, parts) or value.__module__ != namespace["__name__"]:
                    continue
                for part in parts:
                    if type(part) is functools.singledispatchmethod:
                        yield from _implementations(part.dispatcher)


def _implementations(function: Any) -> Iterator[Registry]:
    view = vars(function).get("registry")
    behind = gc.get_referents(view) if type(view) is MappingProxyType else []
    if behind and type(behind[0]) is dict:
        title = f"the implementations of {function.__module__}.{function.__qualname__}"
        yield Registry(title, ForwardedDict(behind[0], function._clear_cache), id(behind[0]))
