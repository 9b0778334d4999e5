"""Tables of processes, which are printed page by page, and the lines of the tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from hotdash.model.process_tree import title_of, tree_guides
from hotdash.model.units import age
from node_runtime.protocol import messages as m

from .layout import columns, now, pid, status_text, text

Cell = Callable[[m.ProcessRow], Text]

PROCESS_COLUMNS: Mapping[str, tuple[Cell, bool]] = {
    "pid": (lambda row: Text(pid(row.pid)), False),
    "name": (lambda row: text(row.name or row.child_id or "", "name"), False),
    "kind": (lambda row: Text(row.kind), False),
    "module": (lambda row: text(row.module), False),
    "vsn": (lambda row: text(row.vsn), False),
    "application": (lambda row: text(row.application or ""), False),
    "id": (lambda row: text(row.child_id or ""), False),
    "arguments": (lambda row: text(row.arguments), False),
    "state": (lambda row: text(row.state_name or ""), False),
    "status": (lambda row: status_text(row.status), False),
    "mail": (lambda row: Text(str(row.mailbox)), True),
    "handled": (lambda row: Text(str(row.messages)), True),
    "rate": (lambda row: Text("" if row.rate is None else f"{row.rate:.1f}/s"), True),
    "busy": (lambda row: Text("" if row.busy is None else f"{row.busy:.1%}"), True),
    "restarts": (lambda row: Text(str(row.restarts)), True),
    "up": (lambda row: Text(age(now() - row.started)), True),
}
"""The columns by name: how a cell is made, and whether it is aligned to the right."""
DEFAULT_COLUMNS = ("pid", "name", "kind", "module", "status", "mail", "handled")
_GAP = 2


class ProcessTable:
    """A table that is printed page by page. The first page sets the widths of the columns."""

    def __init__(self, chosen: Sequence[str]) -> None:
        self._chosen = chosen
        self._widths: list[int] = []

    def rows(self, page: Sequence[m.ProcessRow]) -> RenderableType:
        """Return one page. Only the first page has the titles; its cells are folded to fit the terminal."""
        if not self._widths:
            table = columns(*self._chosen, right=tuple(name for name in self._chosen if PROCESS_COLUMNS[name][1]))
            cells = [[PROCESS_COLUMNS[name][0](row) for name in self._chosen] for row in page]
            for row in cells:
                table.add_row(*row)
            self._widths = [
                max((cell.cell_len for cell in column), default=0) for column in zip(*cells, strict=True)
            ] or [1]
            self._widths = [max(width, len(name)) for width, name in zip(self._widths, self._chosen, strict=False)]
            return table
        return Group(*(self._line(row) for row in page))

    def _line(self, row: m.ProcessRow) -> Text:
        line = Text(no_wrap=True, overflow="ellipsis")
        for name, width in zip(self._chosen, self._widths, strict=True):
            make, right = PROCESS_COLUMNS[name]
            cell = make(row)
            blank = " " * max(0, width - cell.cell_len)
            line.append(Text.assemble(blank, cell, "  ") if right else Text.assemble(cell, blank, "  "))
        return line


def tree_lines(page: m.TreePage) -> RenderableType:
    """Return one page of the tree as text."""
    rows = {row.pid: row for row in page.rows}
    return Group(
        *(Text.assemble((tree_guides(line.levels, root=True), "dim"), _label(line, rows)) for line in page.lines)
    )


def _label(line: m.TreeLine, rows: Mapping[int, m.ProcessRow]) -> Text:
    if line.hidden:
        return text(f"+{line.hidden:,} more; --all shows them", "muted")
    if line.child is not None:
        return Text.assemble(text(line.child.child_id, "muted"), " ", text(line.child.status, "warn"))
    if line.application is not None:
        return Text.assemble(text(line.application.name, "strong"), text(f" {line.application.vsn}", "muted"))
    if line.pid is None:
        return text(line.path, "strong")
    row = rows.get(line.pid)
    return (
        _process_label(row) if row is not None else Text.assemble(text(pid(line.pid)), " ", text("has ended", "muted"))
    )


def _process_label(process: m.ProcessSummary) -> Text:
    label = Text.assemble(text(title_of(process), "name"), text(f" {pid(process.pid)} ", "muted"), text(process.kind))
    if process.strategy:
        label.append(text(f" {process.strategy} {process.intensity or ''}".rstrip(), "muted"))
    if process.state_name:
        label.append(text(f" {process.state_name}", "strong"))
    if process.module:
        label.append(text(f"  {process.module} {process.vsn}", "muted"))
    if process.status not in ("idle", "running"):
        label.append(text(f" {process.status}", "bad"))
    return label
