"""A replay shows what the live dashboard showed, and can be paused, moved and made faster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from hotdash.app import DashboardOptions, HotdashApp
from hotdash.recording.headless import record_node
from hotdash.recording.reader import Recording
from hotdash.recording.writer import RecordingWriter
from hotdash.replay_app import ReplayApp
from node_runtime.protocol import messages as m
from tests.support.dashboard.dashboard_pilot import DashboardUser, upgrade_to_b
from tests.support.dashboard.fil_world import NODE, World, fil_world
from tests.support.dashboard.scripted_peer import Peer
from tests.support.waiting import eventually

LONG = 60.0
"""The longest wait, on a machine with much else to do."""


@dataclass
class StillWorld(World):
    """A node whose vitals change only when the test says so."""

    moment: float = 0.0

    def vitals(self) -> m.Vitals:
        return m.Vitals(
            at=self.moment, cpu_percent=self.moment % 7, rss=48_000_000, threads=4, descriptors=23, loop_lag=0.0003,
            processes=len(self.processes), messages_per_second=2.0, queued=0, restarts=0, uptime=self.moment,
        )  # fmt: skip


class Session:
    """A live dashboard whose clock the test moves, and the frames that it has shown."""

    def __init__(self, user: DashboardUser, peer: Peer, now: list[float]) -> None:
        self.user = user
        self.peer = peer
        self.now = now
        self.frames: list[tuple[float, str]] = []

    async def step(self, *texts: str) -> None:
        """Let a second pass, read a snapshot, and keep the frame that shows these texts."""
        self.now[0] += 1
        assert isinstance(self.peer.world, StillWorld)
        self.peer.world.moment = self.now[0]
        self.user.app.link.refresh()
        await eventually(self._has_snapshot, within=LONG, what="the snapshot")
        await self.user.sees(*texts)
        await self.user.pilot.pause()
        self.frames.append((self.now[0], body(self.user)))

    def _has_snapshot(self) -> bool:
        snapshot = self.user.app.node.snapshot
        return snapshot is not None and snapshot.vitals.at == self.now[0]


@dataclass(frozen=True)
class RecordedUpgrade:
    """The recording of an upgrade, and the frames that the live dashboard has shown, with their times."""

    file: Path
    frames: list[tuple[float, str]]


RECORDED: Final[list[RecordedUpgrade]] = []
"""The upgrade, after the first test that needs it."""


def body(user: DashboardUser) -> str:
    """The screen without the header and the keys, which say that it is a replay."""
    return "\n".join(user.frame().splitlines()[1:-1])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upgrade.rec"


@pytest.fixture
async def still_peer(run_directory: Path, tmp_path: Path) -> AsyncIterator[Peer]:
    peer = Peer(tmp_path / "node", StillWorld(**vars(fil_world())), tick=3600)
    yield peer
    peer.stop()


async def record_upgrade(peer: Peer, file: Path) -> Session:
    """Record an upgrade that is watched in the view of the upgrades."""
    now = [2_000_000.0]
    assert isinstance(peer.world, StillWorld)
    peer.world.moment = now[0]
    writer = RecordingWriter(file, NODE, now[0], max_bytes=1 << 24)
    options = DashboardOptions(read_only=False, record=writer, clock=lambda: now[0], keymap={})
    app = HotdashApp(peer.start(), options)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        user = DashboardUser(app, pilot)
        await user.sees("● live", "fil_color_fsm", "● REC")
        session = Session(user, peer, now)
        now[0] += 1
        await upgrade_to_b(user)
        await user.press("escape", "6")
        await session.step("1986.b")
        while (operation := peer.advance()).ended is None:
            await session.step(operation.phase)
        await session.step("on probation")
    return session


@pytest.fixture
async def upgrade(still_peer: Peer, tmp_path_factory: pytest.TempPathFactory) -> RecordedUpgrade:
    """An upgrade that was recorded once, and whose node is down."""
    if not RECORDED:
        file = tmp_path_factory.mktemp("recorded") / "upgrade.rec"
        live = await record_upgrade(still_peer, file)
        RECORDED.append(RecordedUpgrade(file, live.frames))
    still_peer.stop()
    return RECORDED[0]


async def shows(user: DashboardUser, frame: str) -> None:
    """Wait until the replay shows exactly this frame."""
    try:
        await eventually(lambda: body(user) == frame, within=LONG, pause=0.05)
    except pytest.fail.Exception:
        assert body(user) == frame


@asynccontextmanager
async def replayed(file: Path, source: list[float], **options: Any) -> AsyncIterator[DashboardUser]:
    app = ReplayApp(Recording(file), DashboardOptions(keymap={}, **options), lambda: source[0])
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        user = DashboardUser(app, pilot)
        await user.sees("REPLAY", "fil_color_fsm")
        yield user


async def test_a_replay_shows_an_upgrade_frame_by_frame_as_the_live_dashboard_did(upgrade: RecordedUpgrade) -> None:
    assert len({frame for _, frame in upgrade.frames}) > 5
    source = [0.0]
    async with replayed(upgrade.file, source) as user:
        await user.press("6")
        for at, frame in upgrade.frames:
            source[0] = at - 2_000_000.0
            await shows(user, frame)


async def test_a_replay_goes_back_and_forth(upgrade: RecordedUpgrade) -> None:
    source = [0.0]
    async with replayed(upgrade.file, source) as user:
        assert isinstance(user.app, ReplayApp)
        await user.press("6")
        for at, frame in (*upgrade.frames[::-2], *upgrade.frames[::2]):
            user.app.move_to(at)
            await shows(user, frame)


async def test_the_keys_pause_move_and_speed_up(upgrade: RecordedUpgrade) -> None:
    source = [0.0]
    async with replayed(upgrade.file, source) as user:
        await user.sees("▶ 0:00/0:0", "space pause  [ ] 10 s  < > speed")
        await user.press("question_mark")
        await user.sees("Move the replay by 10 s.")
        await user.press("escape", "right_square_bracket")
        await user.sees("■ 0:0")
        await user.press("left_square_bracket", "space")
        await user.sees("⏸ 0:00/")
        source[0] += 3
        await user.press("greater_than_sign")
        await user.sees("⏸ 0:00/", "2x")
        await user.press("space")
        source[0] += 1
        await user.sees("▶ 0:02/")
        await user.press("less_than_sign", "less_than_sign", "slash")
        await user.press("left_square_bracket", "space")
        await user.sees("0.5x", "[")


async def test_a_replay_changes_nothing_and_says_so(upgrade: RecordedUpgrade) -> None:
    async with replayed(upgrade.file, [0.0]) as user:
        await user.press("exclamation_mark")
        await user.is_notified("This is a recording: nothing can be changed")
        await user.press("5", "down", "p")
        await user.is_notified("up to the time shown, it has no answer to this request")
        user.app.move_to(2_000_000.0 + 3)  # type: ignore[attr-defined]
        await user.press("p")
        await user.sees("Upgrade from 1986.a to 1986.b")


async def test_a_node_can_be_recorded_without_a_screen(peer: Peer, file: Path) -> None:
    address = peer.start()
    interrupted = asyncio.Event()
    writer = RecordingWriter(file, NODE, 0.0, max_bytes=1 << 24)
    recording = asyncio.create_task(record_node(address, writer, interrupted, None))
    await eventually(lambda: len(peer.asked("state")) > 1, within=LONG, what="the states of two processes")
    interrupted.set()
    assert await recording == f"Recorded {NODE} into {file}."
    kinds = {record.kind for record in Recording(file).records(0.0)}
    assert {"ConnectionChanged", "SnapshotReceived", "EventReceived", "HistoryReceived", "StateReceived"} <= kinds


async def test_a_recording_of_a_given_length_ends_by_itself(peer: Peer, file: Path) -> None:
    writer = RecordingWriter(file, NODE, 0.0, max_bytes=1 << 24)
    assert "Recorded" in await record_node(peer.start(), writer, asyncio.Event(), 0.3)


async def test_a_full_recording_ends_and_the_dashboard_goes_on(peer: Peer, file: Path) -> None:
    writer = RecordingWriter(file, NODE, 0.0, max_bytes=4_000)
    app = HotdashApp(peer.start(), DashboardOptions(record=writer, keymap={}))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        user = DashboardUser(app, pilot)
        await eventually(lambda: any("has reached its limit" in toast for toast in user.toasts()), within=LONG)
        await user.sees("● live")
        assert "REC" not in user.frame()
