"""Every view at three sizes as text, compared with the files in `frames`, which `make frames` writes anew.

The bottom line with the keys is left out: it changes with every new action, and has tests of its own. The colours are
compared as a list of the styles in each theme, with the texts that have them.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from hotdash.app import DashboardOptions
from hotdash.config.settings import Settings
from tests.support.dashboard.dashboard_pilot import LOOK_SECONDS, DashboardUser
from tests.support.dashboard.scripted_peer import Peer
from tests.support.dashboard.still_world import NOW, StillDashboard, still_world
from tests.support.waiting import eventually

FRAMES: Final = Path(__file__).with_name("frames")
WRITES: Final = "WRITE_FRAMES" in os.environ
VIEWS: Final = {
    "1 Overview": "fil_color_fsm", "2 Processes": "by pid", "4 Modules": "draining", "5 Releases": "1986.c",
    "6 Upgrades": "1986.b", "7 Events": "pool <20> started", "8 Logs": "the lamp is dim",
}  # fmt: skip
"""The views by their key and name, and a text that each of them shows when it is complete."""
HEAD: Final = "======== "
THEMES: Final = ("hotdash", "hotdash-light", "ansi-dark")


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


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


def styles(user: DashboardUser) -> str:
    """Each style on the screen, with the first texts that have it."""
    texts: dict[str, list[str]] = {}
    for strip in user.app.screen._compositor.render_strips()[:-1]:
        for segment in strip:
            found = texts.setdefault(str(segment.style), [])
            if segment.text.strip() and segment.text.strip() not in found:
                found.append(segment.text.strip())
    return "".join(f"{style:<60} {' | '.join(found[:6])}\n" for style, found in sorted(texts.items()) if found)


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


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_every_view_looks_as_reviewed(
    size: tuple[int, int], run_directory: Path, tmp_path: Path, utc: None
) -> None:
    name = f"{size[0]}x{size[1]}.txt"
    reviewed = dict(part.split("\n", 1) for part in reviewed_in(name).split(HEAD)[1:])
    frames = []
    async with still(tmp_path / "node", size) as user:
        for view, word in VIEWS.items():
            await user.press(view[0])
            frames.append(f"{HEAD}{view}\n{await settled(user, body, reviewed.get(view, ''), word)}")
    same_as_file(name, "".join(frames))


@pytest.mark.parametrize("theme", THEMES)
async def test_every_theme_has_the_reviewed_styles(theme: str, run_directory: Path, tmp_path: Path) -> None:
    name = f"styles-{theme}.txt"
    async with still(tmp_path / "node", (120, 40), theme) as user:
        same_as_file(name, await settled(user, styles, reviewed_in(name), "turns  41"))
