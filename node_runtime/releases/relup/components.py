"""Groups of module changes that an upgrade carries out together, because their `deps` in the appup connect them.

Follows OTP's release handling: modules that `deps` connect, directly or not, form one component. In a component, a
module comes before those that it depends on. Where the dependencies leave the order open, or form a cycle, the modules
keep the order of the appup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def components(deps: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Return the weakly connected components of the graph `deps`, in the order of their first nodes.

    `deps` maps each node, in the appup's order, to the nodes that it depends on. In a component,
    dependents come first.
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
    """Sort `nodes` so that each comes before those that it depends on; otherwise, the given order is kept."""
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
