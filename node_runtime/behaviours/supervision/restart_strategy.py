"""The restart strategies of supervisors: the siblings that each strategy restarts with a failed child.

Every decision that depends on the strategy is in this file and names each strategy, so that a type checker finds all
places to extend for a new strategy.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, TypeAlias, TypeVar, assert_never

RestartStrategy: TypeAlias = Literal["one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one"]
"""The name of a restart strategy. Follows supervisor:strategy()."""

C = TypeVar("C")


def stopped_for_restart(strategy: RestartStrategy, failed: C, children: Collection[C]) -> list[C]:
    """Return the children to stop and restart as a group because `failed` has failed, in start order.

    `children` are all children of the supervisor in start order. A strategy that restarts `failed` alone returns an
    empty list; all others return a list that contains `failed`.
    """
    match strategy:
        case "one_for_one" | "simple_one_for_one":
            return []
        case "one_for_all":
            return list(children)
        case "rest_for_one":
            in_order = list(children)
            return in_order[in_order.index(failed) :]
        case _ as unknown:
            assert_never(unknown)


def has_template(strategy: RestartStrategy) -> bool:
    """Return whether all children are instances of one specification, and are identified by pids instead of ids."""
    match strategy:
        case "simple_one_for_one":
            return True
        case "one_for_one" | "one_for_all" | "rest_for_one":
            return False
        case _ as unknown:
            assert_never(unknown)
