"""Collects garbage that may hold an old version."""

from __future__ import annotations

import gc


def collect_young() -> None:
    """Free recently created garbage. Takes a fraction of a millisecond, regardless of the size of the heap.

    Executing a module leaves reference cycles behind, such as the class that `dataclass(slots=True)` replaces. The
    cycles keep the module's namespace in memory until they are collected.
    """
    if gc.isenabled():
        gc.collect(1)


def collect_all() -> None:
    """Free all garbage. With millions of objects this takes about a second; no other Python code runs meanwhile.

    Garbage that has survived earlier collections is in the oldest generation, which `collect_young` does not examine.
    """
    gc.collect()
