"""The actions that concern what a view shows: its columns, and its content in a file."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hotdash import terminal
from hotdash.model.units import plural
from hotdash.model.view_state import Selection
from hotdash.screens.columns import ColumnDialog
from hotdash.screens.export import ExportDialog
from hotdash.views.process_list_table import COLUMN_TITLES
from hotdash.views.processes import Processes
from hotdash.widgets.export import ExportedRows
from hotdash.widgets.painting import LineScrollView
from node_runtime.protocol.clip import clip_path
from node_runtime.protocol.exit_codes import ExitCode, Refused

if TYPE_CHECKING:
    from hotdash.app import HotdashApp

ENDINGS: Final = (".txt", ".csv", ".json", ".svg")


async def choose_columns(app: HotdashApp) -> None:
    """Let the operator choose the columns of the list of processes."""
    await app.open_view("processes")
    table = app.main_screen.query_one(Processes).table
    chosen = await app.push_screen_wait(ColumnDialog(COLUMN_TITLES, table.names))
    if chosen is not None:
        table.choose(chosen)


async def export_view(app: HotdashApp) -> None:
    """Write what the screen shows now into a new file that the operator names."""
    if terminal.served():
        raise Refused("The dashboard in a browser writes no files on the server; export from a terminal.")
    screen = app.top_screen
    shown = [one for one in screen.query(LineScrollView) if one.is_on_screen]
    focused = screen.focused
    panel = focused if isinstance(focused, LineScrollView) else next(iter(shown), None)
    rows = panel.exported() if panel is not None else ExportedRows(("line",), (), 0)
    picture = app.export_screenshot(title=app.node.name)
    name = app.dashboard.view if screen is app.main_screen else screen.footer_name
    of_all = f" of {rows.total:,}" if rows.total > len(rows.rows) else ""
    proposed = f"{app.node.name}-{name}-{time.strftime('%H%M%S', time.localtime(app.clock()))}.txt"

    def write(typed: str) -> str:
        path = _expanded(typed)
        _write_new(path, _content(path, rows, picture))
        return clip_path(str(path))

    what = f"{name}: {plural(len(rows.rows), 'row')}{of_all}"
    written = await app.push_screen_wait(ExportDialog(proposed, what, write))
    if written is not None:
        hint = f" All of them: {app.command_line(Selection())} -o json" if of_all else ""
        app.show_toast(f"{written} was written.{hint}")


def _expanded(typed: str) -> Path:
    try:
        return Path(typed).expanduser()
    except RuntimeError:  # the home of an unknown user
        return Path(typed)


def _content(path: Path, rows: ExportedRows, picture: str) -> str:
    match path.suffix.lower():
        case ".txt":
            return rows.as_text()
        case ".csv":
            return rows.as_csv()
        case ".json":
            return rows.as_json()
        case ".svg":
            return picture
    sentence = f"{clip_path(str(path))} has to end in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}; nothing was written."
    raise Refused(sentence, ExitCode.USAGE)


def _write_new(path: Path, content: str) -> None:
    """Write a new file, which only this user can read. Raises Refused if the file exists or can't be written."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(content)
    except FileExistsError:
        raise Refused(f"{clip_path(str(path))} exists; choose another name.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Refused(f"{clip_path(str(path))} can't be written ({reason}); choose another folder.") from None
