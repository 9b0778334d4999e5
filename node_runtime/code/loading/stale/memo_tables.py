"""Finds dicts of modules outside the load in which functions remember results of changed code.

An example is `if item not in PRICES: PRICES[item] = shop.price(item)`. The dict keeps what the replaced `shop.price`
has returned. Only dicts of plain values are reported: other values are found as values of replaced code.
"""

from __future__ import annotations

import dis
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

from node_runtime.code.classes.definitions import names_mentioned
from node_runtime.code.classes.dependents import own_classes
from node_runtime.code.loading.function_data import member_function

from .cached_results import MAX_NAMED, CachedResults
from .copied_values import is_plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from node_runtime.code.version import Version

_FILLING: Final = frozenset({"setdefault", "update"})
"""Methods of a dict that add entries."""


class MemoTables:
    """The dicts in global variables of modules outside the load, and the functions that fill them."""

    def __init__(self, results: CachedResults) -> None:
        self._results = results

    def sentences(self, outside: Iterable[tuple[str, Version]]) -> Iterator[str]:
        """Yield a sentence for each dict that has entries which a function computes by changed code."""
        for module, version in outside:
            tables = {name for name, value in list(version.namespace.items()) if _is_filled_table(name, value)}
            for function in _functions(module, version) if tables else ():
                names = tables & names_mentioned(function.__code__) if _stores(function) else set()
                changed = self._results.changed_uses(version, function) if names else []
                for name in sorted(names) if changed else ():
                    more = f" and {len(changed) - MAX_NAMED} more" if len(changed) > MAX_NAMED else ""
                    yield (
                        f"{module}.{name} may keep results that {function.__qualname__} has computed with the replaced "
                        f"{', '.join(changed[:MAX_NAMED])}{more}: clear it after the upgrade, or let the appup load "
                        f"{module} too."
                    )


def _is_filled_table(name: str, value: Any) -> bool:
    return not name.startswith("__") and type(value) is dict and bool(value) and is_plain(list(value.values()))


def _functions(module: str, version: Version) -> Iterator[FunctionType]:
    """Yield the functions of a version, and the methods of its own classes."""
    for value in list(version.namespace.values()):
        if type(value) is FunctionType and value.__globals__ is version.namespace:
            yield value
    for _, cls in own_classes(module, version.namespace):
        for member in list(vars(cls).values()):
            function = member_function(member)
            if function is not None and function.__globals__ is version.namespace:
                yield function


def _stores(function: FunctionType) -> bool:
    """Return whether a function adds entries to some container."""
    code = function.__code__
    return not _FILLING.isdisjoint(code.co_names) or any(
        step.opname == "STORE_SUBSCR" for step in dis.get_instructions(code)
    )
