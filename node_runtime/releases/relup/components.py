"""Groups of module changes that an upgrade carries out together, because their `deps` in the appup connect them.

Follows OTP's release handling: modules that `deps` connect, directly or not, form one component. In a component, a
module comes before the modules that it depends on. Otherwise, the modules keep the order of the appup, also in a cycle.
Apart from a sort, the time is proportional to the number of modules and dependencies.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping, Sequence


def components(deps: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Return the weakly connected components of the graph `deps`, in the order of their first nodes.

    `deps` maps every node, in the appup's order, to the nodes that it depends on. In a component, dependents come
    first.
    """
    neighbours: dict[str, set[str]] = {node: set() for node in deps}
    for node, needed in deps.items():
        for other in needed:
            neighbours[node].add(other)
            neighbours[other].add(node)
    place = {node: number for number, node in enumerate(deps)}
    seen: set[str] = set()
    found = []
    for node in deps:
        if node not in seen:
            members = _reachable(node, neighbours)
            seen |= members
            found.append(_dependents_first(sorted(members, key=place.__getitem__), deps))
    return found


def _dependents_first(nodes: Sequence[str], deps: Mapping[str, Sequence[str]]) -> list[str]:
    """Sort `nodes` so that each comes before those that it depends on; else keep the given order.

    A cycle stays together, at the place of its first node.
    """
    place = {node: number for number, node in enumerate(nodes)}
    cycle_of = _cycles(nodes, deps)
    cycles: dict[str, list[str]] = {}
    for node in nodes:
        cycles.setdefault(cycle_of[node], []).append(node)
    edges = {
        (cycle_of[node], cycle_of[other]) for node in nodes for other in deps[node] if cycle_of[node] != cycle_of[other]
    }
    dependents = dict.fromkeys(cycles, 0)
    needed: dict[str, list[str]] = {name: [] for name in cycles}
    for begin, end in edges:
        dependents[end] += 1
        needed[begin].append(end)
    free = [(place[members[0]], name) for name, members in cycles.items() if not dependents[name]]
    heapq.heapify(free)
    ordered: list[str] = []
    while free:
        _, name = heapq.heappop(free)
        ordered += cycles[name]
        for other in needed[name]:
            dependents[other] -= 1
            if not dependents[other]:
                heapq.heappush(free, (place[cycles[other][0]], other))
    return ordered


def _cycles(nodes: Sequence[str], deps: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Map each node to one node of its strongly connected component, found by Kosaraju's algorithm."""
    finished: list[str] = []
    seen: set[str] = set()
    for start in nodes:
        waiting = [(start, False)]
        while waiting:
            node, is_done = waiting.pop()
            if is_done:
                finished.append(node)
            elif node not in seen:
                seen.add(node)
                waiting.append((node, True))
                waiting += [(other, False) for other in deps[node]]
    dependents: dict[str, list[str]] = {node: [] for node in nodes}
    for node in nodes:
        for other in deps[node]:
            dependents[other].append(node)
    representative: dict[str, str] = {}
    for start in reversed(finished):
        waiting_nodes = [start]
        while waiting_nodes:
            node = waiting_nodes.pop()
            if node not in representative:
                representative[node] = start
                waiting_nodes += dependents[node]
    return representative


def _reachable(start: str, edges: Mapping[str, Collection[str]]) -> set[str]:
    found = {start}
    waiting = [start]
    while waiting:
        for other in edges[waiting.pop()]:
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found
