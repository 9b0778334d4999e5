"""`StepGraph`: orders the steps of a script by required and by preferred predecessors."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Node = TypeVar("Node", bound=Hashable)


@dataclass
class StepGraph(Generic[Node]):
    """The graph of a script's steps. Of the steps that may come next, the one with the lowest rank is chosen.

    `must` has, for each step, the steps that have to come before it. `should` has the steps that preferably come before
    it: if modules import each other in a circle, some of these preferences can't be kept.
    """

    ranks: dict[Node, tuple[int, str]] = field(default_factory=dict)
    must: dict[Node, set[Node]] = field(default_factory=dict)
    should: dict[Node, set[Node]] = field(default_factory=dict)

    def add(self, node: Node, rank: int, name: str) -> None:
        """Add a node. Nodes of equal rank are sorted by `name`."""
        self.ranks[node] = (rank, name)
        self.must.setdefault(node, set())
        self.should.setdefault(node, set())

    def order(self, first: Node, then: Node, *, must: bool = True) -> None:
        """Put `first` before `then` if the graph has both. With must=False, the order is only preferred."""
        if first in self.ranks and then in self.ranks and first != then:
            (self.must if must else self.should)[then].add(first)

    def sorted(self) -> list[Node]:
        """Return all nodes in their order."""
        waiting = set(self.ranks)
        ordered: list[Node] = []
        while waiting:
            free = [node for node in waiting if self.must[node].isdisjoint(waiting)] or list(waiting)
            open_ones = {node: len(self.should[node] & waiting) for node in free}
            node = min(free, key=lambda each: (open_ones[each] > 0, open_ones[each], *self.ranks[each]))
            waiting.remove(node)
            ordered.append(node)
        return ordered
