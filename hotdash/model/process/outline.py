"""An outline: lines below lines, which can be closed, opened, filtered and searched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hotdash.model.styled_text import Line, Span, text_of

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OutlineNode:
    """One line and the lines below it. `path` identifies it, also after a refresh.

    `jump` is the pid of the process that the line names. `is_open` says whether the lines below are shown at first; the
    operator can open and close the line. If `folds`, a line that is too long continues on the next rows.
    """

    path: Path
    line: Line
    children: tuple[OutlineNode, ...] = ()
    jump: int | None = None
    is_open: bool = True
    folds: bool = False

    def matches(self, words: Sequence[str]) -> bool:
        """Return whether the line contains all these words, which are in lower case."""
        text = text_of(self.line).lower()
        return all(word in text for word in words)


@dataclass(frozen=True, slots=True)
class OutlineRow:
    """A visible line, indented, with a mark that says whether lines below it are shown."""

    node: OutlineNode
    line: Line


@dataclass(frozen=True, slots=True)
class Folding:
    """The lines of an outline that the operator has closed and opened, by path."""

    closed: frozenset[Path] = frozenset()
    opened: frozenset[Path] = frozenset()

    def shows_below(self, node: OutlineNode) -> bool:
        """Return whether the lines below the line `node` are shown."""
        return node.path in self.opened or (node.is_open and node.path not in self.closed)

    def with_open(self, path: Path) -> Folding:
        """Return the folding with the line at `path` open."""
        return Folding(self.closed - {path}, self.opened | {path})

    def with_closed(self, path: Path) -> Folding:
        """Return the folding with the line at `path` closed."""
        return Folding(self.closed | {path}, self.opened - {path})


EVERYTHING_OPEN = None
"""In place of a Folding: all lines are shown."""


def flatten(nodes: Sequence[OutlineNode], folding: Folding | None) -> list[OutlineRow]:
    """Return the visible lines."""
    return list(_rows(nodes, folding, 0))


def _rows(nodes: Sequence[OutlineNode], folding: Folding | None, depth: int) -> Iterator[OutlineRow]:
    for node in nodes:
        shown = bool(node.children) and (folding is None or folding.shows_below(node))
        mark = ("▾ " if shown else "▸ ") if node.children else "  "
        yield OutlineRow(node, (Span("  " * depth + mark, "muted"), *node.line))
        if shown:
            yield from _rows(node.children, folding, depth + 1)


def filtered(nodes: Sequence[OutlineNode], wanted: str) -> tuple[OutlineNode, ...]:
    """Return the lines that contain every word of `wanted`, with the lines above them and below them."""
    words = wanted.lower().split()
    return tuple(_matching(nodes, words)) if words else tuple(nodes)


def _matching(nodes: Sequence[OutlineNode], words: list[str]) -> Iterator[OutlineNode]:
    for node in nodes:
        if node.matches(words):
            yield node
        elif below := tuple(_matching(node.children, words)):
            yield replace(node, children=below, is_open=True)


def walk(nodes: Sequence[OutlineNode]) -> Iterator[OutlineNode]:
    """Yield every line, parents first."""
    for node in nodes:
        yield node
        yield from walk(node.children)


def parents_of(nodes: Sequence[OutlineNode], path: Path) -> tuple[Path, ...]:
    """Return the paths of the lines above a line, the topmost first; none if there is no such line."""
    for node in nodes:
        if any(child.path == path for child in node.children):
            return (node.path,)
        if below := parents_of(node.children, path):
            return (node.path, *below)
    return ()
