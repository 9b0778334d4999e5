"""Every view, screen and dialog at three sizes as text, compared with the files in `frames`.

`make test` compares one size and one theme, `make test-all` all. `make frames` writes these files anew. The bottom line
with the keys and the help are left out: they change with every new action, and have tests of their own. The colours are
compared as a list of the styles in each theme, with the texts that have them; a text is listed for the first screen on
which it has a style.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from textual.widgets import Input

from hotdash.app import DashboardOptions
from hotdash.config.settings import Settings
from tests.support.dashboard.dashboard_pilot import LOOK_SECONDS, DashboardUser
from tests.support.dashboard.scripted_peer import Peer
from tests.support.dashboard.still_world import NOW, StillDashboard, still_world
from tests.support.matrix import slow
from tests.support.waiting import eventually

FRAMES: Final = Path(__file__).with_name("frames")
WRITES: Final = "WRITE_FRAMES" in os.environ


class Step(NamedTuple):
    """The keys that open a screen, a text that it shows when it is complete, and the keys that close it."""

    keys: str
    word: str
    closing: str = ""


STEPS: Final = {
    "1 Overview": Step("1", "turns  41"),
    "2 Processes": Step("2", "by pid"),
    "4 Modules": Step("4", "draining"),
    "5 Releases": Step("5", "1986.c"),
    "6 Upgrades": Step("6", "1986.b"),
    "7 Events": Step("7", "pool <20> started"),
    "8 Logs": Step("8", "the lamp is dim"),
    "Process": Step("1 3", "around it", "escape"),
    "Operation": Step("6 enter", "upgrade", "escape"),
    "Columns": Step("2 t", "Columns of the processes", "escape"),
    "Export": Step("e", "Export", "escape"),
    "Quit": Step("q", "Quit", "escape"),
    "Arm": Step("exclamation_mark", "Arm", "tab enter"),
    "Kill": Step("1 K", "Reason, in the audit log", "escape"),
    "Trace": Step("3 F", "For (s)", "escape escape"),
    "Module": Step("4 down enter", "source of the current version", "escape"),
    "End old code": Step("E", "Cancel", "escape"),
    "Plan": Step("5 down p", "Nothing has been changed yet", "escape"),
    "Upgrade": Step("U", "Type 1986.b to proceed", "escape"),
    "Restart into": Step("C", "Type 1986.b to proceed", "escape"),
    "Remove": Step("M", "staged again", "escape"),
    "Stage": Step("S", "releases/", "escape"),
}
"""The views, and after them the screens and the dialogs, in an order in which each begins where the last one ended."""
HEAD: Final = "======== "
SIZES: Final = ((80, 24), (120, 40), (200, 60))
THEMES: Final = ("hotdash", "hotdash-light", "ansi-dark")


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.fixture(autouse=True)
def no_blinking(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cursor of a field is always visible, so that its style is the same at each look."""
    monkeypatch.setattr(Input, "_restart_blink", lambda field: setattr(field, "_cursor_visible", True))


@pytest.fixture(autouse=True)
def folder_of_tarballs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The folder from which the dashboard is started: the dialog that stages a release lists it."""
    folder = tmp_path / "home"
    (folder / "releases").mkdir(parents=True)
    monkeypatch.chdir(folder)


@asynccontextmanager
async def still(directory: Path, size: tuple[int, int], theme: str = "") -> AsyncIterator[DashboardUser]:
    """The dashboard on a node on which no time passes."""
    peer = Peer(directory, still_world(), tick=3600)
    options = DashboardOptions(keymap={}, clock=lambda: NOW, settings=Settings(theme=theme or None))
    app = StillDashboard(peer.start(), options)
    try:
        async with app.run_test(size=size, notifications=True) as pilot:
            user = DashboardUser(app, pilot)
            await user.sees("● live", "fil_color_fsm")
            await eventually(lambda: app.node.sample is not None and app.node.sample.view is not None)
            peer.emit("process", "pool <20> started", at=NOW - 3700)
            peer.emit("release", "1986.c staged", at=NOW - 3600)
            peer.emit("log", "warning: the lamp is dim", at=NOW - 30)
            await eventually(lambda: len(app.node.log) == 3)
            yield user
    finally:
        peer.stop()


def body(user: DashboardUser) -> str:
    """The screen without the line of keys."""
    lines = user.frame().splitlines()
    return "\n".join(lines[:-1]).rstrip() + "\n"


def styles(user: DashboardUser) -> dict[str, list[str]]:
    """Each style on the screen, with the texts that have it."""
    texts: dict[str, list[str]] = {}
    for strip in user.app.screen._compositor.render_strips()[:-1]:
        for segment in strip:
            found = texts.setdefault(str(segment.style), [])
            if segment.text.strip() and segment.text.strip() not in found:
                found.append(segment.text.strip())
    return texts


def new_styles(texts: dict[str, list[str]], known: set[tuple[str, str]]) -> str:
    """A line for each style with the first texts that no earlier screen has had in this style."""
    new = {style: [text for text in found if (style, text) not in known] for style, found in sorted(texts.items())}
    return "".join(f"{style:<40} {' | '.join(found[:4])}\n" for style, found in new.items() if found)


async def settled(user: DashboardUser, look: Callable[[DashboardUser], str], reviewed: str, *words: str) -> str:
    """What the screen shows when it is as reviewed or, for new files, when it has stayed the same for ten looks."""
    looks: list[str] = []

    def stays() -> bool:
        looks.append(look(user))
        return looks[-1] == reviewed if not WRITES else len(looks) > 10 and len(set(looks[-10:])) == 1

    if WRITES:
        await user.sees(*words)
    with suppress(pytest.fail.Exception):
        await eventually(stays, pause=LOOK_SECONDS)
    return look(user)


def reviewed_in(name: str) -> str:
    """The text of a file, or nothing if the files are written anew."""
    return "" if WRITES else (FRAMES / name).read_text()


def same_as_file(name: str, text: str) -> None:
    if WRITES:
        (FRAMES / name).write_text(text)
    assert text == (FRAMES / name).read_text(), f"{name} shows something else; if it is right, run 'make frames'"


async def walk(user: DashboardUser, name: str, look: Callable[[DashboardUser], str]) -> AsyncIterator[str]:
    """Go through all steps, and yield for each of them the heading and what `look` returns when it is settled."""
    reviewed = dict(part.split("\n", 1) for part in reviewed_in(name).split(HEAD)[1:])
    for title, step in STEPS.items():
        await user.press(*step.keys.split())
        yield f"{HEAD}{title}\n{await settled(user, look, reviewed.get(title, ''), step.word)}"
        await user.press(*step.closing.split())


@pytest.mark.parametrize("size", [SIZES[0], *slow(*SIZES[1:])], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_every_view_screen_and_dialog_looks_as_reviewed(
    size: tuple[int, int], run_directory: Path, tmp_path: Path, utc: None
) -> None:
    name = f"{size[0]}x{size[1]}.txt"
    async with still(tmp_path / "node", size) as user:
        frames = [frame async for frame in walk(user, name, body)]
    same_as_file(name, "".join(frames))


@pytest.mark.parametrize("theme", [THEMES[0], *slow(*THEMES[1:])])
async def test_every_theme_has_the_reviewed_styles(theme: str, run_directory: Path, tmp_path: Path, utc: None) -> None:
    name = f"styles-{theme}.txt"
    known: set[tuple[str, str]] = set()

    def look(user: DashboardUser) -> str:
        return new_styles(styles(user), known)

    async with still(tmp_path / "node", (80, 24), theme) as user:
        parts = []
        async for part in walk(user, name, look):
            parts.append(part)
            known |= {(style, text) for style, texts in styles(user).items() for text in texts}
    same_as_file(name, "".join(parts))
