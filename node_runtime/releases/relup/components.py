"""The components of the graph of an appup's `deps`: module changes that belong together, in order.

Follows OTP's release handling: changes that depend on each other, directly or not, are one component, which is carried
out as a whole. In a component, dependents come first; cycles and changes without an order between them keep the written
order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def components(deps: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Return the weakly connected components of the graph, each with its dependents first.

    `deps` has every node as a key, in the written order; components come in the order of their first node.
    """
    neighbours: dict[str, set[str]] = {node: set() for node in deps}
    for node, needed in deps.items():
        for other in needed:
            neighbours[node].add(other)
            neighbours[other].add(node)
    seen: set[str] = set()
    found = []
    for node in deps:
        if node not in seen:
            members = _reachable(node, neighbours)
            seen |= members
            found.append(_dependents_first([member for member in deps if member in members], deps))
    return found


def _dependents_first(nodes: list[str], deps: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a topological order of the strong components of `nodes`, the earliest written first."""
    if len(nodes) == 1:
        return nodes
    reach = {node: _reachable(node, deps) for node in nodes}
    left = list(nodes)
    ordered = []
    while left:
        head = next(node for node in left if all(other in reach[node] for other in left if node in reach[other]))
        cycle = [node for node in left if node in reach[head] and head in reach[node]]
        ordered += cycle
        left = [node for node in left if node not in cycle]
    return ordered


def _reachable(start: str, edges: Mapping[str, Sequence[str] | set[str]]) -> set[str]:
    found = {start}
    waiting = [start]
    while waiting:
        for other in edges[waiting.pop()]:
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found
