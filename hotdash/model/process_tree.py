"""The supervision tree as rows, from the lines that the node sends.

A row has a key, which identifies one process or other object, and a path, which consists of names. The selection is
stored as a key, so it never moves to another process. Closed branches are stored as paths, so they stay closed when a
process is restarted.
"""

from __future__ import annotations

from dataclasses import dataclass

from node_runtime.protocol import messages as m

from .selection import ChildKey, FoldKey, GroupKey, Key, ProcessKey
from .windows import TreeWindow


@dataclass(frozen=True, slots=True)
class TreeRow:
    """One visible line. `guides` are the lines of the tree before the title. `expanded` says whether the branch below
    the row is open.
    """

    key: Key
    line: m.TreeLine
    title: str
    guides: str
    process: m.ProcessRow | None = None
    expanded: bool = True


def tree_rows(window: TreeWindow, closed: frozenset[str]) -> list[TreeRow]:
    """Return a row for each line of the tree that the node has sent."""
    return [_row(line, window, closed) for line in window.page.lines]


def _row(line: m.TreeLine, window: TreeWindow, closed: frozenset[str]) -> TreeRow:
    boot_id, guides = window.page.boot_id, tree_guides(line.levels)
    if line.pid is not None:
        process = window.rows.get(line.pid)
        title = title_of(process) if process is not None else line.path.rpartition("/")[2]
        return TreeRow(ProcessKey(boot_id, line.pid), line, title, guides, process, line.path not in closed)
    if line.child is not None:
        key: Key = ChildKey(boot_id, line.child.supervisor, line.child.child_id)
        return TreeRow(key, line, line.child.child_id, guides)
    if line.hidden:
        return TreeRow(FoldKey(line.path), line, f"+{line.hidden:,} more", guides)
    return TreeRow(GroupKey(line.path), line, line.path, guides, None, line.path not in closed)


def tree_guides(levels: str, *, root: bool = False) -> str:
    """Return the lines that a tree draws before a title, for the `levels` of a TreeLine.

    Without `root`, the applications are at the left margin. With `root`, they are below the line of the node.
    """
    if root:
        above = "".join("│   " if level == "|" else "    " for level in levels[:-1])
        return above + ("├── " if levels[-1:] == "|" else "└── ")
    if len(levels) < 2:
        return ""
    above = "".join("│ " if level == "|" else "  " for level in levels[1:-1])
    return above + ("├ " if levels[-1] == "|" else "└ ")


def label_of(process: m.ProcessSummary) -> str:
    """Return the title of a process with its arguments, which tell the workers of a pool apart."""
    arguments = process.arguments if isinstance(process, m.ProcessRow) else ""
    return f"{title_of(process)} {arguments}" if arguments else title_of(process)


def title_of(process: m.ProcessSummary) -> str:
    """Return the registered name of a process, else its child id, else its module, or "application master of …"."""
    if process.kind == "application" and process.name is None:
        return f"application master of {process.application}" if process.application else "application master"
    return process.name or process.child_id or process.module
