"""Finds the global variables whose dicts and sets have large numbers as keys, which may be the `id` of an object.

If a migration replaces the object, the new object has another `id`, so that the global variable no longer finds it.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final

from node_runtime.behaviours.show.time_budget import TimeBudget
from node_runtime.code.loading.code_in_containers import ObjectWalk
from node_runtime.releases.migration.kept_ids import keys_of

MIN_ID: Final = 1 << 20
"""No object has a smaller address."""
SEARCH_SECONDS: Final = 0.5
"""Processor time for the search."""


def ids_in_modules(modules: Iterable[str]) -> Mapping[int, str]:
    """Return the numbers that may be an `id`, each with the name of its global variable, such as "shop.desk.NAMES"."""
    found: dict[int, str] = {}
    walk, budget = ObjectWalk(), TimeBudget(SEARCH_SECONDS)
    for module in modules:
        for name, value in _variables(module):
            for holder in walk.objects_in(value, name):
                # The walk leaves out dicts of numbers and texts, because the collector doesn't track them.
                untracked = [one for one in gc.get_referents(holder) if type(one) is dict and not gc.is_tracked(one)]
                for container in (holder, *untracked):
                    keys = keys_of(container) or ()
                    found.update((key, f"{module}.{name}") for key in keys if type(key) is int and key > MIN_ID)
                if budget.is_spent():
                    return found
    return found


def _variables(module: str) -> list[tuple[str, Any]]:
    namespace = getattr(sys.modules.get(module), "__dict__", {})
    return [(name, value) for name, value in list(namespace.items()) if not name.startswith("__")]
