"""Caches of `functools` that keep objects of an old version.

The cache of a library can be cleared at any time, because it only makes the library faster. So it counts as garbage. A
cache of an application may be the only place that keeps an object, so only a purge clears it.
"""

from __future__ import annotations

import functools
import gc
import sys
from operator import attrgetter
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from node_runtime.code.module import HotModule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from node_runtime.protocol.messages import OldCodeHolder

CACHE: Final = functools._lru_cache_wrapper
_CLOSURE: Final = ".<closure>."
"""Precedes the index of a cache in the closure of a function, as in "typing:overload.<closure>.0"."""


def cache_name(thing: Any) -> str | None:
    """Return the name, "module:name", by which `clear_caches` finds a cache; None if it has no such name.

    The name is that of the cached function, of a global variable as in `load = lru_cache(read)`, or of a function with
    the cache in its closure.
    """
    name = f"{getattr(thing, '__module__', None)}:{getattr(thing, '__qualname__', None)}"
    return name if _find(name) is thing else _variable_of(thing)


def unfound_cache_title(thing: Any) -> str:
    """Return the title of a cache that no name leads to, such as a cache in an object."""
    return f"a cache around {getattr(thing, '__module__', '?')}.{getattr(thing, '__qualname__', '?')}"


def cache_title(name: str) -> str:
    """Return the title of a cache in messages, such as "the cache shop.items.price"."""
    return f"the cache {name.partition(_CLOSURE)[0].replace(':', '.')}"


def only_library_caches(holders: Iterable[OldCodeHolder]) -> bool:
    """Return whether all holders are caches of libraries."""
    return all(one.cache is not None and not _is_own(one.cache) for one in holders)


def clear_caches(names: Iterable[str]) -> list[str]:
    """Clear the caches with these names; return the names of those that were found."""
    found = {name: cache for name in names if (cache := _find(name)) is not None}
    for cache in found.values():
        cache.cache_clear()
    return [*found]


def _find(name: str) -> Any:
    module, _, path = name.partition(":")
    path, _, index = path.partition(_CLOSURE)
    try:
        found = attrgetter(path)(sys.modules[module])
        found = found.__closure__[int(index)].cell_contents if index else found
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None
    return found if type(found) is CACHE else None


def _variable_of(cache: Any) -> str | None:
    """Return the name of the global variable that has the cache, or a function with the cache in its closure."""
    for module, found in list(sys.modules.items()):
        for name, value in list(vars(found).items()) if issubclass(type(found), ModuleType) else ():
            if value is cache:
                return f"{module}:{name}"
            for index, cell in enumerate(value.__closure__ or () if type(value) is FunctionType else ()):
                if any(content is cache for content in gc.get_referents(cell)):
                    return f"{module}:{name}{_CLOSURE}{index}"
    return None


def _is_own(name: str) -> bool:
    return issubclass(type(sys.modules.get(name.partition(":")[0])), HotModule)
