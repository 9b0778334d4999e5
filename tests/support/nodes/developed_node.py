"""A new project that `node-runtime dev` runs, and somebody who saves its files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node_runtime.cli import main
from node_runtime.cli.dev.development import Development
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.run_directory import locate
from tests.support.waiting import answered, eventually

NODE = "ice_cream-dev@127.0.0.1"
SERVER = "apps/ice_cream/src/ice_cream/server.py"
WITHIN = 120.0


class Developer:
    """Somebody who saves files of a project, and reads what `dev` says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[str] = []
        self.saves: asyncio.Queue[None] = asyncio.Queue()
        self.development = Development(folder, self.lines.append)

    async def changes(self) -> AsyncIterator[None]:
        while True:
            await self.saves.get()
            yield

    async def save(self, *changes: tuple[str, str]) -> str:
        """Change the server's file; returns the next line that `dev` says."""
        text = (self.folder / SERVER).read_text()
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        (self.folder / SERVER).write_text(text)
        said = len(self.lines)
        self.saves.put_nowait(None)
        await eventually(lambda: len(self.lines) > said, within=WITHIN, what="a line of dev")
        return self.lines[said]

    async def count(self) -> int:
        """The count in the server's state."""
        async with Client.connect(locate(NODE), user="ann", client_name="test") as client:
            listed = (await client.request(methods.SNAPSHOT)).processes
            pid = next(process.pid for process in listed if process.name == "ice_cream_server")
            state = (await client.request(methods.STATE, m.GetState(pid=pid))).state
            return int(dict(state.items)["count"].text)

    async def counted(self, least: int) -> None:
        """Wait until the count is at least `least`."""

        async def enough() -> bool | None:
            return await self.count() >= least or None

        await answered(enough, f"a count of {least}", within=WITHIN)

    async def releases(self) -> list[str]:
        """The releases in the node's directory."""
        async with Client.connect(locate(NODE), user="ann", client_name="test") as client:
            return [release.vsn for release in (await client.request(methods.RELEASES)).releases]


@pytest.fixture
async def developer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Developer]:
    """A developer of a new project that runs."""
    run_directory = tmp_path / "run"
    run_directory.mkdir(mode=0o700)
    monkeypatch.setenv("NODE_RUNTIME_RUN_DIR", str(run_directory))
    main(["new", str(tmp_path / "ice_cream")])
    (tmp_path / "ice_cream/config/sys.toml").write_text("[ice_cream]\nperiod = 0.02\n")
    made = Developer(tmp_path / "ice_cream")
    task = asyncio.create_task(made.development.run(made.changes()))
    await eventually(lambda: made.lines or task.done(), within=WITHIN, what="the start")
    yield made
    directory = made.development.node.directory
    task.cancel()
    await asyncio.wait([task])
    assert not directory.exists()
