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


async def open_dialog(user: DashboardUser) -> None:
    await user.press("e")
    await user.sees("Export what this view shows")


async def enter(user: DashboardUser, path: Path) -> None:
    user.app.screen.query_one(Input).value = str(path)
    await user.press("enter")


async def export(user: DashboardUser, path: Path) -> None:
    await open_dialog(user)
    await enter(user, path)
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


async def test_a_wrong_name_is_explained_in_the_dialog_which_stays_open(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.txt").write_text("mine")
    async with opened() as user:
        await user.press("4")
        await open_dialog(user)
        await enter(user, Path("mine.txt"))
        await user.sees("mine.txt exists; choose another name.", "Export what this view shows")
        await enter(user, Path("view.pdf"))
        await user.sees(".json or .svg; nothing was written.", "Export what this view shows")
        await enter(user, Path("nowhere/view.txt"))
        await user.sees("nowhere/view.txt can't be written", "Export what this view shows")
        await enter(user, Path("view.txt"))
        await user.is_notified("view.txt was written.")
        await eventually(lambda: "Export what this view" not in user.frame())
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
