"""The functions and classes that a container has: a table that decorators fill, a list of listeners, an application."""

from __future__ import annotations

import functools
import gc
import sys
from collections import deque
from types import FunctionType, MappingProxyType, MethodType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

LARGE: Final = 1_000
"""A container with more is data."""
BOUND: Final = 5_000
"""How many objects are looked at, for each container."""

_CONTAINERS: Final = (dict, list, tuple, set, frozenset, deque)
_WRAPPERS: Final = (MethodType, functools.partial, functools._lru_cache_wrapper, MappingProxyType, SimpleNamespace)


def code_in(thing: Any, others: Container[int] = ()) -> Iterator[Any]:
    """The functions and classes that `thing` has, the nearest first; `others` are identities of what is looked at, too.

    Followed are containers, wrappers of functions, and what instances have, but not those of the standard library's
    classes: a logger or a task leads everywhere. It runs nobody's code.
    """
    waiting, seen = deque([thing]), {id(thing)}
    while waiting and len(seen) < BOUND:
        holder = waiting.popleft()
        for other in gc.get_referents(holder):
            if other is type(holder) or id(other) in seen or not gc.is_tracked(other):
                continue
            seen.add(id(other))
            if issubclass(type(other), (FunctionType, type)):
                yield other
            elif id(other) not in others and _is_followed(other):
                waiting.append(other)


def _is_followed(thing: Any) -> bool:
    kind = type(thing)
    container: Any = next((base for base in _CONTAINERS if issubclass(kind, base)), None)
    if container is not None:
        return container.__len__(thing) <= LARGE and not (kind is dict and "__spec__" in thing)
    return issubclass(kind, _WRAPPERS) or _is_users(kind)


def _is_users(cls: type) -> bool:
    top = str(cls.__module__).partition(".")[0]
    return top not in sys.stdlib_module_names and top != "node_runtime"


def holders(namespace: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """What may have code of others, with its name: values at a module's top, and those that its own classes have."""
    module = namespace.get("__name__")
    for name, value in list(namespace.items()):
        if issubclass(type(value), type):
            if (value.__module__, value.__qualname__) == (module, name):
                own = [(f"{name}.{key}", part) for key, part in vars(value).items() if not key.startswith("__")]
                yield from (pair for pair in own if issubclass(type(pair[1]), _CONTAINERS))
        elif not name.startswith("__") and not isinstance(value, FunctionType) and _is_followed(value):
            yield name, value
