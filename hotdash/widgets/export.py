"""The rows that a widget shows, as text, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import Final

_FORMULA: Final = ("=", "+", "-", "@")
"""The characters with which a spreadsheet begins a formula."""


@dataclass(frozen=True, slots=True)
class ExportedRows:
    """Rows of cells, with the title of each column. `total` is the number of all rows, including rows that are not
    exported."""

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: int

    def as_text(self) -> str:
        """Return aligned columns, without blanks at the ends of lines."""
        lines = [self.titles, *self.rows]
        widths = [max(len(one[column]) for one in lines) for column in range(len(self.titles))]
        padded = ("  ".join(cell.ljust(width) for cell, width in zip(one, widths, strict=True)) for one in lines)
        return "".join(f"{one.rstrip()}\n" for one in padded)

    def as_csv(self) -> str:
        """Return CSV (RFC 4180). A text that a spreadsheet would take for a formula begins with an apostrophe."""
        written = io.StringIO(newline="")
        writer = csv.writer(written)
        writer.writerow(self.titles)
        writer.writerows([_no_formula(cell) for cell in one] for one in self.rows)
        return written.getvalue()

    def as_json(self) -> str:
        """Return a list with an object for each row."""
        found = [dict(zip(self.titles, one, strict=True)) for one in self.rows]
        return f"{json.dumps(found, indent=1, ensure_ascii=False)}\n"


def _no_formula(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
