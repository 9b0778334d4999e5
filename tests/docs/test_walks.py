"""The walk-throughs: each command in them is run, and its output compared."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from textwrap import indent

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.support.pages.shown_commands import ROOT, Command, Walker, commands, matches, steps
from tests.support.projects.order_shop import CHANGES, orders

MIGRATING = ROOT / "docs" / "migrating-state.md"


@pytest.mark.slow
@pytest.mark.parametrize(("document", "port", "overrides"), [("fil", 8004, "cycle_time = 1.0\n"), ("nine9s", 9090, "")])
def test_a_walk_through_prints_what_it_shows(document: str, port: int, overrides: str, tmp_path: Path) -> None:
    walker = Walker(tmp_path, document, port, overrides)
    try:
        walker.walk(ROOT / "docs" / f"{document}.md")
    finally:
        walker.stop()


@pytest.mark.slow
def test_the_walk_through_the_hub_prints_what_it_shows_and_disconnects_nobody(tmp_path: Path) -> None:
    walker = Walker(tmp_path, "hub", port=9191)
    page = (ROOT / "docs" / "hub.md").read_text(encoding="utf-8")
    connected: list[ClientConnection] = []
    try:
        with contextlib.ExitStack() as joined:
            for step in steps(page):
                assert isinstance(step, Command)
                if step.line.endswith("hub stop"):
                    assert all(people.ping().wait(60) for people in connected)
                    joined.close()
                walker.take(step)
                if step.line.endswith("hub start"):
                    url = f"ws://127.0.0.1:{walker.own_port}/rooms/lobby"
                    connected += [joined.enter_context(connect(f"{url}/{name}")) for name in ("ann", "bob")]
    finally:
        walker.stop()


@pytest.mark.slow
def test_the_migrations_of_the_page_print_what_it_shows(tmp_path: Path) -> None:
    walker = Walker(tmp_path, "shop", port=8004)
    try:
        walker.walk(MIGRATING)
    finally:
        walker.stop()


@pytest.mark.slow
def test_the_tutorial_prints_what_it_shows(tmp_path: Path) -> None:
    walker = Walker(tmp_path, "counter", port=8000, working_directory=tmp_path)
    walker.node = tmp_path / "counter" / "_node"
    try:
        walker.walk(ROOT / "docs" / "tutorial.md")
    finally:
        walker.stop()


@pytest.mark.slow
def test_the_program_of_the_page_about_moving_in_is_upgraded_as_it_shows(tmp_path: Path) -> None:
    walker = Walker(tmp_path, "board_service", port=8000, working_directory=tmp_path)
    walker.node = tmp_path / "board_service" / "_node"
    try:
        walker.walk(ROOT / "docs" / "moving-in.md")
    finally:
        walker.stop()


def test_the_code_of_the_page_about_migrations_is_that_of_its_project() -> None:
    versions = [orders(vsn) for vsn in CHANGES]
    shown = re.findall(r"^```python\n(.*?)^```$", MIGRATING.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(shown) == 4
    for block in shown:
        assert any(block in text or indent(block, "    ") in text for text in versions), block


def test_a_difference_is_found() -> None:
    first = "```\n$ one   # why\nruns as process 7.\n…\nend <2>\n$ two\n```\n"
    shown = f"text\n{first}\n<!-- walk: exit 3 -->\n```\n$ three\n```\n"
    one, two, three = commands(shown)
    assert (one.line, two.line, three.line) == ("one", "two", "three")
    assert (two.code, three.code) == (0, 3)
    assert matches(one.output, ["runs as process 81.", "end  <12>"])
    assert matches(one.output, ["runs as process 81.", "and", "more", "end <1>"])
    assert not matches(one.output, ["runs as process 81.", "end <1>", "more"])
    assert not matches(one.output, ["runs as process x.", "end <1>"])
    assert not matches(two.output, ["something"])
