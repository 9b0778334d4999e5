"""The supervision tree of a snapshot, filtered and flattened into rows.

The key of a tree node identifies one process or other object; the path of a tree node consists of names. The selection
is stored as a key, so it never moves to another process. Collapsed tree nodes are stored as paths, so they stay
collapsed when a process is restarted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from node_runtime.protocol import messages as m

from .selection import ChildKey, FoldKey, GroupKey, Key, ProcessKey

MAX_SIBLINGS = 50
"""Siblings beyond this number are folded into one row."""

UNSUPERVISED = "not supervised"


@dataclass(frozen=True, slots=True)
class TreeNode:
    """An application, a process, or a child specification without a process."""

    key: Key
    path: str
    title: str
    process: m.ProcessSummary | None = None
    child: m.ChildInfo | None = None
    application: m.ApplicationInfo | None = None
    children: tuple[TreeNode, ...] = ()
    matched: bool = False


@dataclass(frozen=True, slots=True)
class TreeRow:
    """One visible line. `guides` are the lines of the tree before the title.

    `hidden` is the number of siblings that this row replaces, or 0.
    """

    node: TreeNode
    guides: str
    expanded: bool
    hidden: int = 0


def build_tree(snapshot: m.Snapshot) -> tuple[TreeNode, ...]:
    """Return the applications, then a group of the processes that belong to no application."""
    return _TreeBuilder(snapshot).roots()


class _TreeBuilder:
    def __init__(self, snapshot: m.Snapshot) -> None:
        self.boot_id = snapshot.info.boot_id
        self.applications = snapshot.applications
        self.processes = {process.pid: process for process in snapshot.processes}
        self.children_of: dict[int, list[m.ProcessSummary]] = defaultdict(list)
        self.missing: dict[int, list[m.ChildInfo]] = defaultdict(list)
        self.visited: set[int] = set()
        for process in sorted(snapshot.processes, key=lambda p: p.pid):
            if process.parent in self.processes:
                self.children_of[process.parent].append(process)
        for child in snapshot.children:
            self.missing[child.supervisor].append(child)

    def roots(self) -> tuple[TreeNode, ...]:
        roots = [self._application(application) for application in self.applications]
        unreached = sorted(self.processes.values(), key=lambda p: (p.parent in self.processes, p.pid))
        nodes = tuple(self._process(p, UNSUPERVISED) for p in unreached if p.pid not in self.visited)
        if nodes:
            roots.append(TreeNode(GroupKey(""), UNSUPERVISED, UNSUPERVISED, children=nodes))
        return tuple(roots)

    def _application(self, application: m.ApplicationInfo) -> TreeNode:
        top = self.processes.get(application.top) if application.top is not None else None
        top_processes = [top] if top is not None else []
        top_processes += [
            p
            for p in self.processes.values()
            if p.application == application.name and p.parent not in self.processes and p is not top
        ]
        nodes = tuple(self._process(p, application.name) for p in top_processes)
        key = GroupKey(application.name)
        return TreeNode(key, application.name, application.name, application=application, children=nodes)

    def _process(self, process: m.ProcessSummary, parent_path: str) -> TreeNode:
        self.visited.add(process.pid)
        path = f"{parent_path}/{process.child_id or process.name or process.pid}"
        below = [self._process(p, path) for p in self.children_of[process.pid] if p.pid not in self.visited]
        below += [self._missing_child(child, path) for child in self.missing[process.pid]]
        key = ProcessKey(self.boot_id, process.pid)
        return TreeNode(key, path, title_of(process), process=process, children=tuple(below))

    def _missing_child(self, child: m.ChildInfo, parent_path: str) -> TreeNode:
        key = ChildKey(self.boot_id, child.supervisor, child.child_id)
        return TreeNode(key, f"{parent_path}/{child.child_id}", child.child_id, child=child)


def title_of(process: m.ProcessSummary) -> str:
    """Return the registered name of a process, else its child id, else its module, or "application master"."""
    if process.kind == "application" and process.name is None:
        return "application master"
    return process.name or process.child_id or process.module


def walk(nodes: Sequence[TreeNode]) -> Iterator[TreeNode]:
    """Yield every node, parents first."""
    for node in nodes:
        yield node
        yield from walk(node.children)


def find(nodes: Sequence[TreeNode], key: Key) -> TreeNode | None:
    """Return the node with this key, if there is one."""
    return next((node for node in walk(nodes) if node.key == key), None)


def filter_tree(nodes: Sequence[TreeNode], wanted: str) -> tuple[TreeNode, ...]:
    """Return the nodes that contain every word of `wanted`, marked as matched, with all their ancestors."""
    words = wanted.lower().split()
    if not words:
        return tuple(nodes)
    return tuple(_matching(nodes, words))


def _matching(nodes: Sequence[TreeNode], words: list[str]) -> Iterator[TreeNode]:
    for node in nodes:
        below = tuple(_matching(node.children, words))
        matched = all(word in _searched(node) for word in words)
        if matched or below:
            yield replace(node, children=below, matched=matched)


def _searched(node: TreeNode) -> str:
    process = node.process
    if process is None:
        return f"{node.title} {node.child.status if node.child else ''}".lower()
    parts = (node.title, process.module, f"<{process.pid}>", process.child_id, process.kind, process.state_name)
    return " ".join(part for part in (*parts, process.status, process.vsn) if part).lower()


def flatten(
    roots: Sequence[TreeNode], collapsed: frozenset[str] = frozenset(), unfolded: frozenset[str] = frozenset()
) -> list[TreeRow]:
    """Return the visible rows: collapsed nodes hide their children, and long lists of siblings are folded."""
    return [row for node in roots for row in _rows(node, "", "", collapsed, unfolded)]


def _rows(node: TreeNode, lead: str, below: str, collapsed: frozenset[str], unfolded: frozenset[str]) -> list[TreeRow]:
    expanded = node.path not in collapsed
    rows = [TreeRow(node, lead, expanded)]
    if not expanded:
        return rows
    shown = node.children if node.path in unfolded else node.children[:MAX_SIBLINGS]
    hidden = len(node.children) - len(shown)
    for index, child in enumerate(shown):
        last = index == len(shown) - 1 and not hidden
        rows += _rows(child, below + ("└ " if last else "├ "), below + ("  " if last else "│ "), collapsed, unfolded)
    if hidden:
        fold = TreeNode(FoldKey(node.path), node.path, f"+{hidden} more")
        rows.append(TreeRow(fold, below + "└ ", False, hidden))
    return rows
