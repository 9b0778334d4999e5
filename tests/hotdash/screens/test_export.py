"""The export of what a view shows."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from textual.widgets import Input

from hotdash.widgets.export import ExportedRows
from tests.support.dashboard.dashboard_pilot import DashboardUser, Open
from tests.support.waiting import eventually


async def export(user: DashboardUser, path: Path) -> None:
    await user.press("e")
    await user.sees("Export what this view shows")
    user.app.screen.query_one(Input).value = str(path)
    await user.press("enter")
    await eventually(lambda: "Export what this view" not in user.frame())


async def test_a_view_is_written_as_text_csv_json_and_as_a_picture(opened: Open, tmp_path: Path) -> None:
    async with opened() as user:
        await user.press("2")
        await user.sees("4 processes")
        for ending in ("txt", "csv", "json", "svg"):
            await export(user, tmp_path / f"view.{ending}")
            await user.is_notified(f"view.{ending} was written.")
    assert "fil_color_fsm" in (tmp_path / "view.txt").read_text()
    titles, *rows = csv.reader((tmp_path / "view.csv").read_text().splitlines())
    assert titles[:2] == ["pid", "name"]
    assert "fil_color_fsm" in {row[1] for row in rows}
    assert "<12>" in {row["pid"] for row in json.loads((tmp_path / "view.json").read_text())}
    assert (tmp_path / "view.svg").read_text().startswith("<svg")
    assert (tmp_path / "view.txt").stat().st_mode & 0o777 == 0o600


async def test_an_export_replaces_no_file_and_names_the_endings(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    async with opened() as user:
        await user.press("4")
        await export(user, tmp_path / "mine.txt")
        await user.is_notified("mine.txt exists; choose another name.")
        await export(user, tmp_path / "view.pdf")
        await user.is_notified("has to end in .txt, .csv, .json or .svg; nothing was written.")
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert not (tmp_path / "view.pdf").exists()


async def test_a_dashboard_in_a_browser_writes_no_file(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as user:
        monkeypatch.setenv("TEXTUAL_DRIVER", "textual.drivers.web_driver:WebDriver")
        await user.press("e")
        await user.is_notified("The dashboard in a browser writes no files on the server")


def test_a_spreadsheet_takes_no_text_of_a_node_for_a_formula() -> None:
    rows = ExportedRows(("name",), (('=HYPERLINK("x")',), ("fil",)), 2)
    assert list(csv.reader(rows.as_csv().splitlines())) == [["name"], ['\'=HYPERLINK("x")'], ["fil"]]
