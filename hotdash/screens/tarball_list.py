"""The folders and tarballs that a typed path may mean, as a table to choose from."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final, NamedTuple

from textual.suggester import Suggester

from hotdash.model.styled_text import span
from hotdash.model.units import moment, size
from hotdash.widgets.table import Column, Row, Table

MAX_READ: Final = 2000
"""The maximum number of entries of a folder that are read."""
MAX_LISTED: Final = 100


class Found(NamedTuple):
    """A folder or a tarball: the text that names it in the field, its size (None for a folder), its time of change."""

    text: str
    size: int | None
    changed: float


def find_tarballs(typed: str) -> list[Found]:
    """Return the tarballs (newest first) and then the folders whose path begins with the typed text.

    Unreadable files and folders are left out.
    """
    head, slash, start = typed.rpartition("/")
    before = head + slash
    found: list[Found] = []
    try:
        folder = Path(before).expanduser() if before else Path()
        for _, entry in zip(range(MAX_READ), folder.iterdir(), strict=False):
            if not entry.name.startswith(start) or (entry.name.startswith(".") and not start):
                continue
            if entry.is_dir():
                found.append(Found(f"{before}{entry.name}/", None, 0.0))
            elif entry.name.endswith(".tar.gz"):
                about = entry.stat()
                found.append(Found(before + entry.name, about.st_size, about.st_mtime))
    except (OSError, RuntimeError):  # an unreadable folder, or the home of an unknown user
        pass
    return sorted(found, key=lambda one: (one.size is None, -one.changed, one.text))[:MAX_LISTED]


class TarballSuggester(Suggester):
    """Completes a path with the first existing folder or tarball, in the order of names."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        names = sorted(one.text for one in find_tarballs(value))
        return names[0] if names and value.rpartition("/")[2] else None


class TarballTable(Table):
    """The folders and tarballs that the typed text may mean."""

    SCOPED_CSS = False  # the rules for small screens begin with a class of the screen
    DEFAULT_CSS = """
    TarballTable { height: 8; margin-top: 1; }
    .-low TarballTable { height: 5; margin-top: 0; }
    """

    def __init__(self) -> None:
        columns = (
            Column("tarballs and folders", min_width=20, max_width=60, grow=True),
            Column("size", align_right=True, drop_order=2),
            Column("changed", drop_order=1),
        )
        super().__init__(columns, id="files", empty="")

    def show_found(self, typed: str) -> None:
        """Show the folders and tarballs whose path begins with the typed text."""
        now = time.time()
        found = find_tarballs(typed)
        fits = "There is no tarball here; build one with 'node-runtime build'."
        empty = f"No tarball and no folder begins with {typed}." if typed.rpartition("/")[2] else fits
        self.show(
            [
                Row(
                    one.text,
                    (
                        (span(one.text, "name" if one.size is not None else "muted"),),
                        (span(size(one.size) if one.size is not None else ""),),
                        (span(moment(one.changed, now) if one.size is not None else "", "muted"),),
                    ),
                )
                for one in found
            ],
            empty,
        )

    def choose_first(self) -> None:
        """Take the focus, with the cursor on the first row."""
        if self.row_count:
            self.action_edge(-1)
            self.focus()
