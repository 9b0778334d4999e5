"""Caches of `functools` that keep objects of an old version.

The cache of a library can be cleared at any time, because it only makes the library faster. So it counts as garbage. A
cache of an application may be the only place that keeps an object, so only a purge clears it.
"""

from __future__ import annotations

import functools
import sys
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from node_runtime.code.module import HotModule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from node_runtime.protocol.messages import OldCodeHolder

CACHE: Final = functools._lru_cache_wrapper


def cache_name(thing: Any) -> str | None:
    """Return the name, "module:name", by which `clear_caches` finds a cache; None if it can't be found by its name."""
    name = f"{getattr(thing, '__module__', None)}:{getattr(thing, '__qualname__', None)}"
    return name if _find(name) is thing else None


def cache_title(name: str) -> str:
    """Return the title of a cache in messages, such as "the cache shop.items.price"."""
    return f"the cache {name.replace(':', '.')}"


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
    try:
        found = attrgetter(path)(sys.modules[module])
    except (AttributeError, KeyError):
        return None
    return found if type(found) is CACHE else None


def _is_own(name: str) -> bool:
    return issubclass(type(sys.modules.get(name.partition(":")[0])), HotModule)
