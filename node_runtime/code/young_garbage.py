"""Collects garbage that was created recently."""

from __future__ import annotations

import gc


def collect_young() -> None:
    """Free recently created garbage. Takes a fraction of a millisecond, regardless of the size of the heap.

    Executing a module leaves reference cycles behind, such as the class that `dataclass(slots=True)` replaces. The
    cycles keep the module's namespace in memory until they are collected.
    """
    if gc.isenabled():
        gc.collect(1)
