"""The dashboard on a scripted node, for each test of the dashboard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual._compositor import Compositor

from hotdash.app import DashboardOptions, HotdashApp
from tests.support.dashboard.dashboard_pilot import DashboardUser, DrawnChanges, Open
from tests.support.dashboard.scripted_peer import Peer


@pytest.fixture(autouse=True)
def drawn_when_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual draws each change of the screen, and without a terminal throws the drawing away.

    That would be a third of the work of these tests. `DashboardUser` draws all of the screen when it looks at it.
    """

    def forget_changes(compositor: Compositor, full: bool = False, **options: object) -> None:
        DrawnChanges.count += 1
        compositor._dirty_regions.clear()

    monkeypatch.setattr(Compositor, "render_update", forget_changes)


@pytest.fixture
def run_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "run"
    monkeypatch.setenv("NODE_RUNTIME_RUN_DIR", str(path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return path


@pytest.fixture
async def peer(run_directory: Path, tmp_path: Path) -> AsyncIterator[Peer]:
    node = Peer(tmp_path / "node")
    yield node
    node.stop()


@pytest.fixture
def opened(peer: Peer) -> Open:
    """`async with opened() as user`: the dashboard on the scripted node, live."""

    @asynccontextmanager
    async def open_it(size: tuple[int, int] = (120, 40), **options: Any) -> AsyncIterator[DashboardUser]:
        app = HotdashApp(peer.start(), DashboardOptions(reconnect_delays=(0.05,), **options))
        async with app.run_test(size=size, notifications=True) as pilot:
            user = DashboardUser(app, pilot)
            await user.sees("● live", "fil_color_fsm")
            yield user

    return open_it
